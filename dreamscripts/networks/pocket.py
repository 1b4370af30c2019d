"""`pocket`: VGG16's topology and layer names at a quarter of its width, with weights that ship in the package.

Trained for this project by feature distillation from SqueezeNet 1.1 (README, "pocket"): a first look, a test, a
quick preview. It is not ImageNet VGG16, and about sixteen times cheaper.
"""

from pathlib import Path

import keras

BLOCKS = ((1, 2, 16), (2, 2, 32), (3, 3, 64), (4, 3, 128), (5, 3, 128))  # number, convolutions, channels
WEIGHTS = Path(__file__).with_name("pocket.weights.h5")


def build() -> keras.Model:
    """The network without its top, for pictures of any size, with weights yet to be loaded."""
    x = inputs = keras.Input((None, None, 3), name="picture")
    for block, convolutions, channels in BLOCKS:
        for i in range(1, convolutions + 1):
            x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"block{block}_conv{i}")(x)
        x = keras.layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x, name="pocket")
