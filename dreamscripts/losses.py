"""The terms of a loss, each a few lines with its formula in sight.

Written in keras.ops on x, pictures as the network sees them (N, H, W, 3), and the network's features
{layer: (N, h, w, c)}, of sizes that may differ from one pass to the next. The loss of a batch is the sum of the
pictures' own. For an exact tile `parts` say what it owns of its picture and of each layer; for whole pictures there
are none. All losses are minimised: what a dream wants more of enters with a minus sign. Formulas: the Keras L-BFGS
example (F. Chollet, 2016), the DeepDream tutorial of TensorFlow, the DeepDream notebook (A. Mordvintsev,
M. Tyka, C. Olah, 2015), the feature-visualisation notebook (A. Mordvintsev, 2016).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from keras import ops

from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images import fit, open_picture
from dreamscripts.networks import Network
from dreamscripts.networks.anatomy import EDGE, fixed_size
from dreamscripts.parts import PICTURE, WHOLE, Part, window
from dreamscripts.settings import Settings


class Term(Protocol):
    """One summand of a loss, before its weight."""

    @property
    def name(self) -> str:
        """Its column in loss.csv and its line in the plot."""

    def __call__(self, x, features, parts):
        """A scalar tensor."""


@dataclass(frozen=True)
class LayerTerm:
    """How excited one layer is, negative.

    F (N, h, w, c) are all of its channels, or those named, each times its weight.
    """

    layer: str
    channels: Mapping[int, float] | None = None

    @property
    def name(self) -> str:
        return self.layer + (f"[{','.join(map(str, self.channels))}]" if self.channels else "")

    def __call__(self, x, features, parts):
        return -self.excitement(self.chosen(features), parts.get(self.layer, WHOLE))

    def chosen(self, features):
        """Those of the layer's features that count."""
        f = features[self.layer]
        return ops.matmul(f, _selection(self.channels, f.shape[-1])) if self.channels else f

    def excitement(self, f, part):
        raise NotImplementedError


def _selection(channels: Mapping[int, float], depth: int) -> np.ndarray:
    """(depth, n): what takes n channels out of all, each times its weight."""
    selection = np.zeros((depth, len(channels)), np.float32)
    selection[list(channels), range(len(channels))] = list(channels.values())
    return selection


class LayerL2(LayerTerm):
    """Σ F² / (h·w·c), as in the Keras examples.

    The sum leaves out an edge of 2, so that the padding's artefacts do not grow into a frame; the divisor does not.
    """

    def excitement(self, f, part):
        return _sum_of_squares(part.owned(f, EDGE)) / _size(f, part)


class LayerMean(LayerTerm):
    """The mean of F, as in the TensorFlow tutorial and for single channels in the feature-visualisation notebook."""

    def excitement(self, f, part):
        return ops.sum(part.owned(f)) / _size(f, part)


class LayerMeanSquare(LayerTerm):
    """The mean of F², as in the feature-visualisation notebook."""

    def excitement(self, f, part):
        return _sum_of_squares(part.owned(f)) / _size(f, part)


class LayerNeuron(LayerTerm):
    """The mean over channels of F at the middle: what one place of a layer wants to see."""

    def excitement(self, f, part):
        return ops.sum(part.middle(f)) / f.shape[-1]


class LayerEnergy(LayerTerm):
    """½ Σ F², whose gradient at the layer is the layer itself, as in the DeepDream notebook."""

    def excitement(self, f, part):
        return _sum_of_squares(part.owned(f)) / 2


@dataclass(frozen=True)
class LayerGuide(LayerTerm):
    """Σ over positions of F · (the guide feature with the largest dot product with F there).

    Its gradient at the layer is that guide feature, as in the DeepDream notebook. `guide` (positions, c) are the
    features of the guide picture.
    """

    guide: Any = None

    def excitement(self, f, part):
        flat = ops.reshape(part.owned(f), (-1, f.shape[-1]))
        return ops.sum(ops.max(ops.matmul(flat, ops.transpose(self.guide)), axis=1))


