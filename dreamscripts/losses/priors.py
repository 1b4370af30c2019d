"""Penalties on the picture itself, which keep it together."""

from dataclasses import dataclass

from keras import ops

from dreamscripts.losses.regions import PICTURE, WHOLE, size, sum_of_squares, upstream_of, window


@dataclass(frozen=True)
class Continuity:
    """Σ ((∂x/∂i)² + (∂x/∂j)²)^1.25 / (H·W·3): how much neighbouring pixels differ."""

    name: str = "continuity"

    def __call__(self, x, features, parts):
        here, below, beside = (window(x, i, j, -1, -1) for i, j in ((0, 0), (1, 0), (0, 1)))
        differences = _to_the_five_fourths(below - here, beside - here)
        part = parts.get(PICTURE, WHOLE)
        return ops.sum(part.owned(differences)) / size(x, part)


@ops.custom_gradient
def _to_the_five_fourths(a, b):
    """(a² + b²)^(5/4), by square roots: a power takes several times as long, forward and back."""
    square = ops.square(a) + ops.square(b)
    root = ops.sqrt(ops.sqrt(square))

    def gradient(*arguments, upstream=None):
        slope = upstream_of(arguments, upstream) * (2.5 * root)
        return slope * a, slope * b

    return square * root, gradient


@dataclass(frozen=True)
class ImageL2:
    """Σ x² / (H·W·3): how far the picture is from the network's grey."""

    name: str = "dream_l2"

    def __call__(self, x, features, parts):
        part = parts.get(PICTURE, WHOLE)
        return sum_of_squares(part.owned(x)) / size(x, part)


@dataclass(frozen=True)
class TotalVariation:
    """(Σ |∂x/∂i| + Σ |∂x/∂j|) / (H·W·3): as continuity, but kinder to edges."""

    name: str = "total_variation"

    def __call__(self, x, features, parts):
        part = parts.get(PICTURE, WHOLE)
        down = ops.sum(part.owned(ops.abs(window(x, 1, 0, -1, 0) - window(x, 0, 0, -1, 0))))
        right = ops.sum(part.owned(ops.abs(window(x, 0, 1, 0, -1) - window(x, 0, 0, 0, -1))))
        return (down + right) / size(x, part)
