"""A network that computes in bfloat16, for the matrix units of GPUs."""

import keras

from dreamscripts.networks.weights import give_weights


def in_bfloat16(model: keras.Model) -> keras.Model:
    """`model` with its layers computing in bfloat16 from weights in float32; it still takes pictures in float32."""

    def clone(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if layer.weights:
            give_weights(copy.get_layer(layer.name), layer.get_weights())
    return copy
