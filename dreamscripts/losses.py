"""The terms of a loss, each a few lines with its formula in sight.

Written in keras.ops on x, the picture as the network sees it (1, H, W, 3), and the network's features
{layer: (1, h, w, c)}. All losses are minimised: what a dream wants more of enters with a minus sign.
Formulas: the Keras L-BFGS example (F. Chollet, 2016).
"""

from dataclasses import dataclass
from typing import Protocol

from keras import ops

from dreamscripts.networks.anatomy import EDGE
from dreamscripts.settings import Settings


class Term(Protocol):
    """One summand of a loss, before its weight."""

    @property
    def name(self) -> str:
        """Its column in loss.csv and its line in the plot."""

    def __call__(self, x, features):
        """A scalar tensor."""


@dataclass(frozen=True)
class LayerL2:
    """−Σ F² / (h·w·c) over the features of one layer: the more a layer is excited, the lower.

    The sum leaves out an edge of 2, so that the padding's artefacts do not grow into a frame; the divisor does not.
    """

    layer: str

    @property
    def name(self) -> str:
        return self.layer

    def __call__(self, x, features):
        f = features[self.layer]
        inside = f[:, EDGE:-EDGE, EDGE:-EDGE, :]
        return -ops.sum(ops.square(inside)) / _size(f)


@dataclass(frozen=True)
class Continuity:
    """Σ ((∂x/∂i)² + (∂x/∂j)²)^1.25 / (H·W·3): how much neighbouring pixels differ."""

    name: str = "continuity"

    def __call__(self, x, features):
        corner = x[:, :-1, :-1, :]
        down = ops.square(x[:, 1:, :-1, :] - corner)
        right = ops.square(x[:, :-1, 1:, :] - corner)
        return ops.sum(ops.power(down + right, 1.25)) / _size(x)


@dataclass(frozen=True)
class ImageL2:
    """Σ x² / (H·W·3): how far the picture is from the network's grey."""

    name: str = "dream_l2"

    def __call__(self, x, features):
        return ops.sum(ops.square(x)) / _size(x)


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms."""

    terms: tuple[tuple[float, Term], ...]

    @property
    def names(self) -> list[str]:
        """The names of the terms, in the order of what a call gives."""
        return [term.name for _, term in self.terms]

    def __call__(self, x, features):
        """The weighted terms, as a tensor (n,); the loss is their sum."""
        return ops.stack([weight * term(x, features) for weight, term in self.terms])


def build_loss(settings: Settings) -> Loss:
    """The loss that a settings file describes; a penalty that weighs nothing is left out."""
    weighted = [(weight, LayerL2(layer)) for layer, weight in settings.features.items()]
    weighted += [(settings.penalties.continuity, Continuity()), (settings.penalties.dream_l2, ImageL2())]
    return Loss(tuple((weight, term) for weight, term in weighted if weight))


def _size(tensor) -> float:
    _, height, width, channels = tensor.shape
    return float(height * width * channels)
