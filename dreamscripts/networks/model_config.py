"""The config in a model file: read it, and refuse what could run foreign code, open other files or exhaust the memory.

Keras builds every class that a config names, and some of its layers run code or read files that their config names. So
only the layers and operators that compute something of a picture are accepted, and classes that are registered in this
process.
"""

import json
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state

from dreamscripts.errors import NetworkError, short
from dreamscripts.networks.file_checks import ZIPPED, numbers_in, open_hdf5, open_zip
from dreamscripts.networks.graph import HIDDEN
from dreamscripts.networks.plain_keras import plain_keras

WEIGHTS_IN_ZIP = "model.weights.h5"
IN_ZIP = {"metadata.json", "config.json", WEIGHTS_IN_ZIP}
LARGEST_CONFIG = 64 * 2**20  # bytes of JSON; the configs of Keras's own networks have less than one million
DEEPEST = 200  # levels of JSON; an inner model adds five
LAYERS = (
    *("activations", "attention", "convolutional", "merging", "normalization", "pooling", "regularization"),
    *("reshaping", "rnn", "core.dense", "core.einsum_dense", "core.embedding", "core.identity", "core.input_layer"),
    *("core.masking", "core.reversible_embedding", "core.wrapper", "preprocessing.image_preprocessing"),
    *("preprocessing.normalization", "preprocessing.pipeline", "preprocessing.rescaling"),
)
OTHERS = (
    *("activations", "constraints", "dtype_policies", "initializers", "legacy", "losses", "metrics", "models", "ops"),
    *("optimizers", "quantizers", "random", "regularizers"),
)
# The modules of Keras whose classes and functions a config may name.
ACCEPTED = tuple(f"keras.src.{name}" for name in (*(f"layers.{layer}" for layer in LAYERS), *OTHERS))
VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
_UNINITIALIZED = "uninitialized_variables"  # Keras's list of the variables whose values were not computed yet


def read_config(path: Path) -> dict[str, Any]:
    """Read the config of a model from its file. Raises NetworkError if the file has none, or a damaged one."""
    if path.suffix == ".keras":
        with open_zip(path, ZIPPED) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise NetworkError(f"{path}: is damaged: it contains a file twice")
            for name in set(names) - IN_ZIP:  # Keras would unpack them
                raise NetworkError(f"{path}: contains another file, '{short(name)}', which is not part of a network")
            data = archive.read("config.json") if archive.getinfo("config.json").file_size <= LARGEST_CONFIG else None
    else:
        with open_hdf5(path, "an HDF5 file") as file:
            if "model_config" not in file.attrs:
                raise NetworkError(
                    f"{path}: contains weights without a network: use --network NAME with --weights and this file"
                )
            small = file.attrs.get_id("model_config").get_storage_size() <= LARGEST_CONFIG
            data = file.attrs["model_config"] if small else None
    if data is None:
        raise NetworkError(f"{path}: its config is too large for a network")
    try:
        config = json.loads(data)
    except (ValueError, TypeError, RecursionError):
        raise NetworkError(f"{path}: its config is damaged") from None
    if not isinstance(config, dict):
        raise NetworkError(f"{path}: its config is damaged")
    return config


def refuse_foreign(config: dict[str, Any], path: Path) -> None:
    """Raise NetworkError if the config names a class that could run foreign code or read other files."""
    for part in objects(config, path):
        kind = part["class_name"]
        if kind in ("Lambda", "__lambda__"):
            raise NetworkError(
                f"{path}: the layer '{_name(part)}' is a Lambda: Python code in a file is not run; use operators "
                "instead"
            )
        if not (kind in VALUES or _is_registered(part) or _is_accepted(part)):
            if part is config and kind not in ("Functional", "Sequential", "Model"):
                raise NetworkError(f"{path}: it is a {short(kind)}, {HIDDEN}")
            raise NetworkError(f"{path}: {_why_refused(part)}")


def _name(part: dict[str, Any]) -> str:
    """Return the name of a layer in a config, or that of its class."""
    kind, inside = part["class_name"], part.get("config")
    return short(str(inside.get("name", kind) if isinstance(inside, dict) else kind))


