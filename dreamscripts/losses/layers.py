"""The measures of a layer: how much it responds, each a few lines with its formula in sight.

Written in keras.ops on the features {layer: (N, h, w, c)}, of sizes that may differ from one pass to the next. All
losses are minimised: what a dream wants more of enters with a minus sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.losses.regions import WHOLE, size, sum_of_squares
from dreamscripts.networks.layers import EDGE


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
        return ops.matmul(f, selection(self.channels, f.shape[-1])) if self.channels else f

    def excitement(self, f, part):
        raise NotImplementedError


def selection(channels: Mapping[int, float], depth: int) -> np.ndarray:
    """(depth, n): what takes n channels out of all, each times its weight."""
    selection = np.zeros((depth, len(channels)), np.float32)
    selection[list(channels), range(len(channels))] = list(channels.values())
    return selection


class LayerL2(LayerTerm):
    """Σ F² / (h·w·c), as in the Keras examples.

    The sum leaves out an edge of 2, so that the padding's artefacts do not grow into a frame; the divisor does not.
    """

    def excitement(self, f, part):
        return sum_of_squares(part.owned(f, EDGE)) / size(f, part)


class LayerMean(LayerTerm):
    """The mean of F, as in the TensorFlow tutorial and for single channels in the feature-visualisation notebook."""

    def excitement(self, f, part):
        return ops.sum(part.owned(f)) / size(f, part)


class LayerMeanSquare(LayerTerm):
    """The mean of F², as in the feature-visualisation notebook."""

    def excitement(self, f, part):
        return sum_of_squares(part.owned(f)) / size(f, part)


class LayerNeuron(LayerTerm):
    """The mean over channels of F at the middle: what one place of a layer wants to see."""

    def excitement(self, f, part):
        return ops.sum(part.middle(f)) / f.shape[-1]


class LayerEnergy(LayerTerm):
    """½ Σ F², whose gradient at the layer is the layer itself, as in the DeepDream notebook."""

    def excitement(self, f, part):
        return sum_of_squares(part.owned(f)) / 2


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


MEASURES = {
    "l2": LayerL2,
    "mean": LayerMean,
    "mean_square": LayerMeanSquare,
    "energy": LayerEnergy,
    "neuron": LayerNeuron,
}
