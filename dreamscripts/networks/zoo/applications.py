"""The networks of keras.applications, by the names a person types."""

import warnings

import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks.rewrite.clone import is_flat, rewrite
from dreamscripts.networks.weights import unreachable_weights

# Grouped by preprocessing; "none" is for those whose first layers do it themselves.
_CLASSES = {
    "caffe": {
        "vgg16": "VGG16",
        "vgg19": "VGG19",
        "resnet50": "ResNet50",
        "resnet101": "ResNet101",
        "resnet152": "ResNet152",
    },
    "tf": {
        "inception_v3": "InceptionV3",
        "inception_resnet_v2": "InceptionResNetV2",
        "xception": "Xception",
        "mobilenet": "MobileNet",
        "mobilenet_v2": "MobileNetV2",
        "nasnet_mobile": "NASNetMobile",
        "nasnet_large": "NASNetLarge",
        "resnet50_v2": "ResNet50V2",
        "resnet101_v2": "ResNet101V2",
        "resnet152_v2": "ResNet152V2",
    },
    "torch": {
        "densenet121": "DenseNet121",
        "densenet169": "DenseNet169",
        "densenet201": "DenseNet201",
    },
    "none": {
        "mobilenet_v3_small": "MobileNetV3Small",
        "mobilenet_v3_large": "MobileNetV3Large",
        **{f"efficientnet_b{i}": f"EfficientNetB{i}" for i in range(8)},
        **{
            f"efficientnet_v2_{size}": f"EfficientNetV2{size.upper()}"
            for size in ["b0", "b1", "b2", "b3", "s", "m", "l"]
        },
        **{f"convnext_{size.lower()}": f"ConvNeXt{size}" for size in ["Tiny", "Small", "Base", "Large", "XLarge"]},
    },
}
PREPROCESSING = {name: mode for mode, classes in _CLASSES.items() for name in classes}
CLASSES = {name: cls for classes in _CLASSES.values() for name, cls in classes.items()}


def build(name: str, imagenet: bool = False) -> keras.Model:
    """The network without its top, flat (`rewrite`); with `imagenet`, Keras downloads the weights once."""
    with warnings.catch_warnings():
        # Several warn that weights for 224×224 pictures are used for pictures of any size: that is the idea.
        warnings.filterwarnings("ignore", message="`input_shape` is undefined")
        try:
            model = getattr(keras.applications, CLASSES[name])(
                include_top=False, weights="imagenet" if imagenet else None, input_shape=(None, None, 3)
            )
        except Exception as error:
            # Keras says so with a bare Exception; whatever else goes wrong here is a bug and keeps its traceback.
            if not imagenet or "URL fetch failure" not in str(error):
                raise
            raise NetworkError(unreachable_weights(name)) from None
    return model if is_flat(model) else rewrite(model)
