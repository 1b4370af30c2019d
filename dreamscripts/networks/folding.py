"""Batch normalisation folded into the convolutions before it: the same numbers, a tenth of the time less.

At inference a normalisation is a factor and an offset per channel, which the convolution's own kernel and bias can
carry. Gradients then have one layer less to come back through.
"""

import keras
import numpy as np

from dreamscripts.networks.anatomy import is_channels_first
from dreamscripts.networks.weights import give_weights


def fold_normalisation(model: keras.Model, keep: set[str]) -> keras.Model:
    """`model` with every normalisation folded that directly follows a convolution; layers in `keep` stay as they are.

    All layers keep their names; in the place of a folded normalisation is an identity.
    """
    pairs = {conv.name: norm for conv, norm in _pairs(model) if conv.name not in keep}
    if not pairs:
        return model
    folded = {norm.name for norm in pairs.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        if layer.name in folded:
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config() | ({"use_bias": True} if layer.name in pairs else {})
        return type(layer).from_config(config)

    def call(layer: keras.Layer, *arguments, **options):
        return layer(*arguments) if layer.name in folded else layer(*arguments, **options)  # an identity has no mask

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:
        if layer.name in pairs:
            give_weights(copy.get_layer(layer.name), _folded(layer, pairs[layer.name]))
        elif layer.weights and layer.name not in folded:
            give_weights(copy.get_layer(layer.name), layer.get_weights())
    return copy


def _pairs(model: keras.Model):
    """Each plain convolution with the normalisation that alone reads it, where both are called only once."""
    readers: dict[int, list[keras.Layer]] = {}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(layer.input):
                readers.setdefault(id(tensor), []).append(layer)
    axes = (1,) if is_channels_first(model) else (-1, 3)
    for layer in model.layers:
        if type(layer) is keras.layers.Conv2D and layer.activation is keras.activations.linear:
            after = readers.get(id(layer.output), [])
            alone = len(after) == 1 and type(after[0]) is keras.layers.BatchNormalization and after[0].axis in axes
            if alone and len(layer._inbound_nodes) == len(after[0]._inbound_nodes) == 1:
                yield layer, after[0]


def _folded(conv: keras.layers.Conv2D, norm: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias of both together."""
    kernel, *bias = conv.get_weights()
    *scale_and_centre, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
    factor = (scale_and_centre.pop(0) if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    centre = scale_and_centre.pop(0) if norm.center else 0.0
    offset = centre + ((bias[0] if bias else 0.0) - mean) * factor
    return [kernel * factor, offset]
