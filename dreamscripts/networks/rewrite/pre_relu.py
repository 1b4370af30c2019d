"""Outputs of layers before their ReLU. They are named `<layer>_pre_relu`, as in GoogLeNet's graph.

A channel that is zero everywhere after its ReLU has no gradient, so no picture of it can be made from noise. Half of
SqueezeNet's channels are zero for a grey picture. Before the ReLU they have a gradient (as in A. Mordvintsev's
notebook, 2016).
"""

import keras

from dreamscripts.networks.graph import maker, public_name
from dreamscripts.networks.rewrite.clone import Substitute, rewrite

SUFFIX = "_pre_relu"


def has_relu(layer: keras.Operation) -> bool:
    """Return whether a layer ends with a ReLU, or concatenates only layers that do."""
    if _joins(layer):
        return all(has_relu(maker(tensor)) for tensor in layer.input)
    return _is_relu(layer) or getattr(layer, "activation", None) is keras.activations.relu


def name_before_relu(layer: keras.Operation) -> str:
    """Return the name of a layer's output before its ReLU, or of the layer if it has no ReLU."""
    return public_name(layer) + SUFFIX if has_relu(layer) else public_name(layer)


def split_relu(model: keras.Model, layers: list[keras.Operation]) -> keras.Model:
    """Split these layers of `model`, or the layers that they concatenate, into a linear layer and a ReLU layer."""
    fused = {fused.name: fused for layer in layers for fused in _fused(layer)}
    return rewrite(model, {name: _split(layer) for name, layer in fused.items()}) if fused else model


def _split(layer: keras.Layer) -> Substitute:
    config = layer.get_config() | {"activation": "linear", "name": layer.name + SUFFIX}
    return Substitute(type(layer).from_config(config), then=keras.layers.ReLU(name=layer.name))


def _joins(layer: keras.Operation) -> bool:
    """Return whether a layer or operator is a concatenation."""
    return type(layer).__name__ == "Concatenate"


def _is_relu(layer: keras.Operation) -> bool:
    return isinstance(layer, keras.layers.ReLU) or type(layer).__name__ == "Relu"  # the latter is keras.ops.relu


def _fused(layer: keras.Operation) -> list[keras.Layer]:
    """Return the layers with a ReLU inside: the layer itself, or the layers that it concatenates."""
    if _joins(layer):
        return [fused for tensor in layer.input for fused in _fused(maker(tensor))]
    return [] if _is_relu(layer) or isinstance(layer, keras.layers.Activation) else [layer]


def before_relu(layer: keras.Operation) -> keras.KerasTensor:
    """Return the input of a layer's ReLU, or of the ReLUs that it concatenates, in a model from `split_relu`."""
    if _joins(layer):
        parts = [before_relu(maker(tensor)) for tensor in layer.input]
        return keras.layers.Concatenate(axis=layer.axis, name=layer.name + SUFFIX)(parts)
    return layer.input
