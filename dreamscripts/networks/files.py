"""Whole models in files: `.keras`, and the older `.h5` of Keras 2 and 3."""

from pathlib import Path

import h5py
import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks.rewrite import has_graph, why_no_graph

WHOLE_MODELS = (".keras", ".h5", ".hdf5")
FILES = "a .keras or .h5 file"


def load_whole(path: Path) -> keras.Model:
    """A whole model that Keras saved, or a NetworkError that says why it cannot be read."""
    if path.suffix != ".keras":
        _check_h5(path)
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # unknown layers, unsafe lambdas, damaged archives: Keras has an error for each
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NetworkError(f"{path}: cannot be loaded as a Keras model: {reason}") from None
    if not has_graph(model):
        raise NetworkError(f"{path}: {why_no_graph(model)}")
    return model


def _check_h5(path: Path) -> None:
    try:
        with h5py.File(path) as file:
            whole = "model_config" in file.attrs
    except OSError:
        raise NetworkError(f"{path}: is not an HDF5 file, or a damaged one") from None
    if not whole:
        raise NetworkError(
            f"{path}: holds weights without a network: name the network with --network, and this file with --weights"
        )
