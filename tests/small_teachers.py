"""Small teachers for the tests of distillation, and photographs to teach with."""

from pathlib import Path

import keras
import numpy as np
from PIL import Image

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.networks.cut import cut
from dreamscripts.networks.network import Network
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.weights import fill_at_random

LAYERS = keras.layers


@plain_keras()
def chain(activation: str = "relu", pooling: type[keras.Layer] = LAYERS.MaxPooling2D) -> keras.Model:
    """Return three convolutions in a row, at strides 1, 2 and 4, with random weights."""
    x = inputs = keras.Input((None, None, 3), name="picture")
    for number, channels in enumerate((8, 12, 16), 1):
        x = LAYERS.Conv2D(channels, 3, padding="same", activation=activation, name=f"conv{number}")(x)
        x = pooling(2, name=f"pool{number}")(x) if number < 3 else x
    return filled(keras.Model(inputs, x, name="chain"))


@plain_keras()
def branched() -> keras.Model:
    """Return a network that preprocesses its pictures, joins branches, adds a shortcut, and normalises."""
    inputs = keras.Input((None, None, 3), name="picture")
    x = LAYERS.Rescaling(1 / 127.5, offset=-1, name="rescaled")(inputs)
    x = LAYERS.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    left = LAYERS.Conv2D(8, 1, activation="relu", name="left")(x)
    right = LAYERS.Conv2D(24, 3, padding="same", activation="relu", name="right")(x)
    x = LAYERS.Concatenate(name="joined")([left, right])
    shortcut = LAYERS.Conv2D(16, 1, name="shortcut")(x)
    x = LAYERS.Conv2D(16, 3, padding="same", use_bias=False, name="inner")(x)
    x = LAYERS.BatchNormalization(name="inner_norm")(x)
    x = LAYERS.ReLU(name="inner_relu")(x)
    x = LAYERS.Conv2D(16, 3, padding="same", name="last_conv")(x)
    x = LAYERS.ReLU(name="block")(LAYERS.Add(name="sum")([x, shortcut]))
    x = LAYERS.MaxPooling2D(2, name="pool")(x)
    x = LAYERS.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = LAYERS.Conv2D(32, 1, activation="relu", name="top")(x)
    return filled(keras.Model(inputs, x, name="branched"))


def filled(model: keras.Model) -> keras.Model:
    """Draw every weight of a model: kernels by He initialisation, and small biases, means and variances."""
    fill_at_random(model, 0)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        weights = [
            weight
            if weight.ndim > 1
            else rng.uniform(0.5, 2, weight.shape)
            if "variance" in variable.path or "gamma" in variable.path
            else rng.normal(0, 0.1, weight.shape)
            for variable, weight in zip(layer.weights, layer.get_weights(), strict=True)
        ]
        if weights:
            layer.set_weights(weights)
    return model


def as_network(model: keras.Model, *layers: str, preprocessing: str = "caffe") -> Network:
    """Return a model as a network that ends at these layers."""
    model.trainable = False
    return Network(model.name, cut(model, layers, model.name), PREPROCESSINGS[preprocessing])


def save_photographs(folder: Path, count: int, height: int = 72, width: int = 96) -> Path:
    """Write smooth random photographs into a folder, photo000.png and so on, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
        small.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"photo{number:03}.png")
    return folder
