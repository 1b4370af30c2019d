"""What layers compute before their ReLU, under their name with `_pre_relu`, as GoogLeNet's graph calls it.

A channel that a grey picture leaves at zero has no gradient behind its ReLU, and would stay unseen: half of
SqueezeNet's are like that. Before the ReLU there is always a way up (A. Mordvintsev's notebook, 2016, goes that way).
"""

import keras

from dreamscripts.networks.weights import give_weights

SUFFIX = "_pre_relu"


def has_relu(layer: keras.Layer) -> bool:
    """Whether what the layer gives comes from ReLUs: its own, or those of all that it joins together."""
    if isinstance(layer, keras.layers.Concatenate):
        return all(has_relu(tensor._keras_history.operation) for tensor in layer.input)
    return isinstance(layer, keras.layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu


def name_before_relu(layer: keras.Layer) -> str:
    """The name of what the layer gives to its ReLU; its own where it has none."""
    return layer.name + SUFFIX if has_relu(layer) else layer.name


def split_relu(model: keras.Model, layers: list[keras.Layer]) -> keras.Model:
    """`model` with the ReLU inside each of these layers, or of what it joins, as a layer of its own."""
    fused = {name for layer in layers for name in _fused(layer)}
    if not fused:
        return model

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in fused:
            config |= {"activation": "linear", "name": layer.name + SUFFIX}
        return type(layer).from_config(config)

    def call(layer: keras.Layer, *arguments, **options):
        output = layer(*arguments, **options)
        name = layer.name.removesuffix(SUFFIX)
        return keras.layers.ReLU(name=name)(output) if name in fused else output

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:
        if layer.weights:
            give_weights(
                copy.get_layer(layer.name + SUFFIX if layer.name in fused else layer.name), layer.get_weights()
            )
    return copy


def _fused(layer: keras.Layer) -> list[str]:
    if isinstance(layer, keras.layers.Concatenate):
        return [name for tensor in layer.input for name in _fused(tensor._keras_history.operation)]
    return [] if isinstance(layer, (keras.layers.ReLU, keras.layers.Activation)) else [layer.name]


def before_relu(layer: keras.Layer):
    """The tensor that a layer of a model from `split_relu` gives to its ReLU, or to those of all that it joins."""
    if isinstance(layer, keras.layers.Concatenate):
        parts = [before_relu(tensor._keras_history.operation) for tensor in layer.input]
        return keras.layers.Concatenate(axis=layer.axis, name=layer.name + SUFFIX)(parts)
    return layer.input
