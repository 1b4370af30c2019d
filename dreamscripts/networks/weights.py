"""Weights for a network: from a file in any of Keras's formats, or random; and published files, fetched once."""

import warnings
import zipfile
import zlib
from pathlib import Path

import h5py
import keras
import numpy as np

from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.pocket import CHANNELS


def fill_at_random(model: keras.Model, seed: int) -> None:
    """He initialisation (He et al. 2015, arXiv:1502.01852), the same on every backend: for tests and for timing.

    Biases and batch statistics stay as Keras makes them (0, or 1).
    """
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for kernel in layer.trainable_weights:
            if len(kernel.shape) > 1:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or "depthwise" in kernel.name
                fan_in = np.prod(kernel.shape[: 2 if depthwise else -1])
                kernel.assign(rng.normal(0, np.sqrt(2 / fan_in), kernel.shape))


def give_weights(layer: keras.Layer, weights: list[np.ndarray]) -> None:
    """Set a layer's weights, also where it works out from them what it uses (`Normalization`)."""
    layer.set_weights(weights)
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def load_file(model: keras.Model, path: str | Path) -> None:
    """Load `.weights.h5`, the legacy `.h5` that was published for most networks, a whole `.keras` model, or `.npz`.

    All but the first are read by layer name, so that a file with the network's top serves as well. The arrays of an
    `.npz` are called `<layer>/<weight>`, as in `block1_conv1/kernel`, in any precision.
    Raises NetworkError where the file is no such thing or does not fit the network.
    """
    path = Path(path)
    if not path.is_file():
        raise NetworkError(f"{path}: there is no such file of weights{did_you_mean(str(path), ['imagenet', 'random'])}")
    if path.suffix == ".keras":
        _assign(model, {layer.name: layer.get_weights() for layer in load_keras_file(path).layers}, path)
        return
    if path.suffix == ".npz":
        _assign(model, _read_npz(model, path), path)
        return
    try:
        with h5py.File(path) as file:
            legacy = file.get("model_weights", file)
            by_layer = _read_legacy(legacy) if "layer_names" in legacy.attrs else None
    except OSError:
        raise NetworkError(
            f"{path}: is no file of weights (.weights.h5, .h5, .keras or .npz), or a damaged one"
        ) from None
    if by_layer is not None:
        _assign(model, by_layer, path)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that it leaves as they were
            model.load_weights(path)
    except (ValueError, KeyError, TypeError, OSError, UserWarning) as error:
        raise NetworkError(
            f"{path}: does not fit {model.name} without its top: {str(error).strip().splitlines()[0]}"
        ) from None


def fetch(network: str, file: str, address: str, file_hash: str) -> Path:
    """The published weights of `network`, fetched once into Keras's cache as `file` and checked by md5 or sha256."""
    try:
        return Path(keras.utils.get_file(file, address, file_hash=file_hash, cache_subdir="models"))
    except Exception as error:  # Keras raises nothing more specific
        if "URL fetch failure" not in str(error):
            raise
        raise NetworkError(unreachable_weights(network)) from None


def unreachable_weights(name: str) -> str:
    """What to say when weights cannot be downloaded: the three ways on."""
    return (
        f"the weights of {name} are not on this machine and cannot be downloaded: connect once and run again, "
        f"or give a file you have with --weights FILE, or take a network inside the package, "
        f"{' or '.join(f'--network {embedded}' for embedded in CHANNELS)}"
    )


def load_keras_file(path: Path) -> keras.Model:
    """A whole model that Keras saved, or a NetworkError that says why it cannot be read."""
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # unknown layers, unsafe lambdas, damaged archives: Keras has an error for each
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NetworkError(f"{path}: cannot be loaded as a Keras model: {reason}") from None


def _read_legacy(file: h5py.Group) -> dict[str, list[np.ndarray]]:
    def text(name: bytes | str) -> str:
        return name.decode() if isinstance(name, bytes) else name

    # Old Keras had slashes in layer names (fire2/squeeze1x1), today's forbids them.
    return {
        text(layer).replace("/", "_"): [
            np.asarray(file[text(layer)][text(weight)]) for weight in file[text(layer)].attrs["weight_names"]
        ]
        for layer in file.attrs["layer_names"]
    }


def _read_npz(model: keras.Model, path: Path) -> dict[str, list[np.ndarray]]:
    try:
        with np.load(path) as file:
            arrays = {name: np.asarray(file[name]) for name in file}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        raise NetworkError(f"{path}: is no archive of arrays that NumPy saved as .npz, or a damaged one") from None
    # In the order that the layers have them.
    named = {layer.name: [f"{layer.name}/{weight.name}" for weight in layer.weights] for layer in model.layers}
    return {layer: [arrays[key] for key in keys] for layer, keys in named.items() if all(key in arrays for key in keys)}


def _assign(model: keras.Model, by_layer: dict[str, list[np.ndarray]], path: Path) -> None:
    for layer in model.layers:
        expected = [tuple(weight.shape) for weight in layer.weights]
        if not expected:
            continue
        if layer.name not in by_layer:
            raise NetworkError(
                f"{path}: does not fit {model.name}: it has no weights for the layer '{layer.name}'"
                f"{did_you_mean(layer.name, by_layer)}"
            )
        found = [weight.shape for weight in by_layer[layer.name]]
        if found != expected:
            raise NetworkError(
                f"{path}: does not fit {model.name}: the weights of '{layer.name}' have the shapes "
                f"{_shapes(found)}, not {_shapes(expected)}"
            )
        give_weights(layer, by_layer[layer.name])


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in shapes)
