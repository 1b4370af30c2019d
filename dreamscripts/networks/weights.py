"""Weights for a network: from a file in any of Keras's formats, random, or downloaded once."""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.family import unreachable_weights
from dreamscripts.networks.file_checks import check_weights_file, open_hdf5, open_zip
from dreamscripts.networks.graph import WITHIN, RewriteError, first_line, public_name
from dreamscripts.networks.model_files import load_whole
from dreamscripts.networks.rewrite.clone import give_weights, rewrite


def fill_at_random(model: keras.Model, seed: int) -> None:
    """Set kernels by He initialisation (He et al. 2015, arXiv:1502.01852), the same on every backend.

    Biases and batch statistics keep Keras's initial values (0 or 1).
    """
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for kernel in layer.trainable_weights:
            if len(kernel.shape) > 1:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or "depthwise" in kernel.name
                fan_in = np.prod(kernel.shape[: 2 if depthwise else -1])
                kernel.assign(rng.normal(0, np.sqrt(2 / fan_in), kernel.shape))


def load_file(model: keras.Model, path: str | Path) -> None:
    """Load weights into `model` (flat) from a `.weights.h5`, legacy `.h5`, `.keras` or `.npz` file.

    All formats but `.weights.h5` are read by layer name, so a file may also contain the network's top, or the network
    as an inner model. The arrays in an `.npz` are called `<layer>/<weight>`, such as `block1_conv1/kernel`, in any
    precision. Raises NetworkError if the file is not a weights file or does not fit the network.
    """
    path = Path(path)
    check_weights_file(path)
    if path.suffix == ".keras":
        complete = load_whole(path)
        try:
            flat = rewrite(complete) if len(complete.inputs) == 1 else complete
        except RewriteError as error:
            raise NetworkError(f"{path}: {error}") from None
        _assign(model, {public_name(layer): layer.get_weights() for layer in flat.layers if layer.weights}, path)
        return
    if path.suffix == ".npz":
        _assign(model, _read_npz(model, path), path)
        return
    with open_hdf5(path, "a weights file (.weights.h5, .h5, .keras or .npz)") as file:
        legacy = file.get("model_weights", file)
        in_order = "layer_names" not in legacy.attrs
        by_layer = dict(_read_by_name(file)) if in_order else _read_legacy(legacy)
    if in_order:
        reason = _load_in_order(model, path)
        if reason is None:
            return
        if not by_layer:
            raise NetworkError(f"{path}: does not fit {model.name} without its top: {reason}")
    _assign(model, by_layer, path)


def _load_in_order(model: keras.Model, path: Path) -> str | None:
    """Load a file in Keras 3's format, which depends on the order of layers. Returns the reason if it does not fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns if it leaves a layer unchanged
            model.load_weights(path)
    except Exception as error:  # Keras raises a different error for each kind of damage
        return first_line(error)
    return None


def fetch(network: str, file: str, address: str, file_hash: str) -> Path:
    """Download the weights of `network` once into Keras's cache as `file`, and check their md5 or sha256.

    Raises NetworkError if they cannot be downloaded.
    """
    try:
        return Path(keras.utils.get_file(file, address, file_hash=file_hash, cache_subdir="models"))
    except Exception as error:  # Keras raises `Exception` if a download fails
        if "URL fetch failure" not in str(error):
            raise
        raise NetworkError(unreachable_weights(network)) from None


def _read_by_name(group: h5py.Group, within: str = "") -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield the name and weights of every layer in a `.weights.h5`, if it has the names (since Keras 3.9).

    Layers of inner models are named `inner/layer`.
    """
    for inner in group.get("layers", {}).values():
        values = inner.get("vars")
        name = values.attrs.get("name") if values else None
        if name and "layers" in inner:
            yield from _read_by_name(inner, f"{within}{name}{WITHIN}")
        elif name:
            yield within + name, [_as_array(values[str(i)]) for i in range(len(values))]


def _as_array(data: h5py.Dataset) -> np.ndarray:
    if data.attrs.get("dtype") == "bfloat16":  # HDF5 has no bfloat16, so Keras writes its bits
        return keras.ops.convert_to_numpy(keras.ops.cast(np.asarray(data).view("bfloat16"), "float32"))
    return np.asarray(data)


def _read_legacy(file: h5py.Group) -> dict[str, list[np.ndarray]]:
    """Read {layer: weights} of a legacy `.h5`. Layers of inner models are also named `inner/layer`."""

    def text(name: bytes | str) -> str:
        return name.decode() if isinstance(name, bytes) else name

    by_layer: dict[str, list[np.ndarray]] = {}
    for layer in file.attrs["layer_names"]:
        # Keras 2 allowed slashes in layer names (fire2/squeeze1x1), Keras 3 does not.
        name = text(layer).replace("/", "_")
        for weight in file[text(layer)].attrs["weight_names"]:
            value = np.asarray(file[text(layer)][text(weight)])
            by_layer.setdefault(name, []).append(value)
            path = text(weight).rpartition("/")[0]
            if path != text(layer):
                inside = path if path.startswith(f"{text(layer)}/") else f"{name}{WITHIN}{path}"
                by_layer.setdefault(inside, []).append(value)
    return by_layer


