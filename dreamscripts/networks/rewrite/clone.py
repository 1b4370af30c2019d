"""Make flat copies of Keras models, with some layers changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from dreamscripts.networks.graph import (
    WITHIN,
    RewriteError,
    call_all,
    has_graph,
    keras_name,
    maker,
    public_name,
    tensors_of,
    unconnected_copy,
    why_no_graph,
)
from dreamscripts.networks.initial_values import without_initial_values
from dreamscripts.networks.keras2 import LegacyOperator, index


@dataclass(frozen=True)
class Substitute:
    """A layer that replaces another layer, its weights, and what is called after it, such as another layer.

    Without `weights`, it gets the weights of the layer that it replaces. If it is `new`, it keeps its initial weights.
    """

    layer: keras.Layer
    weights: list[np.ndarray] | None = None
    then: Callable[[Any], Any] | None = None
    new: bool = False


def rewrite(
    model: keras.Model,
    substitutes: Mapping[str, Substitute] = MappingProxyType({}),
    *,
    shape: tuple[int | None, ...] | None = None,
    dtype: str | None = None,
) -> keras.Model:
    """Make a flat copy of `model`, which has one input. The copy has separate layers and weights.

    `substitutes` maps the Keras names of layers in a flat model to their replacements. `shape` is another shape of
    the input, without the batch. `dtype` is the policy of all layers, such as "float32". Without it, each layer keeps
    its policy. Raises RewriteError for the first layer that cannot be copied, or cannot be called on its new input.
    """
    (before,) = model.inputs
    # Pictures are float32 here, because integers have no gradient.
    name = keras_name(public_name(maker(before)))
    picture = keras.Input(shape or before.shape[1:], dtype="float32", name=name)
    taken = {public_name(maker(before))}

    def within(prefix: str) -> Callable:
        def call(operation: keras.Operation, args: tuple, kwargs: dict[str, Any]) -> Any:
            public = _unused(prefix + public_name(operation), taken)
            if isinstance(operation, keras.Model):
                if not has_graph(operation):
                    raise RewriteError(public, why_no_graph(operation))
                return call_all(operation, tensors_of((args, kwargs)), within(public + WITHIN))
            taken.add(public)
            name = keras_name(public)
            if isinstance(operation, LegacyOperator) or type(operation).__name__ == "GetItem":
                output = (
                    operation.call(*args, **kwargs) if isinstance(operation, LegacyOperator) else index(*args, **kwargs)
                )
                maker(output).name = name
                return output
            if not isinstance(operation, keras.Layer):
                return _copied_operator(operation, name, dtype)(*_constants(args, dtype), **_constants(kwargs, dtype))
            change = substitutes.get(operation.name) or Substitute(_copied_layer(operation, name, dtype))
            same_arguments = isinstance(change.layer, type(operation))  # takes the same arguments, such as `training`
            output = change.layer(*args, **(kwargs if same_arguments else {}))
            if not change.new:
                give_weights(change.layer, operation.get_weights() if change.weights is None else change.weights)
            return output if change.then is None else change.then(output)

        return call

    with without_initial_values():
        copies = dict(zip(map(id, model.outputs), call_all(model, [picture], within("")), strict=True))
    outputs = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    outputs = keras.tree.map_structure(lambda tensor: copies[id(tensor)], outputs)
    return keras.Model(picture, outputs, name=keras_name(model.name))


def give_weights(layer: keras.Layer, weights: list[np.ndarray]) -> None:
    """Set a layer's weights, and update the values that the layer computes from them (`Normalization`)."""
    layer.set_weights(weights)
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _copied_layer(layer: keras.Layer, name: str, dtype: str | None) -> keras.Layer:
    if getattr(layer, "quantization_mode", None):
        raise RewriteError(public_name(layer), "is quantised: save the model before it is quantised")
    config = layer.get_config()
    if dtype:
        config = _with_policy(config, dtype) | {"dtype": dtype}
    return type(layer).from_config(config | {"name": name})


def _with_policy(config: Any, dtype: str) -> Any:
    """Replace every dtype policy in a layer's config, including those of wrapped layers."""
    if isinstance(config, dict):
        if config.get("class_name") in ("DTypePolicy", "FloatDTypePolicy", "Policy"):
            return dtype
        return {key: _with_policy(value, dtype) for key, value in config.items()}
    return [_with_policy(value, dtype) for value in config] if isinstance(config, list) else config


def _copied_operator(operation: keras.Operation, name: str, dtype: str | None) -> keras.Operation:
    """Copy an operator."""
    duplicate = unconnected_copy(operation, name)
    if dtype and _is_float(getattr(operation, "dtype", None)):
        duplicate.dtype = keras.DTypePolicy(dtype).compute_dtype
    return duplicate


def _constants(arguments: Any, dtype: str | None) -> Any:
    """Return the arguments of an operator. If the model gets a new `dtype`, constant floats become float32."""

    def convert(value: Any) -> Any:
        if dtype and not isinstance(value, keras.KerasTensor) and _is_float(getattr(value, "dtype", None)):
            return keras.ops.cast(value, "float32")
        return value

    return keras.tree.map_structure(convert, arguments)


def _is_float(dtype: Any) -> bool:
    return dtype is not None and "float" in str(dtype)


def _unused(name: str, taken: set[str]) -> str:
    """Return `name` if it is unused, otherwise `name_2` and so on: a layer that is called twice is copied twice."""
    number, free = 2, name
    while free in taken or any(used.startswith(free + WITHIN) for used in taken):
        free, number = f"{name}_{number}", number + 1
    return free
