"""Penalties on the picture x (N, H, W, 3): natural pictures have low values."""

from collections.abc import Callable
from functools import cache

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.losses.named import penalty
from dreamscripts.losses.regions import Regions, Tensor, sum_of_squares, upstream_of, window
from dreamscripts.losses.term import Features, Term


@penalty("continuity")
class Continuity(Term):
    """The differences between neighbouring pixels. A larger weight gives a smoother picture.

    Σ ((∂x/∂i)² + (∂x/∂j)²)^1.25 / (H·W·3), as in the Keras example.
    """

    tileable = True

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        here, below, right = (window(x, i, j, -1, -1) for i, j in ((0, 0), (1, 0), (0, 1)))
        differences = _sum_of_squares_to_five_fourths()(below - here, right - here)
        return ops.sum(regions.picture.core(differences)) / regions.picture.size(x)


@cache
def _sum_of_squares_to_five_fourths() -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function (a² + b²)^(5/4). It uses square roots, which are several times as fast as a power."""

    @ops.custom_gradient
    def function(a: Tensor, b: Tensor) -> tuple[Tensor, Callable]:
        square = ops.square(a) + ops.square(b)
        root = ops.sqrt(ops.sqrt(square))

        def gradient(*arguments: Tensor, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
            slope = upstream_of(arguments, upstream) * (2.5 * root)
            return slope * a, slope * b

        return square * root, gradient

    return function


@penalty("dream_l2")
class ImageL2(Term):
    """The distance of the picture from the network's mean colour, a grey. A larger weight gives calmer colours.

    Σ x² / (H·W·3), as in the Keras example.
    """

    tileable = True

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        return sum_of_squares(regions.picture.core(x)) / regions.picture.size(x)


@penalty("total_variation")
class TotalVariation(Term):
    """The differences between neighbouring pixels, like continuity, but edges stay sharper.

    (Σ |∂x/∂i| + Σ |∂x/∂j|) / (H·W·3).
    """

    tileable = True

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        core, size = regions.picture.core, regions.picture.size(x)
        down = ops.sum(core(ops.abs(window(x, 1, 0, -1, 0) - window(x, 0, 0, -1, 0))))
        right = ops.sum(core(ops.abs(window(x, 0, 1, 0, -1) - window(x, 0, 0, 0, -1))))
        return (down + right) / size
