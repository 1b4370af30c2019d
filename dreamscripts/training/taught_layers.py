"""Choose the layers that are taught, and how often each is in the gradient."""

import math
from collections import defaultdict
from collections.abc import Sequence

import keras
import numpy as np

from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.graph import calls
from dreamscripts.networks.layers import LayerFacts, describe_layers, find_layer
from dreamscripts.networks.rewrite.pre_relu import has_relu

PER_STRIDE = 3  # layers with the same stride


def taught_layers(model: keras.Model, name: str, layers: Sequence[str] | None, until: str | None) -> list[str]:
    """Return the layers of `model` (flat), called `name`, to teach: those that are given, in order, or a choice.

    The choice is up to three layers of each stride from 2 on, up to the layer `until`: outputs of blocks, which join
    several layers, or else layers with an activation. Raises NetworkError if a layer does not exist, or if the model
    has no layer to teach.
    """
    facts = [layer for layer in describe_layers(model) if layer.stride < math.inf and layer.receptive_field < math.inf]
    order = [layer.name for layer in facts]
    if not any(isinstance(getattr(layer.operation, "kernel_size", None), tuple) for layer in facts):
        raise NetworkError(f"{name}: has no convolution, so it cannot teach a narrow network")
    if layers:
        return sorted({_known(facts, layer, name) for layer in layers}, key=order.index)
    if until:
        facts = facts[: order.index(_known(facts, until, name)) + 1]
    chosen = {layer for group in _groups(model, facts) for layer in _spread(group)}
    chosen |= {_known(facts, until, name)} if until else set()
    return [layer for layer in order if layer in chosen]


def shares(model: keras.Model, layers: Sequence[str]) -> np.ndarray:
    """Return how often each layer is in the gradient (they sum to 1): in proportion to the logarithm of its stride.

    A layer with a large stride dreams of larger things, and is harder to learn.
    """
    strides = {facts.name: facts.stride for facts in describe_layers(model)}
    parts = np.array([max(math.log2(strides[layer]), 0.5) for layer in layers])
    return parts / parts.sum()


def _known(facts: list[LayerFacts], layer: str, name: str) -> str:
    """Return the complete name of a layer. Raises NetworkError if it does not exist."""
    found = find_layer(facts, layer)
    if found is None:
        meant = did_you_mean(layer, [layer.name for layer in facts])
        raise NetworkError(f"{name} has no layer '{layer}'{meant} to teach; `dreamscripts layers {name}` lists them")
    return found.name


def _groups(model: keras.Model, facts: list[LayerFacts]) -> list[list[str]]:
    """Return, for each stride, the names of the layers from which the choice is made."""
    joining = _joining(model)
    by_stride: dict[float, list[LayerFacts]] = defaultdict(list)
    for layer in facts:
        if id(layer.operation) in joining or _is_activated(layer.operation):
            by_stride[layer.stride].append(layer)
    if not by_stride:  # no activations at all
        return [[layer.name for layer in facts if hasattr(layer.operation, "kernel_size")]]
    if len(by_stride) > 1:
        by_stride.pop(1, None)
    groups = []
    for layers in by_stride.values():
        joins = [layer.name for layer in layers if id(layer.operation) in joining]
        groups.append(joins or [layer.name for layer in layers])
    return groups


def _joining(model: keras.Model) -> set[int]:
    """Return the ids of the operations that end a block: they join several maps, or activate the result of a join."""
    ends: set[int] = set()
    after: dict[int, int] = {}  # {id of a tensor: id of the join that made it}
    for call in calls(model):
        if len(call.inputs) > 1:
            ends.add(id(call.operation))
            after |= {id(tensor): id(call.operation) for tensor in call.outputs}
        elif _is_activated(call.operation) and id(call.inputs[0]) in after and not hasattr(call.operation, "kernel"):
            ends.discard(after[id(call.inputs[0])])
            ends.add(id(call.operation))
    return ends


def _is_activated(operation: keras.Operation) -> bool:
    activation = getattr(operation, "activation", None)
    return has_relu(operation) or activation not in (None, keras.activations.linear)


def _spread(names: list[str]) -> list[str]:
    """Return up to PER_STRIDE of the names, evenly spread, with the last."""
    count = min(PER_STRIDE, len(names))
    return [names[round((i + 1) * len(names) / count) - 1] for i in range(count)]
