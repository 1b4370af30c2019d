"""The networks of keras.applications, with names that are easy to type."""

from __future__ import annotations

import warnings
from functools import partial

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.errors import NetworkError
from dreamscripts.networks.family import Family, unreachable_weights
from dreamscripts.registry import FAMILIES

VGG = {  # Family in networks/family.py describes places
    **{(1, 1): "block1_conv2", (2, 1): "block2_conv2"},
    **{(4, 1): "block3_conv1", (4, 2): "block3_conv2", (4, 3): "block3_conv3"},
    **{(8, 1): "block4_conv1", (8, 2): "block4_conv2", (8, 3): "block4_conv3"},
    **{(16, 1): "block5_conv1", (16, 2): "block5_conv2", (16, 3): "block5_conv2"},
    **{(16, number): "block5_conv3" for number in range(4, 9)},
}
_INCEPTION = {
    **{(8, 1): "mixed0", (8, 2): "mixed1", (8, 3): "mixed2"},
    **{(16, number): f"mixed{number + 2}" for number in range(1, 9)},
}
_EQUIVALENTS = {"vgg": VGG, "inception": _INCEPTION}

# Family: preprocessing, and for each network Keras's name and the MB of its weights without the top. "none" is for
# networks whose first layers preprocess the picture.
_NETWORKS = {
    "vgg": ("caffe", {"vgg16": ("VGG16", 59), "vgg19": ("VGG19", 80)}),
    "resnet": (
        "caffe",
        {"resnet50": ("ResNet50", 95), "resnet101": ("ResNet101", 171), "resnet152": ("ResNet152", 235)},
    ),
    "inception": ("tf", {"inception_v3": ("InceptionV3", 88)}),
    "inception_resnet": ("tf", {"inception_resnet_v2": ("InceptionResNetV2", 219)}),
    "xception": ("tf", {"xception": ("Xception", 84)}),
    "mobilenet": ("tf", {"mobilenet": ("MobileNet", 13), "mobilenet_v2": ("MobileNetV2", 9)}),
    "nasnet": ("tf", {"nasnet_mobile": ("NASNetMobile", 20), "nasnet_large": ("NASNetLarge", 344)}),
    "resnet_v2": (
        "tf",
        {
            "resnet50_v2": ("ResNet50V2", 95),
            "resnet101_v2": ("ResNet101V2", 171),
            "resnet152_v2": ("ResNet152V2", 235),
        },
    ),
    "densenet": (
        "torch",
        {
            "densenet121": ("DenseNet121", 29),
            "densenet169": ("DenseNet169", 52),
            "densenet201": ("DenseNet201", 75),
        },
    ),
    "mobilenet_v3": (
        "none",
        {"mobilenet_v3_small": ("MobileNetV3Small", 4), "mobilenet_v3_large": ("MobileNetV3Large", 13)},
    ),
    "efficientnet": (
        "none",
        {
            f"efficientnet_b{i}": (f"EfficientNetB{i}", size)
            for i, size in enumerate((17, 27, 32, 44, 72, 115, 165, 258))
        },
    ),
    "efficientnet_v2": (
        "none",
        {
            f"efficientnet_v2_{kind.lower()}": (f"EfficientNetV2{kind}", size)
            for kind, size in {"B0": 24, "B1": 28, "B2": 36, "B3": 53, "S": 82, "M": 214, "L": 473}.items()
        },
    ),
    "convnext": (
        "none",
        {
            f"convnext_{kind.lower()}": (f"ConvNeXt{kind}", size)
            for kind, size in {"Tiny": 112, "Small": 199, "Base": 351, "Large": 786, "XLarge": 1393}.items()
        },
    ),
}
CLASSES = {name: cls for _, networks in _NETWORKS.values() for name, (cls, _) in networks.items()}


def build(name: str, imagenet: bool = False) -> keras.Model:
    """Build a flat network without its top (networks/graph.py). With `imagenet`, Keras downloads its weights once."""
    from dreamscripts.networks.graph import is_flat
    from dreamscripts.networks.rewrite.clone import rewrite

    with warnings.catch_warnings():
        # Several networks warn that their weights are for pictures of 224×224. They work for other sizes, too.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined")
        try:
            model = getattr(keras.applications, CLASSES[name])(
                include_top=False, weights="imagenet" if imagenet else None, input_shape=(None, None, 3)
            )
        except Exception as error:
            # Keras raises `Exception` if a download fails. Every other error is a bug, so its traceback is shown.
            if not imagenet or "URL fetch failure" not in str(error):
                raise
            raise NetworkError(unreachable_weights(name)) from None
    return model if is_flat(model) else rewrite(model)


for family, (preprocessing, networks) in _NETWORKS.items():
    FAMILIES.add(
        Family(
            name=family,
            networks={name: size for name, (_, size) in networks.items()},
            preprocessing=preprocessing,
            build=build,
            trained=partial(build, imagenet=True),
            equivalents=_EQUIVALENTS.get(family, {}),
        )
    )
