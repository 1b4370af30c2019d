"""What layers compute before their ReLU, under their name with `_pre_relu`, as GoogLeNet's graph calls it.

A channel that a grey picture leaves at zero has no gradient behind its ReLU, and would stay unseen: half of
SqueezeNet's are like that. Before the ReLU there is always a way up (A. Mordvintsev's notebook, 2016, goes that way).
"""

import keras

from dreamscripts.networks.graph import maker, public_name
from dreamscripts.networks.rewrite.clone import Substitute, rewrite

SUFFIX = "_pre_relu"


def has_relu(layer: keras.Operation) -> bool:
    """Whether what the layer gives comes from ReLUs: its own, or those of all that it joins together."""
    if _joins(layer):
        return all(has_relu(maker(tensor)) for tensor in layer.input)
    return _is_relu(layer) or getattr(layer, "activation", None) is keras.activations.relu


def name_before_relu(layer: keras.Operation) -> str:
    """The name of what the layer gives to its ReLU; its own where it has none."""
    return public_name(layer) + SUFFIX if has_relu(layer) else public_name(layer)


def split_relu(model: keras.Model, layers: list[keras.Operation]) -> keras.Model:
    """`model` with the ReLU inside each of these layers, or of what it joins, as a layer of its own."""
    fused = {fused.name: fused for layer in layers for fused in _fused(layer)}
    return rewrite(model, {name: _split(layer) for name, layer in fused.items()}) if fused else model


def _split(layer: keras.Layer) -> Substitute:
    config = layer.get_config() | {"activation": "linear", "name": layer.name + SUFFIX}
    return Substitute(type(layer).from_config(config), then=keras.layers.ReLU(name=layer.name))


def _joins(layer: keras.Operation) -> bool:
    """Whether it is a concatenation, as a layer or as an operator."""
    return type(layer).__name__ == "Concatenate"


def _is_relu(layer: keras.Operation) -> bool:
    return isinstance(layer, keras.layers.ReLU) or type(layer).__name__ == "Relu"  # the latter is keras.ops.relu


def _fused(layer: keras.Operation) -> list[keras.Layer]:
    """The layers with a ReLU inside that stand for it."""
    if _joins(layer):
        return [fused for tensor in layer.input for fused in _fused(maker(tensor))]
    return [] if _is_relu(layer) or isinstance(layer, keras.layers.Activation) else [layer]


def before_relu(layer: keras.Operation):
    """The tensor that a layer of a model from `split_relu` gives to its ReLU, or to those of all that it joins."""
    if _joins(layer):
        parts = [before_relu(maker(tensor)) for tensor in layer.input]
        return keras.layers.Concatenate(axis=layer.axis, name=layer.name + SUFFIX)(parts)
    return layer.input
