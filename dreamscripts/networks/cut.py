"""Cut a network after its deepest layer in use."""

from collections.abc import Iterable

import keras

from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.graph import public_name
from dreamscripts.networks.layers import describe_layers, find_layer
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.rewrite.open_size import for_any_size
from dreamscripts.networks.rewrite.pre_relu import SUFFIX, before_relu, has_relu, split_relu


def cut(model: keras.Model, layers: Iterable[str], name: str) -> keras.Model:
    """Cut `model` (flat), called `name`, after the deepest of `layers`.

    The result takes pictures of any size if its layers do. Its output is {layer: output} by the names in `layers`.
    `x_pre_relu` is the input of the ReLU of layer `x`. `x` can be short for `inner/x`, if only one inner model has a
    layer `x`. Raises NetworkError for a layer that `model` does not have.
    """
    layers = list(layers)
    facts = describe_layers(model)
    unchanged = {}  # layers by the given name, except those whose ReLU is split off
    split = {}
    for layer in layers:
        if found := find_layer(facts, layer):
            unchanged[layer] = found.operation
        elif (found := find_layer(facts, layer.removesuffix(SUFFIX))) and has_relu(found.operation):
            split[layer] = found.operation
        else:
            raise NetworkError(_no_layer(model, layer, name))
    with plain_keras():
        model = split_relu(model, list(split.values()))
        operations = {operation.name: operation for operation in model.operations}
        outputs = {
            layer: before_relu(operations[split[layer].name])
            if layer in split
            else operations[unchanged[layer].name].output
            for layer in layers
        }
    return for_any_size(keras.Model(model.inputs[0], outputs))


def _no_layer(model: keras.Model, layer: str, name: str) -> str:
    """Return the message for a layer that [features] cannot name."""
    known = [facts.name for facts in describe_layers(model)]
    lists = f"`dreamscripts layers {name}` lists the layers that [features] can name"
    if any(layer == public_name(operation) for operation in model.operations):
        return f"{name}: the layer '{layer}' does not output a map (rows, columns, channels) of the picture; {lists}"
    return f"{name} has no layer '{layer}'{did_you_mean(layer, known)}; {lists}"
