"""load_network(name, weights) -> Network: a Keras model cut at the layers asked for, and the way in and out of it."""

import math
import zipfile
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import keras
from keras import ops

from dreamscripts.errors import NetworkError, PictureError, did_you_mean
from dreamscripts.networks import applications, googlenet, pocket, squeezenet
from dreamscripts.networks.anatomy import EDGE, describe_layers, feature_shapes, is_channels_first, least_side
from dreamscripts.networks.folding import fold_normalisation
from dreamscripts.networks.pre_relu import SUFFIX, before_relu, has_relu, split_relu
from dreamscripts.networks.weights import fill_at_random, give_weights, load_file, load_keras_file
from dreamscripts.networks.winograd import WinogradConv2D
from dreamscripts.preprocessing import PREPROCESSINGS, Preprocessing

NAMES = (*pocket.CHANNELS, "squeezenet", "googlenet", *applications.CLASSES)
_PREPROCESSING = {
    **dict.fromkeys(pocket.CHANNELS, "caffe"),
    "squeezenet": "caffe",
    "googlenet": "googlenet",
    **applications.PREPROCESSING,
}


@dataclass(frozen=True)
class Network:
    """A network that ends at its deepest layer in use.

    `model` takes pictures (N, H, W, 3), or (N, 3, H, W) where it was saved so, and gives a dict of features by
    layer name; `preprocessing` is its door. `edge` is what the loss leaves out on every side of the features, where
    a picture must have something left within.
    """

    name: str
    model: keras.Model
    preprocessing: Preprocessing
    edge: int = EDGE

    @property
    def channel_axis(self) -> int:
        """Where the channels are in the model's own tensors: 1 or -1."""
        return 1 if is_channels_first(self.model) else -1

    def features(self, x):
        """{layer: features (N, h, w, c)} of preprocessed pictures (N, H, W, 3), float32 tensors of the backend."""
        first = is_channels_first(self.model)
        features = self.model(ops.transpose(x, (0, 3, 1, 2)) if first else x, training=False)
        if first:
            features = {name: ops.transpose(f, (0, 2, 3, 1)) for name, f in features.items()}
        return {name: ops.cast(f, "float32") for name, f in features.items()}

    def fits(self, height: int, width: int) -> bool:
        """Whether a picture of that size is large enough for the layers in use."""
        return feature_shapes(self.model, height, width, self.edge) is not None

    @cached_property
    def least_side(self) -> int:
        """The side of the smallest square picture that is."""
        return least_side(self.model, self.edge)

    def check_size(self, height: int, width: int) -> None:
        """Raise PictureError where a picture is too small for the layers in use."""
        if not self.fits(height, width):
            raise PictureError(
                f"a picture of {width}×{height} is too small for {self.name} at {', '.join(self.model.output)}: "
                f"both sides must be at least {self.least_side} pixels; give a larger --size"
            )

    def at(self, layer: str) -> "Network":
        """The same network with only one of its layers, and no deeper."""
        return replace(self, model=keras.Model(self.model.inputs[0], {layer: self.model.output[layer]}))

    def multiplications(self, height: int, width: int) -> int:
        """Multiply-adds of the convolutions in one forward pass over a picture of that size, to a few per cent.

        Counted as their definition has them, however they are computed.
        """
        strides = {facts.name: facts.stride for facts in describe_layers(self.model)}
        return sum(
            height * width // strides[layer.name] ** 2 * math.prod(shape)
            for layer in self.model.layers
            if layer.name in strides
            for shape in _kernels(layer)
        )


def _kernels(layer: keras.Layer) -> list[tuple[int, ...]]:
    """The shapes of a layer's kernels."""
    if isinstance(layer, WinogradConv2D):
        return [(*layer.kernel_size, *layer.transformed.shape[1:])]
    return [weight.shape for weight in layer.weights if len(weight.shape) == 4]


def load_network(
    name: str,
    weights: str | None = None,
    layers: Iterable[str] = (),
    *,
    preprocessing: str | None = None,
    seed: int = 0,
) -> Network:
    """Build a network, give it its weights, and cut it at `layers`.

    `name` is one of NAMES or the path of a `.keras` file, for which `preprocessing` ("caffe", "tf", "torch" or
    "none") says how pictures enter. `weights` is "imagenet", a path, "random" (seeded), or None for the network's
    own. Raises NetworkError, which says what there is instead.
    """
    _check_name(name)
    own_file = name.endswith(".keras")
    if own_file and preprocessing is None:
        raise NetworkError(
            f'{name}: say how it wants its pictures: preprocessing = "caffe", "tf", "torch" or "none" '
            "in the settings, or --set preprocessing=tf"
        )
    if not own_file and preprocessing is not None:
        raise NetworkError(f"{name} has its own preprocessing; leave 'preprocessing' out of the settings")
    if weights == "imagenet" and (own_file or name in pocket.CHANNELS):
        raise NetworkError(f"{name} has no ImageNet weights; leave 'weights' out and it comes with its own")

    if name == "googlenet":
        model = build(name, weights)
    elif weights is None or weights == "imagenet":
        model = _with_own_weights(name)
    else:
        model = build(name)
        if weights == "random":
            fill_at_random(model, seed)
        else:
            load_file(model, weights)
    if not own_file:
        preprocessing = _PREPROCESSING[name]
    model = cut(model, layers, name)
    with _plain_keras():
        # By layer, as `x_pre_relu` is another layer's output.
        model = fold_normalisation(model, keep={x._keras_history.operation.name for x in model.output.values()})
    model.trainable = False
    return Network(name, model, PREPROCESSINGS[preprocessing])


