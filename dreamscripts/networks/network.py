"""load_network(name, weights) -> Network: a Keras model cut at the layers asked for, and the way in and out of it."""

import logging
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import keras
from keras import ops

from dreamscripts.errors import NetworkError, PictureError, did_you_mean
from dreamscripts.images.preprocessing import PREPROCESSINGS, Preprocessing
from dreamscripts.networks.keras2 import is_by_keras2
from dreamscripts.networks.layers import (
    EDGE,
    describe_layers,
    feature_shapes,
    find_layer,
    fixed_size,
    grid,
    is_channels_first,
    least_side,
)
from dreamscripts.networks.model_files import FILES, WHOLE_MODELS, load_whole
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.preprocessing_inside import preprocessing_inside
from dreamscripts.networks.rewrite.clone import RewriteError, maker, public_name, rewrite, shapes_at
from dreamscripts.networks.rewrite.fold_batchnorm import fold_normalisation
from dreamscripts.networks.rewrite.pre_relu import SUFFIX, before_relu, has_relu, split_relu
from dreamscripts.networks.rewrite.winograd import WinogradConv2D
from dreamscripts.networks.weights import fill_at_random, load_file
from dreamscripts.networks.zoo import applications, googlenet, pocket, squeezenet

log = logging.getLogger(__name__)

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
        extended = self._extended(x)
        features = self.model(ops.transpose(extended, (0, 3, 1, 2)) if first else extended, training=False)
        if first:
            features = {name: ops.transpose(f, (0, 2, 3, 1)) for name, f in features.items()}
        if extended is not x:
            features = {name: _within(f, x, extended) for name, f in features.items()}
        return {name: ops.cast(f, "float32") for name, f in features.items()}

    @cached_property
    def grid(self) -> tuple[int, int]:
        """(m, r): the sides of pictures for the model leave the rest r when divided by m. `features` extends others."""
        return grid(self.model)

    def _extended(self, x):
        """Pictures with their last row and column repeated, until their sides suit the grid."""
        multiple, rest = self.grid
        if multiple > 1:
            for axis in (1, 2):
                side = ops.shape(x)[axis]
                longer = side + (rest - side) % multiple
                x = ops.take(x, ops.minimum(ops.arange(longer, dtype="int32"), side - 1), axis=axis)
        return x

    def extended_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of what the model is given for a picture of that size: `features` leaves out what is beyond it."""
        multiple, rest = self.grid
        return height + (rest - height) % multiple, width + (rest - width) % multiple

    def fits(self, height: int, width: int) -> bool:
        """Whether a picture of that size is large enough for the layers in use, and not of another size than theirs."""
        return feature_shapes(self.model, *self.extended_size(height, width), self.edge) is not None

    @cached_property
    def only_size(self) -> tuple[int, int] | None:
        """The height and width of the pictures that the network takes; None if it takes pictures of any size."""
        return fixed_size(self.model)

    @cached_property
    def least_side(self) -> int | None:
        """The side of the smallest square picture that is; None if none is."""
        return least_side(self.model, self.edge)

    def check_size(self, height: int, width: int) -> None:
        """Raise PictureError where a picture is too small for the layers in use, or of another size than theirs."""
        layers = ", ".join(self.model.output)
        if self.fits(height, width):
            if self.extended_size(height, width) != (height, width):
                taller, wider = self.extended_size(height, width)
                log.warning(
                    "%s joins maps at %s that fit together at multiples of %d pixels: under it %d×%d is extended to "
                    "%d×%d, and what is beyond the picture does not count",
                    *(self.name, layers, self.grid[0], width, height, wider, taller),
                )
            return
        if only := self.only_size:
            rows, columns = only
            shape = "a square photograph" if rows == columns else f"a photograph cropped to {columns}:{rows}"
            raise PictureError(
                f"{self.name} at {layers} takes pictures of {columns}×{rows} only, not of {width}×{height}, because "
                f"{_why_fixed(self.model)}: give {shape} and --size {max(only)}"
            )
        if self.least_side is None:
            raise PictureError(
                f"{self.name} at {layers}: measure l2 leaves out {self.edge} positions at every edge, and of a layer "
                'with one value for the whole picture nothing is left: use measure = "mean"'
            )
        raise PictureError(
            f"a picture of {width}×{height} is too small for {self.name} at {layers}: "
            f"both sides must be at least {self.least_side} pixels; give a larger --size"
        )

    def at(self, layer: str) -> "Network":
        """The same network with only one of its layers, and no deeper."""
        return replace(self, model=keras.Model(self.model.inputs[0], {layer: self.model.output[layer]}))

    def multiplications(self, height: int, width: int) -> int:
        """Multiply-adds of the convolutions in one forward pass over a picture of that size, to a few per cent.

        Counted as their definition has them, however they are computed.
        """
        return sum(
            int(height * width / facts.stride**2 * math.prod(shape))
            for facts in describe_layers(self.model)
            for shape in _kernels(facts.operation)
        )


def _within(f, x, extended):
    """The features (N, h, w, c) of an extended picture that lie in the picture x itself."""
    kept = [(ops.shape(f)[i] * ops.shape(x)[i] + ops.shape(extended)[i] - 1) // ops.shape(extended)[i] for i in (1, 2)]
    return ops.slice(f, (0, 0, 0, 0), (ops.shape(f)[0], *kept, ops.shape(f)[3]))


def _kernels(layer: keras.Operation) -> list[tuple[int, ...]]:
    """The shapes of a layer's kernels."""
    if isinstance(layer, WinogradConv2D):
        return [(*layer.kernel_size, *layer.transformed.shape[1:])]
    return [weight.shape for weight in getattr(layer, "weights", []) if len(weight.shape) == 4]


