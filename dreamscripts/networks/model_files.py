"""Load complete models from files: `.keras`, and the older `.h5` of Keras 2 and 3."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks import local_response_norm  # noqa: F401  (registers the layer for files that have it)
from dreamscripts.networks.graph import HIDDEN, first_line, has_graph, why_no_graph
from dreamscripts.networks.keras2 import build_from, is_by_keras2


def load_whole(path: Path) -> keras.Model:
    """Load a complete model that Keras saved. Raises NetworkError, with the reason, if it cannot be read.

    A model that Keras 2 saved (`is_by_keras2`) is loaded without its weights.
    """
    if path.suffix != ".keras":
        _check_h5(path)
    try:
        model = build_from(path) if is_by_keras2(path) else keras.saving.load_model(path, compile=False)
    except Exception as error:  # unknown layers, unsafe lambdas, damaged archives: each has a different error
        reason = _unknown_layer(path, str(error)) or first_line(error)
        raise NetworkError(f"{path}: cannot be loaded as a Keras model: {reason}") from None
    if not has_graph(model):
        raise NetworkError(f"{path}: {why_no_graph(model)}")
    return model


def _unknown_layer(path: Path, complaint: str) -> str | None:
    """Return a message that names the layer, if Keras's message says that the class of a layer is unknown."""
    unknown = re.search(r"(?:Unknown layer: |Could not locate class )'(\w+)'", complaint)
    kind = unknown[1] if unknown else "Lambda" if "`Lambda` layer" in complaint else None
    config = _config(path) if kind else {}
    layer = next((part for part in _objects(config) if part.get("class_name") == kind), None)
    if layer is None:
        return None
    if layer is config:
        return f"it is a {kind}, {HIDDEN}"
    name = layer["config"].get("name", kind)
    if kind == "Lambda":
        return f"the layer '{name}' is a Lambda: Python code in a file is not run; use operators instead"
    return (
        f"the layer '{name}' is of the class {kind}, which is unknown to Keras: "
        "register it with @keras.saving.register_keras_serializable() and dream from Python"
    )


def _config(path: Path) -> Any:
    """Read the config of a model from its file."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the config of every layer and model in a config, the outermost last."""
    values = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    for value in values:
        yield from _objects(value)
    if isinstance(config, dict) and isinstance(config.get("config"), dict):
        yield config


def _check_h5(path: Path) -> None:
    try:
        with h5py.File(path) as file:
            has_model = "model_config" in file.attrs
    except OSError:
        raise NetworkError(f"{path}: is not an HDF5 file, or is damaged") from None
    if not has_model:
        raise NetworkError(
            f"{path}: contains weights without a network: use --network NAME with --weights and this file"
        )
