"""The graph of a Keras model: its calls, shapes and names. Only this module uses Keras's private attributes.

A graph here is *flat*: it has no models within models, and calls every layer once. `rewrite` makes a flat copy of any
functional or Sequential model. A layer `conv` of an inner model `vgg16` gets the public name `vgg16/conv`. Keras
does not allow a slash in names, and TensorFlow and PyTorch do not allow some other characters. So the layer's Keras
name is `vgg16-x2f-conv`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.models.functional import Functional

from dreamscripts.errors import short

HIDDEN = "which hides its layers in its own call(): build it as a functional model"
WITHIN = "/"  # between the name of an inner model and that of its layer


class RewriteError(Exception):
    """A layer cannot be copied or called. `layer` is its public name. `reason` is a clause that follows the name."""

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


def public_name(operation: keras.Operation) -> str:
    """Return the public name of a layer or operator: `inner/layer`."""
    return re.sub(r"-x([0-9a-f]+)-", lambda found: chr(int(found[1], 16)), operation.name)


def keras_name(public: str) -> str:
    """Return the name that Keras uses for a public name."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f"-x{ord(found[0]):x}-", public)


def maker(tensor: keras.KerasTensor) -> keras.Operation:
    """Return the layer or operator that outputs a tensor."""
    return tensor._keras_history.operation


def calls(model: keras.Model) -> list[Call]:
    """Return all calls in `model`, except those of input layers. A call comes after the calls that it reads from."""
    graph = getattr(model, "_functional", model)  # the graph inside a Sequential model
    nodes = [node for depth in sorted(graph._nodes_by_depth, reverse=True) for node in graph._nodes_by_depth[depth]]
    return [
        Call(node.operation, node.arguments.args, node.arguments.kwargs, node.input_tensors, node.output_tensors)
        for node in nodes
        if not node.is_input
    ]


def is_channels_first(model: keras.Model) -> bool:
    """Return whether the model was saved for pictures of shape (3, H, W)."""
    _, first, _, last = model.inputs[0].shape
    return first == 3 and last != 3


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """Return (height, width) of the only pictures that `model` takes, or None if it takes any size."""
    _, *shape = model.inputs[0].shape
    height, width = shape[1:] if is_channels_first(model) else shape[:2]
    return (height, width) if height and width else None


def has_graph(model: keras.Model) -> bool:
    """Return whether `model` has a graph. If its class overrides `call`, it does not."""
    if isinstance(model, keras.Sequential):
        return type(model).call is keras.Sequential.call and model._functional is not None
    return isinstance(model, Functional) and type(model).call is Functional.call


def why_no_graph(model: keras.Model) -> str:
    """Return a clause that explains why a model has no graph."""
    if type(model) is keras.Sequential:
        return "was never built: call it on a picture before you save it"
    return f"is a {type(model).__name__}, {HIDDEN}"


def is_flat(model: keras.Model) -> bool:
    """Return whether `model` is a functional model without inner models that calls each layer once."""
    if not isinstance(model, Functional):
        return False
    return all(not isinstance(part, keras.Model) and len(part._inbound_nodes) == 1 for part in model.operations)


def unconnected_copy(operation: keras.Operation, name: str) -> keras.Operation:
    """Copy an operator, which has no weights, under another name and without its calls."""
    duplicate = object.__new__(type(operation))  # copy.copy would save the operator to a file and load it
    vars(duplicate).update(vars(operation))
    duplicate.name = name
    duplicate._inbound_nodes, duplicate._outbound_nodes = [], []
    return duplicate


def shapes_at(model: keras.Model, shape: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """Return {id: shape} of all tensors of `model` for pictures of `shape`. Shapes include the batch.

    Raises RewriteError for the first layer that cannot be called on them, or that changes the number of pictures.
    """
    (before,) = model.inputs
    shapes = {id(before): shape}
    known = {id(before): keras.KerasTensor(shape, before.dtype)}
    for call in calls(model):
        args, kwargs = filled(call, known)
        with naming_layer(call.operation):
            outputs = keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))
            _check_join(call.operation, tensors_of((args, kwargs)))
        known |= zip(map(id, call.outputs), outputs, strict=True)
        shapes |= {id(tensor): tuple(output.shape) for tensor, output in zip(call.outputs, outputs, strict=True)}
    if any(shapes[id(tensor)][0] != shape[0] for tensor in model.outputs):  # a Reshape for one size only
        parts = (call for call in calls(model) if shapes[id(call.outputs[0])][0] != shape[0])
        raise RewriteError(public_name(next(parts).operation), "treats one picture of this size as several")
    return shapes


def call_all(model: keras.Model, inputs: list[Any], call: Callable) -> list[Any]:
    """Compute the outputs of `model` for `inputs`, with `call(operation, args, kwargs)` instead of each call."""
    known = dict(zip(map(id, model.inputs), inputs, strict=False))
    for node in calls(model):
        with naming_layer(node.operation):
            outputs = call(node.operation, *filled(node, known))
        known |= zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True)
    return [known[id(tensor)] for tensor in model.outputs]


def filled(call: Call, known: Mapping[int, Any]) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments of a call, with its tensors replaced by those in `known` {id: tensor}."""

    def fill(value: Any) -> Any:
        return known[id(value)] if isinstance(value, keras.KerasTensor) else value

    return keras.tree.map_structure(fill, call.args), keras.tree.map_structure(fill, call.kwargs)


def tensors_of(arguments: Any) -> list[keras.KerasTensor]:
    """Return the tensors in a structure of arguments."""
    return [value for value in keras.tree.flatten(arguments) if isinstance(value, keras.KerasTensor)]


def _check_join(operation: keras.Operation, inputs: list[keras.KerasTensor]) -> None:
    """Raise ValueError for a concatenation of maps of different sizes, which Keras does not check."""
    if type(operation).__name__ == "Concatenate":
        sizes = {tuple(size for i, size in enumerate(x.shape) if i != operation.axis % len(x.shape)) for x in inputs}
        if len(sizes) > 1:
            raise ValueError(f"it joins maps of the sizes {' and '.join(map(str, sorted(sizes)))}")


@contextmanager
def naming_layer(operation: keras.Operation) -> Iterator[None]:
    """Turn any error into a RewriteError that names the layer."""
    try:
        yield
    except RewriteError:
        raise
    except Exception as error:  # a layer may raise anything
        raise RewriteError(public_name(operation), f"cannot be computed: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    """Return the first line of Keras's message that gives the reason."""
    if "safe_mode" in str(error) or "unsafe_deserialization" in str(error):
        return "it contains Python code, which is not run"  # Keras would tell how to run it
    plain = re.sub(r"\x1b\[\d+m", "", str(error))  # Keras prints in bold
    if "could not be deserialized properly" in plain:  # before the reason, Keras prints the whole config
        plain = plain.rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    reasons = [
        line for line in lines if not line.startswith(("Exception encountered", "Could not automatically infer"))
    ]
    return short((reasons or lines or [type(error).__name__])[0].removesuffix("."))