def _read_npz(model: keras.Model, path: Path) -> dict[str, list[np.ndarray]]:
    kind = "an archive that NumPy saved as .npz"
    with open_zip(path, kind), np.load(path, allow_pickle=False) as file:
        arrays = {name: np.asarray(file[name]) for name in file}
    # In the order of each layer's weights.
    named = {layer.name: [f"{layer.name}/{weight.name}" for weight in layer.weights] for layer in model.layers}
    return {layer: [arrays[key] for key in keys] for layer, keys in named.items() if all(key in arrays for key in keys)}


def _assign(model: keras.Model, by_layer: Mapping[str, list[np.ndarray]], path: Path) -> None:
    """Set the weights of `model` (flat) by layer name. Raises NetworkError if they do not fit."""
    layers = {public_name(layer): layer for layer in model.layers if layer.weights}
    expected = {name: [tuple(weight.shape) for weight in layer.weights] for name, layer in layers.items()}
    found = _by_name(expected, by_layer)
    if not _fits(expected, found, by_layer):
        found = next(
            (numbered for numbered in _by_number(layers, by_layer) if _fits(expected, numbered, by_layer)), found
        )
    for name, shapes in expected.items():
        if len(found[name]) > 1:
            raise NetworkError(
                f"{path}: does not fit {model.name}: several layers of the file match the layer '{name}': "
                f"{', '.join(found[name])}"
            )
        if not found[name]:
            raise NetworkError(
                f"{path}: does not fit {model.name}: the file has no weights for the layer '{name}'"
                f"{did_you_mean(name, by_layer)}"
            )
        actual = [weight.shape for weight in by_layer[found[name][0]]]
        if actual != shapes:
            raise NetworkError(
                f"{path}: does not fit {model.name}: the weights of '{name}' have the shapes "
                f"{_shapes(actual)}, not {_shapes(shapes)}"
            )
    for name, layer in layers.items():
        give_weights(layer, by_layer[found[name][0]])


def _by_name(names: Iterable[str], in_file: Iterable[str]) -> dict[str, list[str]]:
    """Map each name to the same name in the file, or else to all names there that have the same last part.

    The last part of `inner/layer` is `layer`.
    """
    last: dict[str, list[str]] = {}
    for other in in_file:
        last.setdefault(other.rpartition(WITHIN)[2], []).append(other)
    return {name: [name] if name in in_file else last.get(name.rpartition(WITHIN)[2], []) for name in names}


def _by_number(
    ours: Mapping[str, keras.Layer], by_layer: Mapping[str, list[np.ndarray]]
) -> Iterator[dict[str, list[str]]]:
    """Yield, for each model in the file, a mapping {our name: names in the file}.

    Names that Keras numbered are matched by their order. Keras continues these numbers through a session. If other
    layers were made before, conv2d to conv2d_93 may be called conv2d_94 to conv2d_187 in the file.
    """
    kinds: dict[str, list[str]] = {}  # our numbered names, in order, by the name before the number
    for name in sorted(ours, key=_number):
        if _is_automatic(name, ours[name]):
            kinds.setdefault(_NUMBER.sub("", name), []).append(name)
    for scope in dict.fromkeys(other.rpartition(WITHIN)[0] for other in by_layer):
        inside = [other for other in by_layer if other.rpartition(WITHIN)[0] == scope]
        chosen = _by_name(ours, inside)
        for kind, names in kinds.items():
            candidates = [other for other in inside if _NUMBER.sub("", other.rpartition(WITHIN)[2]) == kind]
            candidates.sort(key=_number)
            shapes = [[tuple(weight.shape) for weight in ours[name].weights] for name in names]
            theirs = [[weight.shape for weight in by_layer[other]] for other in candidates]
            starts = [i for i in range(len(candidates) - len(names) + 1) if theirs[i : i + len(names)] == shapes]
            if starts:
                chosen |= {name: [candidates[starts[0] + i]] for i, name in enumerate(names)}
        yield chosen


_NUMBER = re.compile(r"_\d+$")


def _number(name: str) -> int:
    found = _NUMBER.search(name)
    return int(found[0][1:]) if found else 0


def _is_automatic(name: str, layer: keras.Layer) -> bool:
    return _NUMBER.sub("", name).replace("_", "") == type(layer).__name__.lower()


def _fits(
    expected: Mapping[str, list], found: Mapping[str, list[str]], by_layer: Mapping[str, list[np.ndarray]]
) -> bool:
    return all(
        len(found[name]) == 1 and [weight.shape for weight in by_layer[found[name][0]]] == shapes
        for name, shapes in expected.items()
    )


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join("×".join(map(str, shape)) for shape in shapes)