def _why_refused(part: dict[str, Any]) -> str:
    kind = part["class_name"]
    if kind == "function":
        called = short(f"{part.get('module')}.{part.get('config')}")
        return f"it calls {called}, which is not a function of a network"
    if hasattr(keras.layers, kind):
        return (
            f"the layer '{_name(part)}' is a {kind}, which could open other files or run code: remove it from the model"
        )
    return why_unknown(part)


def why_unknown(part: dict[str, Any]) -> str:
    """Return a clause that explains why a layer of an unknown class cannot be loaded. `part` is the layer's config."""
    return (
        f"the layer '{_name(part)}' is of the class {short(part['class_name'])}, which is unknown to Keras: "
        "register it with @keras.saving.register_keras_serializable() and dream from Python"
    )


def objects(config: Any, path: Path) -> Iterator[dict[str, Any]]:
    """Yield each part of a config that names a class: the outermost, then those within. Raises NetworkError."""
    waiting = deque([(config, 0)])
    while waiting:
        value, depth = waiting.popleft()
        if depth > DEEPEST:
            raise NetworkError(f"{path}: its config is nested too deeply")
        if isinstance(value, dict) and "class_name" in value:
            if not isinstance(value["class_name"], str):
                raise NetworkError(f"{path}: its config is damaged: class_name = {short(str(value['class_name']))}")
            yield value
        within = value.values() if isinstance(value, dict) else value
        waiting.extend((inside, depth + 1) for inside in within if isinstance(inside, (dict, list)))


def _is_registered(part: dict[str, Any]) -> bool:
    """Return whether Keras finds the class or function of a part among those that this process registered."""
    name = part["class_name"]
    if "module" in part:
        name = part.get("config") if name == "function" else part.get("registered_name", name)
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _is_accepted(part: dict[str, Any]) -> bool:
    """Return whether a part of a config names a class or function of Keras that computes something.

    In an `.h5` there is no module: Keras looks for the class in its tables of layers and of other objects.
    """
    module, kind = part.get("module"), part["class_name"]
    if module is None:
        found = getattr(keras.layers, kind, None)
        return not kind.startswith("__") and (found is None or _is_in_accepted_module(found))
    if module == "builtins":
        return kind == "function"
    name = part["config"] if kind == "function" else kind
    if not isinstance(module, str) or module.partition(".")[0] != "keras" or not isinstance(name, str):
        return False
    return _is_in_accepted_module(getattr(sys.modules.get(module), name, None))


def _is_in_accepted_module(found: Any) -> bool:
    module = getattr(found, "__module__", None) or ""
    return any(module == accepted or module.startswith(f"{accepted}.") for accepted in ACCEPTED)


def refuse_larger_than_file(build: Callable[[], Any], stored: int, path: Path) -> None:
    """Raise NetworkError if the model that `build` makes has many more weights than its file: `stored` numbers.

    Keras fills weights with random numbers before it finds that they are not in the file. Here it only computes their
    shapes.
    """
    before = global_state.get_global_attribute(_UNINITIALIZED)
    made: list[Any] = []
    global_state.set_global_attribute(_UNINITIALIZED, made)
    try:
        # An error is found again when the model is built with its values.
        with plain_keras(), keras.StatelessScope(initialize_variables=False), suppress(Exception):
            build()
    finally:
        global_state.set_global_attribute(_UNINITIALIZED, before)
    described = sum(math.prod(variable.shape) for variable in made)
    if described > 2 * stored + 1_000_000:
        raise NetworkError(f"{path}: its layers have more weights than the file, which has {stored} numbers")


def weights_in(path: Path) -> int:
    """Count the numbers in a model file."""
    if path.suffix != ".keras":
        with open_hdf5(path, "an HDF5 file") as file:
            return numbers_in(file, path)
    with open_zip(path, ZIPPED) as archive:
        content = archive.read(WEIGHTS_IN_ZIP)
    with open_hdf5(path, ZIPPED, content) as file:
        return numbers_in(file, path)