@dataclass(frozen=True)
class LayerDirections:
    """Σ over the pictures of a batch of the mean of F · d, negative, with a direction d (c,) for each picture.

    `directions` is a Keras variable (N, c): a gallery asks for other channels without compiling again.
    """

    layer: str
    directions: Any

    @property
    def name(self) -> str:
        return self.layer

    @property
    def variables(self) -> list:
        return [self.directions]

    def __call__(self, x, features, parts):
        part, f = parts.get(self.layer, WHOLE), features[self.layer]
        return -ops.sum(ops.sum(part.owned(f), axis=(1, 2)) / part.positions(f) * self.directions)


@dataclass(frozen=True)
class Diversity:
    """How alike the pictures of a batch are to a layer, times their excitement.

    Alike is the cosine between the Gram matrices of their features, averaged over the other pictures (Olah et al.
    2017, "Feature Visualization"). Times the batch's mean excitement |E|, which counts as a constant here, because
    layers differ by orders of magnitude: at weight 1 others just like it cost a picture as much as it has gained.
    Pictures that are equal to begin with stay so.
    """

    term: LayerTerm

    @property
    def name(self) -> str:
        return f"diversity of {self.term.layer}"

    def __call__(self, x, features, parts):
        part = parts.get(self.term.layer, WHOLE)
        sums = part.summed(self.sums(features, parts))
        grams, gained = sums[:, :-1], ops.abs(ops.stop_gradient(sums[0, -1]))
        grams = grams / ops.sqrt(ops.sum(ops.square(grams), axis=1, keepdims=True) + 1e-20)
        alike = ops.sum(ops.square(ops.sum(grams, axis=0))) - ops.sum(ops.square(grams))
        count = ops.shape(sums)[0]
        others = ops.cast(ops.maximum(count - 1, 1), "float32")
        return part.once(gained / ops.cast(count, "float32") * alike / others)

    def sums(self, features, parts):
        """(N, c·c + 1): the Gram matrix of each picture, and E. Both are sums over positions, which the term is not."""
        part = parts.get(self.term.layer, WHOLE)
        f = part.owned(features[self.term.layer])
        count, height, width, channels = ops.shape(f)
        flat = ops.reshape(f, (count, height * width, channels))
        grams = ops.reshape(ops.matmul(ops.transpose(flat, (0, 2, 1)), flat), (count, channels * channels))
        excitement = self.term.excitement(self.term.chosen(features), part)
        return ops.concatenate([grams, ops.broadcast_to(excitement, (count, 1))], axis=1)


@dataclass(frozen=True)
class Continuity:
    """Σ ((∂x/∂i)² + (∂x/∂j)²)^1.25 / (H·W·3): how much neighbouring pixels differ."""

    name: str = "continuity"

    def __call__(self, x, features, parts):
        here, below, beside = (window(x, i, j, -1, -1) for i, j in ((0, 0), (1, 0), (0, 1)))
        differences = _to_the_five_fourths(below - here, beside - here)
        part = parts.get(PICTURE, WHOLE)
        return ops.sum(part.owned(differences)) / _size(x, part)


@ops.custom_gradient
def _to_the_five_fourths(a, b):
    """(a² + b²)^(5/4), by square roots: a power takes several times as long, forward and back."""
    square = ops.square(a) + ops.square(b)
    root = ops.sqrt(ops.sqrt(square))

    def gradient(*arguments, upstream=None):
        slope = _upstream(arguments, upstream) * (2.5 * root)
        return slope * a, slope * b

    return square * root, gradient


@ops.custom_gradient
def _sum_of_squares(f):
    """Σ f²: its gradient is 2 f, which takes half as long as what the backends make of a sum and a square."""

    def gradient(*arguments, upstream=None):
        return 2 * _upstream(arguments, upstream) * f

    return ops.sum(ops.square(f)), gradient


def _upstream(arguments, upstream):
    """What a gradient is given of the function that comes after: which of them it comes in depends on the backend."""
    return arguments[-1] if upstream is None else upstream


@dataclass(frozen=True)
class ImageL2:
    """Σ x² / (H·W·3): how far the picture is from the network's grey."""

    name: str = "dream_l2"

    def __call__(self, x, features, parts):
        part = parts.get(PICTURE, WHOLE)
        return _sum_of_squares(part.owned(x)) / _size(x, part)