def load_network(
    name: str,
    weights: str | None = None,
    layers: Iterable[str] = (),
    *,
    preprocessing: str | None = None,
    seed: int = 0,
) -> Network:
    """Build a network, give it its weights, and cut it at `layers`.

    `name` is one of NAMES or the path of a model's file, `.keras` or `.h5`, for which `preprocessing` ("caffe", "tf",
    "torch", "unit" or "none") says how pictures enter; a model that preprocesses its pictures itself needs none.
    `weights` is "imagenet", a path, "random" (seeded), or None for the network's own. Raises NetworkError, which says
    what there is instead.
    """
    _check_name(name)
    own_file = _is_own(name)
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
    preprocessing = (preprocessing or _known_preprocessing(name, model)) if own_file else _PREPROCESSING[name]
    model = cut(model, layers, name)
    with plain_keras():
        # By layer, as `x_pre_relu` is another layer's output.
        model = fold_normalisation(model, keep={maker(x).name for x in model.output.values()})
    model.trainable = False
    return Network(name, model, PREPROCESSINGS[preprocessing])


def _known_preprocessing(name: str, model: keras.Model) -> str:
    """How a model of one's own takes pictures, if its first layers tell."""
    found = preprocessing_inside(model)
    if found is None:
        raise NetworkError(
            f'{name}: say how it takes its pictures: preprocessing = "caffe", "tf", "torch", "unit" (0 to 1) or '
            '"none" (0 to 255) in the settings, or --set preprocessing=tf'
        )
    log.warning('%s preprocesses its pictures itself: preprocessing = "%s"', name, found)
    return found


def build(name: str, weights: str | None = None) -> keras.Model:
    """The whole network called `name` without its top, its weights as Keras makes them; a model's file as it is.

    It is flat (`rewrite`): its layers have unique names and are called once. Only `googlenet` is built from its
    `weights`: the file of its graph, or None or "imagenet" for Google's own.
    """
    _check_name(name)
    with plain_keras():
        if _is_own(name):
            return _load_own(Path(name))
        if name in pocket.CHANNELS:
            return pocket.build(name)
        if name == "squeezenet":
            return squeezenet.build()
        if name == "googlenet":
            return googlenet.build(weights)
        return applications.build(name)


def _is_own(name: str) -> bool:
    return name.endswith(WHOLE_MODELS)


