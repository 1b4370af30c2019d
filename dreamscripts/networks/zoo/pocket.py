"""`pocket` and `pocket_large`: VGG16's topology and layer names, with fewer channels and weights in this package.

Both were distilled from VGG16 with its ImageNet weights (Simonyan and Zisserman 2014, arXiv:1409.1556; CC BY 4.0).
They were trained to reproduce its features, and the gradient of its activations with respect to the pixels, on
photographs and on unfinished dreams. The activations of each layer are as large as VGG16's, so a settings file for
VGG16 needs no change.
"""

from __future__ import annotations

from pathlib import Path

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.networks.family import Family
from dreamscripts.networks.zoo.applications import VGG
from dreamscripts.registry import FAMILIES

BLOCKS = (
    (1, 2, 1),
    (2, 2, 2),
    (3, 3, 4),
    (4, 3, 8),
    (5, 3, 8),
)  # number of the block, its convolutions, and its channels divided by those of the first block
CHANNELS = {"pocket": 16, "pocket_large": 32}  # of the first block, which has 64 in VGG16


def build(name: str) -> keras.Model:
    """Build the network called `name` without its top, for pictures of any size."""
    x = inputs = keras.Input((None, None, 3), name="picture")
    for block, convolutions, times in BLOCKS:
        for i in range(1, convolutions + 1):
            x = keras.layers.Conv2D(
                CHANNELS[name] * times, 3, padding="same", activation="relu", name=f"block{block}_conv{i}"
            )(x)
        x = keras.layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x, name=name)


def weights(name: str) -> Path:
    """Return the file of the network's weights: float16, `<layer>/kernel` (3, 3, in, out) and `<layer>/bias` (out,)."""
    return Path(__file__).with_name(f"{name}.npz")


def trained(name: str) -> keras.Model:
    """Build the network with its trained weights."""
    from dreamscripts.networks.weights import load_file

    model = build(name)
    load_file(model, weights(name))
    return model


FAMILIES.add(
    Family(
        name="pocket",
        networks=dict.fromkeys(CHANNELS, 0),
        preprocessing="caffe",
        build=build,
        trained=trained,
        imagenet=False,
        equivalents=VGG,
    )
)
