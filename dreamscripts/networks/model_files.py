"""Load complete models from files: `.keras`, and the older `.h5` of Keras 2 and 3."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import keras

from dreamscripts.errors import NetworkError, short
from dreamscripts.networks import local_response_norm  # noqa: F401  (registers the layer for files that have it)
from dreamscripts.networks.file_checks import check_plain_file
from dreamscripts.networks.graph import HIDDEN, first_line, has_graph, why_no_graph
from dreamscripts.networks.keras2 import build_from, is_by_keras2
from dreamscripts.networks.model_config import (
    objects,
    read_config,
    refuse_foreign,
    refuse_larger_than_file,
    weights_in,
    why_unknown,
)


def load_whole(path: Path) -> keras.Model:
    """Load a complete model that Keras saved. Raises NetworkError, with the reason, if it cannot be read.

    A model that Keras 2 saved (`is_by_keras2`) is loaded without its weights. The file is checked first: it runs no
    code, opens no other file, and needs about as much memory as it has weights.
    """
    check_plain_file(path, "model")
    config = read_config(path)
    refuse_foreign(config, path)
    refuse_larger_than_file(lambda: _build(path, deepcopy(config)), weights_in(path), path)
    try:
        model = _build(path, config) if is_by_keras2(path) else keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises a different error for each kind of damage
        reason = _unknown_layer(config, path, str(error)) or first_line(error)
        raise NetworkError(f"{path}: cannot be loaded as a Keras model: {reason}") from None
    if not isinstance(model, keras.Model):
        raise NetworkError(f"{path}: contains a {type(model).__name__}, not a model")
    if not has_graph(model):
        raise NetworkError(f"{path}: {why_no_graph(model)}")
    return model


def _build(path: Path, config: dict[str, Any]) -> keras.Model:
    """Build a model from its config, without its weights."""
    if path.suffix == ".keras":
        return keras.saving.deserialize_keras_object(config)
    return build_from(config, is_by_keras2(path))


def _unknown_layer(config: dict[str, Any], path: Path, complaint: str) -> str | None:
    """Return a message that names the layer, if Keras's message says that the class of a layer is unknown."""
    unknown = re.search(r"(?:Unknown layer: |Could not locate class )'(\w+)'", complaint)
    layer = next((part for part in objects(config, path) if unknown and part["class_name"] == unknown[1]), None)
    if unknown is None or layer is None:
        return None
    if layer is config:
        return f"it is a {short(unknown[1])}, {HIDDEN}"
    return why_unknown(layer)
