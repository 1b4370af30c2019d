"""Copies of a Keras model with some layers changed. Only this module reads Keras's private graph.

A graph here is *flat*: it has no models within models, and calls every layer once. `rewrite` makes a flat copy of any
functional or Sequential model. A layer `conv` of an inner model `vgg16` gets the public name `vgg16/conv`. Keras
does not allow the slash in names, nor TensorFlow and PyTorch some other characters: the layer itself is called
`vgg16-x2f-conv`.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from dreamscripts.networks.keras2 import LegacyOperator, index

HIDDEN = "whose own call() hides its layers: build it as a functional model"
WITHIN = "/"  # between the name of an inner model and that of its layer


class RewriteError(Exception):
    """A layer that cannot be copied or called; `layer` is its public name, `reason` is in words."""

    def __init__(self, layer: str, reason: str):
        super().__init__(f"the layer '{layer}' {reason}")
        self.layer = layer
        self.reason = reason


@dataclass(frozen=True)
class Call:
    """One call of a layer, or of an operator such as `x + y`, in the graph of a model."""

    operation: keras.Operation
    args: tuple
    kwargs: dict[str, Any]
    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]


@dataclass(frozen=True)
class Substitute:
    """The layer that takes another one's place, the weights that it gets, and a layer that is called after it.

    Without `weights` it gets those of the layer that it replaces.
    """

    layer: keras.Layer
    weights: list[np.ndarray] | None = None
    then: keras.Layer | None = None


def public_name(operation: keras.Operation) -> str:
    """The name of a layer or operator for people: `inner/layer`."""
    return re.sub(r"-x([0-9a-f]+)-", lambda found: chr(int(found[1], 16)), operation.name)


def _keras_name(public: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"-x{ord(found[0]):x}-", public)


def maker(tensor: keras.KerasTensor) -> keras.Operation:
    """The layer or operator whose output a tensor is."""
    return tensor._keras_history.operation


def calls(model: keras.Model) -> list[Call]:
    """All calls in `model`, each after those that it reads from. Input layers are not among them."""
    graph = getattr(model, "_functional", model)  # the graph inside a Sequential model
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    return [
        Call(node.operation, node.arguments.args, node.arguments.kwargs, node.input_tensors, node.output_tensors)
        for node in nodes
        if not node.is_input
    ]


def has_graph(model: keras.Model) -> bool:
    """Whether the layers of `model` can be seen: not those of a class with a `call` of its own."""
    if isinstance(model, keras.Sequential):
        return type(model).call is keras.Sequential.call and model._functional is not None
    return isinstance(model, Functional) and type(model).call is Functional.call


def why_no_graph(model: keras.Model) -> str:
    """What to say of a model whose layers cannot be seen."""
    if type(model) is keras.Sequential:
        return "was never built: call it on a picture before you save it"
    return f"is a {type(model).__name__}, {HIDDEN}"


def is_flat(model: keras.Model) -> bool:
    """Whether `model` is a functional model without models inside, and each layer is called once."""
    if not isinstance(model, Functional):
        return False
    return all(not isinstance(one, keras.Model) and len(one._inbound_nodes) == 1 for one in model.operations)


def rewrite(
    model: keras.Model,
    substitutes: Mapping[str, Substitute] = MappingProxyType({}),
    *,
    shape: tuple[int | None, ...] | None = None,
    dtype: str | None = None,
) -> keras.Model:
    """A flat copy of `model`, which has one input; the copy has its own layers and weights.

    `substitutes` are by the Keras names of layers in a flat model. `shape` is another shape of the input, without
    the batch. `dtype` is the policy that all layers compute with, such as "float32"; without it each keeps its own.
    Raises RewriteError for the first layer that cannot be copied, or cannot be called on what the shape makes of
    its input.
    """
    (before,) = model.inputs
    # The dtype of pictures here is float32: through integers there is no gradient.
    name = _keras_name(public_name(maker(before)))
    picture = keras.Input(shape or before.shape[1:], dtype="float32", name=name)
    taken = {public_name(maker(before))}

    def within(prefix: str) -> Callable:
        def call(operation: keras.Operation, args: tuple, kwargs: dict[str, Any]):
            public = _unused(prefix + public_name(operation), taken)
            if isinstance(operation, keras.Model):
                if not has_graph(operation):
                    raise RewriteError(public, why_no_graph(operation))
                return _run(operation, _tensors((args, kwargs)), within(public + WITHIN))
            taken.add(public)
            name = _keras_name(public)
            if isinstance(operation, LegacyOperator) or type(operation).__name__ == "GetItem":
                output = (
                    operation.call(*args, **kwargs) if isinstance(operation, LegacyOperator) else index(*args, **kwargs)
                )
                maker(output).name = name
                return output
            if not isinstance(operation, keras.Layer):
                return _copied_operator(operation, name, dtype)(*_constants(args, dtype), **_constants(kwargs, dtype))
            change = substitutes.get(operation.name) or Substitute(_copied_layer(operation, name, dtype))
            alike = isinstance(change.layer, type(operation))  # takes the same arguments, such as `training`
            output = change.layer(*args, **(kwargs if alike else {}))
            give_weights(change.layer, operation.get_weights() if change.weights is None else change.weights)
            return output if change.then is None else change.then(output)

        return call

    made = dict(zip(map(id, model.outputs), _run(model, [picture], within("")), strict=True))
    outputs = model.output if isinstance(model, Functional) else model.outputs[0]
    outputs = keras.tree.map_structure(lambda one: made[id(one)], outputs)
    return keras.Model(picture, outputs, name=_keras_name(model.name))


def give_weights(layer: keras.Layer, weights: list[np.ndarray]) -> None:
    """Set a layer's weights, also where it works out from them what it uses (`Normalization`)."""
    layer.set_weights(weights)
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def shapes_at(model: keras.Model, shape: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """The shape of every tensor of `model`, by its id, for pictures of `shape`, batch included.

    Raises RewriteError for the first layer that cannot be called on them, or that gives another number of pictures.
    """
    (before,) = model.inputs
    shapes = {id(before): shape}
    known = {id(before): keras.KerasTensor(shape, before.dtype)}
    for call in calls(model):
        args, kwargs = _filled(call, known)
        with _blaming(call.operation):
            outputs = keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))
            _check_join(call.operation, _tensors((args, kwargs)))
        known |= zip(map(id, call.outputs), outputs, strict=True)
        shapes |= {id(tensor): tuple(one.shape) for tensor, one in zip(call.outputs, outputs, strict=True)}
    if any(shapes[id(tensor)][0] != shape[0] for tensor in model.outputs):  # a reshaping for one size only
        parts = (call for call in calls(model) if shapes[id(call.outputs[0])][0] != shape[0])
        raise RewriteError(public_name(next(parts).operation), "takes one picture of this size for several")
    return shapes


