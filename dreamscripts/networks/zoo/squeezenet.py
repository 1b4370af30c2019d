"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360), as the published Keras conversion has it.

Small (0.72 M weights, 3 MB), trained on ImageNet, and a good dreamer: fire6 and fire7 give eyes and fur.
"""

from pathlib import Path

import keras
from keras import layers

from dreamscripts.networks.weights import fetch

ADDRESS = (
    "https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/"
    "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
MD5 = "80b66c92d79d4310e07fb60a297bf0d1"
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def build() -> keras.Model:
    """The network without its top, for pictures of any size; layer `fire6` is the module's concatenated output."""
    inputs = keras.Input((None, None, 3), name="picture")
    x = layers.Conv2D(64, 3, strides=2, padding="valid", name="conv1")(inputs)
    x = layers.ReLU(name="relu_conv1")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, (squeeze, expand) in FIRES.items():
        x = _fire(x, f"fire{number}", squeeze, expand)
        if number in (3, 5):
            x = layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(x)
    return keras.Model(inputs, x, name="squeezenet")


def _fire(x, name: str, squeeze: int, expand: int):
    x = layers.Conv2D(squeeze, 1, name=f"{name}_squeeze1x1")(x)
    x = layers.ReLU(name=f"{name}_relu_squeeze1x1")(x)
    branches = []
    for size in (1, 3):
        branch = layers.Conv2D(expand, size, padding="same", name=f"{name}_expand{size}x{size}")(x)
        branches.append(layers.ReLU(name=f"{name}_relu_expand{size}x{size}")(branch))
    return layers.Concatenate(name=name)(branches)


def download() -> Path:
    """The published weights, fetched once."""
    return fetch("squeezenet", "squeezenet_notop.h5", ADDRESS, MD5)
