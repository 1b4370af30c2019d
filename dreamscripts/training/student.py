"""Make the student: a narrow copy of the teacher, with the same layers, names and connections.

While it is trained from scratch, batch normalisation follows each convolution (Ioffe and Szegedy 2015,
arXiv:1502.03167). It is folded into the convolutions at the end.
"""

import math
from typing import Any

import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks.graph import RewriteError, calls
from dreamscripts.networks.network import Network
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.rewrite.clone import Substitute, rewrite
from dreamscripts.networks.rewrite.fold_batchnorm import folded_weights
from dreamscripts.networks.weights import fill_at_random

LEAST = 4  # channels of a narrow layer, and the number that others are a multiple of
CONVOLUTION = "-convolution"  # ends the name of a convolution that batch normalisation follows
NORMALISATION = "-normalisation"
MOMENTUM = 0.9  # of the statistics: training has thousands of steps, not the hundreds of thousands of Keras's default


def narrowed(channels: int, width: float) -> int:
    """Return `channels` times `width`, rounded to a multiple of LEAST, at least LEAST, at most `channels`."""
    return min(channels, max(LEAST, LEAST * round(channels * width / LEAST)))


def narrow(teacher: Network, width: float, seed: int, *, normalised: bool) -> keras.Model:
    """Copy a network with `width` times the channels in each convolution and dense layer, and new weights.

    Kernels are drawn by He initialisation, with `seed`. Layers before the first convolution, which preprocess the
    picture, keep their weights. `normalised` adds batch normalisation after each convolution, before its activation.
    Raises NetworkError if there is no convolution, or if a layer depends on the number of channels in another way.
    """
    with plain_keras():
        substitutes = _substitutes(teacher, width, normalised)
        if not substitutes:
            raise NetworkError(f"{teacher.name}: has no convolution, so it cannot teach a narrow network")
        try:
            copy = rewrite(teacher.model, substitutes)
        except RewriteError as error:
            raise NetworkError(f"{teacher.name}: a narrow copy cannot be made: {error}") from None
    copy.trainable = True
    for layer in copy.layers:
        layer.trainable = layer.name.removesuffix(CONVOLUTION).removesuffix(NORMALISATION) in substitutes
    fill_at_random(copy, seed)
    return copy


def _substitutes(teacher: Network, width: float, normalised: bool) -> dict[str, Substitute]:
    """Return the narrow layers, from the first convolution on, by the names of those that they replace."""
    found: dict[str, Substitute] = {}
    for call in calls(teacher.model):
        layer = call.operation
        if isinstance(layer, keras.Layer) and layer.weights and (found or _is_convolution(layer)):
            found[layer.name] = _substitute(layer, width, normalised, teacher.channel_axis)
    return found


def _is_convolution(layer: keras.Layer) -> bool:
    return "kernel_size" in layer.get_config()


def _substitute(layer: keras.Layer, width: float, normalised: bool, axis: int) -> Substitute:
    """Return the narrow layer that replaces a layer."""
    config = layer.get_config() | {"trainable": True}
    for key in ("filters", "units"):
        if config.get(key):
            config[key] = narrowed(config[key], width)
    if isinstance(layer, keras.layers.BatchNormalization):
        config["momentum"] = MOMENTUM
    if config.get("groups", 1) > 1:  # of a convolution or a normalisation
        before = narrowed(layer.input.shape[axis], width)
        config["groups"] = math.gcd(config["groups"], before, config.get("filters", before))
    if type(layer) is not keras.layers.Conv2D:
        return Substitute(type(layer).from_config(config), new=True)
    if not normalised:
        return Substitute(type(layer).from_config(config | {"use_bias": True}), new=True)
    linear = {"use_bias": False, "activation": "linear", "name": layer.name + CONVOLUTION}
    normalise = keras.layers.BatchNormalization(axis, momentum=MOMENTUM, name=layer.name + NORMALISATION)
    activate = keras.layers.Activation(config["activation"], name=layer.name)

    def then(x: Any) -> Any:
        return activate(normalise(x))

    return Substitute(type(layer).from_config(config | linear), then=then, new=True)


def without_normalisation(student: keras.Model, teacher: Network, width: float) -> keras.Model:
    """Copy a student that `narrow(teacher, width, …)` made, with batch normalisation folded into its convolutions.

    Its layers then have the names, kinds and activations of the teacher's.
    """
    plain = narrow(teacher, width, 0, normalised=False)
    trained = {layer.name: layer for layer in student.layers}
    for layer in plain.layers:
        if conv := trained.get(layer.name + CONVOLUTION):
            layer.set_weights(folded_weights(conv, trained[layer.name + NORMALISATION]))
        elif layer.weights:
            layer.set_weights(trained[layer.name].get_weights())
    return plain