def _check_name(name: str) -> None:
    if _is_own(name):
        if not Path(name).is_file():
            raise NetworkError(f"{name}: there is no such model file")
        if name.endswith(".keras") and not zipfile.is_zipfile(name):
            raise NetworkError(f"{name}: is not a model that Keras saved as .keras, or a damaged one")
    elif Path(name).is_file():
        raise NetworkError(f"{name}: a network of one's own is {FILES}; weights go with --weights")
    elif name not in NAMES:
        raise NetworkError(
            f"there is no network called '{name}'{did_you_mean(name, NAMES)}; "
            f"there are {', '.join(NAMES[:6])}, … and any model saved as {FILES}"
        )


def _with_own_weights(name: str) -> keras.Model:
    if name in applications.CLASSES:
        with plain_keras():
            return applications.build(name, imagenet=True)
    model = build(name)
    if name in pocket.CHANNELS:
        load_file(model, pocket.weights(name))
    elif name == "squeezenet":
        load_file(model, squeezenet.download())
    return model


def cut(model: keras.Model, layers: Iterable[str], name: str) -> keras.Model:
    """The part of `model` (flat), called `name`, up to the deepest of `layers`, for pictures of any size if it can be.

    Its output is a dict of the layers' outputs by the name asked for; `x_pre_relu` is what the layer `x` gives to its
    ReLU, and `x` is also `inner/x` if there is only one.
    """
    layers = list(layers)
    facts = describe_layers(model)
    whole = {}  # the layers by the name asked for, and those whose ReLU is in the way
    split = {}
    for layer in layers:
        if found := find_layer(facts, layer):
            whole[layer] = found.operation
        elif (found := find_layer(facts, layer.removesuffix(SUFFIX))) and has_relu(found.operation):
            split[layer] = found.operation
        else:
            raise NetworkError(_no_layer(model, layer, name))
    with plain_keras():
        model = split_relu(model, list(split.values()))
        now = {operation.name: operation for operation in model.operations}
        outputs = {
            layer: before_relu(now[split[layer].name]) if layer in split else now[whole[layer].name].output
            for layer in layers
        }
    return _for_any_size(keras.Model(model.inputs[0], outputs))


def _no_layer(model: keras.Model, layer: str, name: str) -> str:
    """What to say of a name that [features] cannot have."""
    known = [facts.name for facts in describe_layers(model)]
    lists = f"`dreamscripts layers {name}` lists those that [features] can name"
    if any(layer == public_name(operation) for operation in model.operations):
        return f"{name}: the layer '{layer}' gives no map (rows, columns, channels) of the picture; {lists}"
    return f"{name} has no layer '{layer}'{did_you_mean(layer, known)}; {lists}"


def _for_any_size(part: keras.Model) -> keras.Model:
    """The same layers and weights on an input whose height and width are open; `part` itself if that cannot be."""
    if not fixed_size(part):
        return part
    try:
        return _opened(part)
    except RewriteError:
        return part


def _opened(part: keras.Model) -> keras.Model:
    """The model for pictures of any size. Raises RewriteError, which names a layer that needs the size that it has."""
    first, (height, width) = is_channels_first(part), fixed_size(part)
    with plain_keras():
        copy = rewrite(part, shape=(3, None, None) if first else (None, None, 3))
    shapes_at(copy, (1, 3, 2 * height, 2 * width) if first else (1, 2 * height, 2 * width, 3))
    return copy


def _why_fixed(part: keras.Model) -> str:
    try:
        _opened(part)
    except RewriteError as error:
        return str(error)
    return "it was saved so"


def _load_own(path: Path) -> keras.Model:
    model = load_whole(path)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or 3 not in model.inputs[0].shape[1:]:
        raise NetworkError(f"{path}: takes something else than one RGB picture")
    try:
        flat = rewrite(model, dtype="float32")
    except RewriteError as error:
        raise NetworkError(f"{path}: {error}") from None
    if is_by_keras2(path):
        load_file(flat, path)
    return flat