def _run(model: keras.Model, inputs: list, call: Callable) -> list:
    """The outputs of `model` for `inputs`, with `call(operation, args, kwargs)` in the place of each call."""
    known = dict(zip(map(id, model.inputs), inputs, strict=False))
    for one in calls(model):
        with _blaming(one.operation):
            outputs = call(one.operation, *_filled(one, known))
        known |= zip(map(id, one.outputs), keras.tree.flatten(outputs), strict=True)
    return [known[id(tensor)] for tensor in model.outputs]


def _filled(call: Call, known: Mapping[int, Any]) -> tuple[tuple, dict[str, Any]]:
    """The arguments of a call, with the tensors that are known in the place of its own."""

    def fill(value):
        return known[id(value)] if isinstance(value, keras.KerasTensor) else value

    return keras.tree.map_structure(fill, call.args), keras.tree.map_structure(fill, call.kwargs)


def _tensors(arguments) -> list[keras.KerasTensor]:
    return [value for value in keras.tree.flatten(arguments) if isinstance(value, keras.KerasTensor)]


def _check_join(operation: keras.Operation, inputs: list[keras.KerasTensor]) -> None:
    """Raise ValueError for a concatenation of maps of different sizes, which Keras itself does not look at."""
    if type(operation).__name__ == "Concatenate":
        sizes = {
            tuple(size for i, size in enumerate(one.shape) if i != operation.axis % len(one.shape)) for one in inputs
        }
        if len(sizes) > 1:
            raise ValueError(f"it joins maps of the sizes {' and '.join(map(str, sorted(sizes)))}")


@contextmanager
def _blaming(operation: keras.Operation) -> Iterator[None]:
    """Turn whatever goes wrong into a RewriteError that names the layer."""
    try:
        yield
    except RewriteError:
        raise
    except Exception as error:  # a layer may raise anything
        raise RewriteError(public_name(operation), f"cannot be computed: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """What an error of Keras says, in one line."""
    plain = re.sub(r"\x1b\[\d+m", "", str(error))  # Keras writes in bold
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Exception encountered", "Could not automatically infer"))]
    return (said or lines or [type(error).__name__])[0].removesuffix(".")


def _copied_layer(layer: keras.Layer, name: str, dtype: str | None) -> keras.Layer:
    if getattr(layer, "quantization_mode", None):
        raise RewriteError(public_name(layer), "is quantised: save the model as it was before")
    config = layer.get_config()
    if dtype:
        config = _with_policy(config, dtype) | {"dtype": dtype}
    return type(layer).from_config(config | {"name": name})


def _with_policy(config, dtype: str):
    """A layer's config with that policy in the place of every other, also for the layers that it wraps."""
    if isinstance(config, dict):
        if config.get("class_name") in ("DTypePolicy", "FloatDTypePolicy", "Policy"):
            return dtype
        return {key: _with_policy(value, dtype) for key, value in config.items()}
    return [_with_policy(value, dtype) for value in config] if isinstance(config, list) else config


def _copied_operator(operation: keras.Operation, name: str, dtype: str | None) -> keras.Operation:
    """An operator has no weights: what it is made with is in its attributes."""
    twin = copy.copy(operation)
    twin.name = name
    twin._inbound_nodes, twin._outbound_nodes = [], []
    if dtype and _is_float(getattr(operation, "dtype", None)):
        twin.dtype = keras.DTypePolicy(dtype).compute_dtype
    return twin


def _constants(arguments, dtype: str | None):
    """The arguments of an operator, with arrays of floats in float32 where the model is to compute with `dtype`."""

    def convert(value):
        if dtype and not isinstance(value, keras.KerasTensor) and _is_float(getattr(value, "dtype", None)):
            return keras.ops.cast(value, "float32")
        return value

    return keras.tree.map_structure(convert, arguments)


def _is_float(dtype) -> bool:
    return dtype is not None and "float" in str(dtype)


def _unused(name: str, taken: set[str]) -> str:
    """`name`, or `name_2` and so on: a layer that is called again is another one in the copy."""
    number, free = 2, name
    while free in taken or any(one.startswith(free + WITHIN) for one in taken):
        free, number = f"{name}_{number}", number + 1
    return free
