"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360), as the published Keras conversion builds it.

It is small (0.72 million weights, 3 MB), and was trained on ImageNet. The patterns of fire6 and fire7 are eyes and fur.
"""

from __future__ import annotations

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.networks.family import Family
from dreamscripts.registry import FAMILIES

ADDRESS = (
    "https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/"
    "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
MD5 = "80b66c92d79d4310e07fb60a297bf0d1"
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def build(name: str = "squeezenet") -> keras.Model:
    """Build the network without its top, for pictures of any size. `fire6` is the joined output of a module."""
    layers = keras.layers
    inputs = keras.Input((None, None, 3), name="picture")
    x = layers.Conv2D(64, 3, strides=2, padding="valid", name="conv1")(inputs)
    x = layers.ReLU(name="relu_conv1")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, (squeeze, expand) in FIRES.items():
        x = _fire(x, f"fire{number}", squeeze, expand)
        if number in (3, 5):
            x = layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(x)
    return keras.Model(inputs, x, name=name)


def _fire(x: keras.KerasTensor, name: str, squeeze: int, expand: int) -> keras.KerasTensor:
    layers = keras.layers
    x = layers.Conv2D(squeeze, 1, name=f"{name}_squeeze1x1")(x)
    x = layers.ReLU(name=f"{name}_relu_squeeze1x1")(x)
    branches = []
    for size in (1, 3):
        branch = layers.Conv2D(expand, size, padding="same", name=f"{name}_expand{size}x{size}")(x)
        branches.append(layers.ReLU(name=f"{name}_relu_expand{size}x{size}")(branch))
    return layers.Concatenate(name=name)(branches)


def trained(name: str = "squeezenet") -> keras.Model:
    """Build the network with the published weights, which are downloaded once."""
    from dreamscripts.networks.weights import fetch, load_file

    model = build(name)
    load_file(model, fetch(name, "squeezenet_notop.h5", ADDRESS, MD5))
    return model


FAMILIES.add(
    Family(
        name="squeezenet",
        networks={"squeezenet": 3},
        preprocessing="caffe",
        build=build,
        trained=trained,
        equivalents={
            **{(1, 1): "relu_conv1", (2, 1): "relu_conv1"},
            **{(4, 1): "fire2", (4, 2): "fire3", (4, 3): "fire3"},
            **{(8, 1): "fire4", (8, 2): "fire5", (8, 3): "fire5"},
            **{(16, 1): "fire6", (16, 2): "fire7", (16, 3): "fire8"},
            **{(16, number): "fire9" for number in range(4, 9)},
        },
    )
)
