"""The region of the picture that a tensor covers: the whole picture, or an exact tile with its core.

Most terms are sums over positions. In an exact tile, they sum only over the core of the tile, but use the edges and the
size of the whole picture. The terms of all tiles, and their gradients, then add up to those of the picture.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

from dreamscripts.backends.lazy_keras import ops

Tensor: TypeAlias = Any  # of the Keras backend


def window(f: Tensor, down: int, right: int, taller: int, wider: int) -> Tensor:
    """Return a window of f (N, h, w, c) that starts at (down, right) and has the size (h + taller, w + wider).

    The result is the same as by slicing (`f[:, …]`), but TensorFlow computes its gradient three times as fast.
    """
    count, height, width, channels = ops.shape(f)
    return ops.slice(f, (0, down, right, 0), (count, height + taller, width + wider, channels))


class Region:
    """The region of tensors (N, h, w, c) that cover the whole picture."""

    def core(self, f: Tensor, edge: int = 0) -> Tensor:
        """Return the values of f to sum over, without the outermost `edge` positions of the picture."""
        return window(f, edge, edge, -2 * edge, -2 * edge) if edge else f

    def middle(self, f: Tensor) -> Tensor:
        """Return f at the middle of the picture, (N, c)."""
        _, height, width, _ = ops.shape(f)
        return f[:, height // 2, width // 2, :]

    def positions(self, f: Tensor) -> Tensor:
        """Return the number of positions h·w in the whole picture, as a float32 scalar."""
        _, height, width, _ = ops.shape(f)
        return ops.cast(height * width, "float32")

    def size(self, f: Tensor) -> Tensor:
        """Return the number of values h·w·c in one whole picture of the batch, as a float32 scalar."""
        return self.positions(f) * f.shape[-1]


@dataclass(frozen=True)
class TileRegion(Region):
    """The region of tensors (N, h, w, c) that cover an exact tile.

    `bounds` is an integer tensor (2, 4), for rows and columns: tile start, core start, core end (exclusive) and total
    length, all in positions of the whole picture. Bounds are a tensor, so all tiles share one compiled function.
    """

    bounds: Tensor

    def core(self, f: Tensor, edge: int = 0) -> Tensor:
        """Return f with zeros outside the core, and in the outermost `edge` positions of the whole picture."""
        _, first, last, count = self._columns()
        return self._between(f, ops.maximum(first, edge), ops.minimum(last, count - edge))

    def middle(self, f: Tensor) -> Tensor:
        """Return f at the middle of the whole picture, (N, c), or zeros if the middle is outside the core."""
        _, first, last, count = self._columns()
        middle = self._between(f, ops.maximum(first, count // 2), ops.minimum(last, count // 2 + 1))
        return ops.sum(middle, axis=(1, 2))

    def positions(self, f: Tensor) -> Tensor:
        """Return the number of positions in the whole picture, as a float32 scalar."""
        return ops.prod(ops.cast(self.bounds[:, 3], "float32"))

    def _columns(self) -> list[Tensor]:
        return [self.bounds[:, i] for i in range(4)]

    def _between(self, f: Tensor, first: Tensor, last: Tensor) -> Tensor:
        inside = []
        for axis in (0, 1):
            position = self.bounds[axis, 0] + ops.arange(ops.shape(f)[axis + 1], dtype="int32")
            inside.append(ops.logical_and(position >= first[axis], position < last[axis]))
        rows, columns = (ops.cast(along, "float32") for along in inside)
        return f * (rows[:, None, None] * columns[:, None])


@dataclass(frozen=True)
class Regions:
    """The regions of one pass: `regions.picture` for the picture x, `regions[layer]` for the features of a layer."""

    picture: Region
    layers: Mapping[str, TileRegion] | None = None  # None if the pass covers the whole picture

    @property
    def is_tile(self) -> bool:
        """Whether the pass covers one exact tile of several."""
        return self.layers is not None

    def __getitem__(self, layer: str) -> Region:
        return self.picture if self.layers is None else self.layers[layer]


WHOLE = Regions(Region())


def tile_regions(layers: Iterable[str], bounds: Tensor) -> Regions:
    """Return the regions of an exact tile. `bounds` (1 + layers, 2, 4) are for the picture, then for each layer."""
    by_layer = {layer: TileRegion(bounds[i]) for i, layer in enumerate(layers, start=1)}
    return Regions(TileRegion(bounds[0]), MappingProxyType(by_layer))


def count_once(value: Tensor, regions: Regions) -> Tensor:
    """Return `value`, but in exact tiles only in the first tile, and 0 in the others.

    The gradient is that of `value` in every tile.
    """
    if not isinstance(regions.picture, TileRegion):
        return value
    is_first = ops.cast(ops.all(regions.picture.bounds[:, 1] == 0), "float32")
    return value - (1 - is_first) * ops.stop_gradient(value)


def sum_of_squares(f: Tensor) -> Tensor:
    """Return Σ f². Its gradient is computed as 2 f, in half the time of the backend's automatic gradient."""
    return _sum_of_squares()(f)


@cache
def _sum_of_squares() -> Callable[[Tensor], Tensor]:
    @ops.custom_gradient
    def function(f: Tensor) -> tuple[Tensor, Callable]:
        def gradient(*arguments: Tensor, upstream: Tensor = None) -> Tensor:
            return 2 * upstream_of(arguments, upstream) * f

        return ops.sum(ops.square(f)), gradient

    return function


def upstream_of(arguments: tuple, upstream: Tensor) -> Tensor:
    """Return the upstream gradient. Its position in the arguments of a custom gradient depends on the backend."""
    return arguments[-1] if upstream is None else upstream