@dataclass(frozen=True)
class TotalVariation:
    """(Σ |∂x/∂i| + Σ |∂x/∂j|) / (H·W·3): as continuity, but kinder to edges."""

    name: str = "total_variation"

    def __call__(self, x, features, parts):
        part = parts.get(PICTURE, WHOLE)
        down = ops.sum(part.owned(ops.abs(window(x, 1, 0, -1, 0) - window(x, 0, 0, -1, 0))))
        right = ops.sum(part.owned(ops.abs(window(x, 0, 1, 0, -1) - window(x, 0, 0, 0, -1))))
        return (down + right) / _size(x, part)


MEASURES = {
    "l2": LayerL2,
    "mean": LayerMean,
    "mean_square": LayerMeanSquare,
    "energy": LayerEnergy,
    "neuron": LayerNeuron,
}


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms."""

    terms: tuple[tuple[float, Term], ...]

    @property
    def names(self) -> list[str]:
        """The names of the terms, in the order of what a call gives."""
        return [term.name for _, term in self.terms]

    @property
    def variables(self) -> list:
        """The Keras variables that the terms read."""
        return [variable for _, term in self.terms for variable in getattr(term, "variables", [])]

    @property
    def undivided(self) -> list[Diversity]:
        """The terms that are no sums over positions, each of another layer."""
        return [term for _, term in self.terms if isinstance(term, Diversity)]

    def __call__(self, x, features, parts: Mapping[str, Part] = MappingProxyType({})):
        """The weighted terms, as a tensor (n,); the loss is their sum, and that of a picture the sum over its parts."""
        return ops.stack([weight * term(x, features, parts) for weight, term in self.terms])


def build_loss(settings: Settings, network: Network) -> Loss:
    """The loss that a settings file describes over the features of `network`; what weighs nothing is left out.

    Raises SettingsError where a layer has not the channels named, and PictureError for a guide that cannot be read.
    """
    depths = {name: tensor.shape[network.channel_axis] for name, tensor in network.model.output.items()}
    guide = None
    weighted = []
    for layer, feature in settings.features.items():
        if feature.channels and max(feature.channels) >= depths[layer]:
            raise SettingsError(
                f"{network.name}: {layer} has channels 0 to {depths[layer] - 1}, and no {max(feature.channels)}"
            )
        measure = feature.measure or settings.measure
        if measure == "guide":
            guide = guide or _guide_features(settings, network)
            chosen = guide[layer]
            if feature.channels:
                chosen = chosen @ _selection(feature.channels, depths[layer])
            term = LayerGuide(layer, feature.channels, chosen)
        else:
            term = MEASURES[measure](layer, feature.channels)
        weighted.append((feature.weight, term))
        weighted.append((feature.weight * settings.penalties.diversity, Diversity(term)))
    penalties = settings.penalties
    weighted += [
        (penalties.continuity, Continuity()),
        (penalties.dream_l2, ImageL2()),
        (penalties.total_variation, TotalVariation()),
    ]
    return Loss(tuple((weight, term) for weight, term in weighted if weight))


def _guide_features(settings: Settings, network: Network) -> dict:
    """{layer: (positions, c)} of the guide picture, as arrays."""
    picture = fit(open_picture(settings.guide.picture), settings.guide.size)
    if (only := fixed_size(network.model)) and only != picture.shape[:2]:
        height, width = only
        raise PictureError(
            f"{settings.guide.picture}: {network.name} takes pictures of {width}×{height} only: "
            f"crop the guide to {width}:{height} and set guide.size = {max(only)}"
        )
    if not network.fits(*picture.shape[:2]):
        raise PictureError(
            f"{settings.guide.picture}: at guide.size = {settings.guide.size} the guide is too small for "
            f"{network.name}, which needs {network.least_side} pixels a side"
        )
    x = network.preprocessing.enter(picture).astype("float32")
    features = network.features(ops.convert_to_tensor(x[None]))
    return {name: ops.convert_to_numpy(f).reshape(-1, f.shape[-1]) for name, f in features.items()}


def _size(tensor, part):
    """Values in one whole picture of the batch."""
    return part.positions(tensor) * tensor.shape[-1]