def build(name: str, weights: str | None = None) -> keras.Model:
    """The whole network called `name` without its top, its weights as Keras makes them; a `.keras` file as it is.

    Only `googlenet` is built from its `weights`: the file of its graph, or None or "imagenet" for Google's own.
    """
    _check_name(name)
    with _plain_keras():
        if name.endswith(".keras"):
            return _load_own(Path(name))
        if name in pocket.CHANNELS:
            return pocket.build(name)
        if name == "squeezenet":
            return squeezenet.build()
        if name == "googlenet":
            return googlenet.build(weights)
        return applications.build(name)


def _check_name(name: str) -> None:
    if name.endswith(".keras"):
        if not Path(name).is_file():
            raise NetworkError(f"{name}: there is no such model file")
        if not zipfile.is_zipfile(name):
            raise NetworkError(f"{name}: is not a model that Keras saved as .keras, or a damaged one")
    elif Path(name).is_file():
        raise NetworkError(f"{name}: a network of one's own is a .keras file; weights go with --weights")
    elif name not in NAMES:
        raise NetworkError(
            f"there is no network called '{name}'{did_you_mean(name, NAMES)}; "
            f"there are {', '.join(NAMES[:6])}, … and any .keras file"
        )


def _with_own_weights(name: str) -> keras.Model:
    if name in applications.CLASSES:
        with _plain_keras():
            return applications.build(name, imagenet=True)
    model = build(name)
    if name in pocket.CHANNELS:
        load_file(model, pocket.weights(name))
    elif name == "squeezenet":
        load_file(model, squeezenet.download())
    return model


def cut(model: keras.Model, layers: Iterable[str], name: str) -> keras.Model:
    """The part of `model`, called `name`, up to the deepest of `layers`, for pictures of any size.

    Its output is a dict of the layers' outputs by name; `x_pre_relu` is what the layer `x` gives to its ReLU.
    """
    layers = list(layers)
    known = [facts.name for facts in describe_layers(model)]
    split = {}  # the layers whose ReLU is in the way, by the name asked for
    for layer in layers:
        whole = layer.removesuffix(SUFFIX)
        if layer not in known and whole in known and has_relu(model.get_layer(whole)):
            split[layer] = whole
        elif layer not in known:
            raise NetworkError(
                f"{name} has no layer '{layer}'{did_you_mean(layer, known)}; "
                f"`dreamscripts layers {name}` lists those that [features] can name"
            )
    with _plain_keras():
        model = split_relu(model, [model.get_layer(whole) for whole in split.values()])
        outputs = {
            layer: before_relu(model.get_layer(split[layer])) if layer in split else model.get_layer(layer).output
            for layer in layers
        }
    part = keras.Model(model.inputs[0], outputs)
    return part if None in model.inputs[0].shape[1:] else _for_any_size(part, name)


def _for_any_size(part: keras.Model, name: str) -> keras.Model:
    """The same layers and weights on an input whose height and width are open."""
    with _plain_keras():
        shape = (3, None, None) if is_channels_first(part) else (None, None, 3)
        try:
            copy = keras.models.clone_model(part, input_tensors=keras.Input(shape, name="picture"))
            for layer in part.layers:
                if layer.weights:
                    give_weights(copy.get_layer(layer.name), layer.get_weights())
        except (ValueError, TypeError) as error:
            size = "×".join(str(side) for side in part.inputs[0].shape[1:])
            raise NetworkError(
                f"{name} takes pictures of {size} only, and the layers in use cannot do without that: "
                f"{str(error).strip().splitlines()[0]}"
            ) from None
    return copy


def _load_own(path: Path) -> keras.Model:
    model = load_keras_file(path)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or 3 not in model.inputs[0].shape[1:]:
        raise NetworkError(f"{path}: takes something else than one RGB picture")
    return _as_functional(model) if isinstance(model, keras.Sequential) else model


def _as_functional(model: keras.Sequential) -> keras.Model:
    """The same layers, called once: those of a loaded Sequential do not know where their input comes from."""
    x = inputs = keras.Input(model.inputs[0].shape[1:], name="picture")
    for layer in model.layers:
        copy = type(layer).from_config(layer.get_config())
        x = copy(x)
        give_weights(copy, layer.get_weights())
    return keras.Model(inputs, x, name=model.name)


@contextmanager
def _plain_keras():
    """Build channels-last in float32, whatever the user's Keras configuration says: pictures here are (H, W, 3)."""
    saved = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(saved[0])
        keras.config.set_floatx(saved[1])
        keras.config.set_dtype_policy(saved[2])
