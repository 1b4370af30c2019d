"""`pocket` and `pocket_large`: VGG16's topology and layer names, narrower, with weights that ship in the package.

Both were distilled from VGG16 with its ImageNet weights (Simonyan and Zisserman 2014, arXiv:1409.1556; CC BY 4.0).
They learned its features, and the direction in which its excitement grows from the pixels, on photographs and on
pictures that were being dreamt. So they dream as it does, and every layer is as loud as its own: a settings file for
VGG16 serves them unchanged.
"""

from pathlib import Path

import keras

BLOCKS = ((1, 2, 1), (2, 2, 2), (3, 3, 4), (4, 3, 8), (5, 3, 8))  # number, convolutions, channels over the first one's
CHANNELS = {"pocket": 16, "pocket_large": 32}  # of the first block, where VGG16 has 64


def build(name: str) -> keras.Model:
    """The network called `name` without its top, for pictures of any size, with weights yet to be loaded."""
    x = inputs = keras.Input((None, None, 3), name="picture")
    for block, convolutions, times in BLOCKS:
        for i in range(1, convolutions + 1):
            x = keras.layers.Conv2D(
                CHANNELS[name] * times, 3, padding="same", activation="relu", name=f"block{block}_conv{i}"
            )(x)
        x = keras.layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x, name=name)


def weights(name: str) -> Path:
    """The file of its weights: float16, `<layer>/kernel` (3, 3, in, out) and `<layer>/bias` (out,)."""
    return Path(__file__).with_name(f"{name}.npz")
