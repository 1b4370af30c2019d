"""Where a tensor lies in the picture that it is of: all of it, or a part that an exact tile owns.

The terms of a loss are sums over positions. A tile counts those that it owns, and measures them against the whole
picture's edges and size, so that the terms of all tiles, and their gradients, add up to the picture's. A term that is
made of such sums, but is none, is given the whole picture's in place of the tile's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from keras import ops

PICTURE = "the picture"  # its own pixels, among layers by name


def window(f, down: int, across: int, taller: int, wider: int):
    """A part of f (N, h, w, c), from a position on, and so much taller and wider than f.

    As `f[:, …]` would be, for the gradient of which TensorFlow takes three times as long.
    """
    count, height, width, channels = ops.shape(f)
    return ops.slice(f, (0, down, across, 0), (count, height + taller, width + wider, channels))


class Whole:
    """All of a picture or of a layer's features of it, tensors (N, h, w, c)."""

    def owned(self, f, edge: int = 0):
        """What counts of f, without an edge of so many positions."""
        return window(f, edge, edge, -2 * edge, -2 * edge) if edge else f

    def middle(self, f):
        """(N, c): f at the middle of the picture."""
        _, height, width, _ = ops.shape(f)
        return f[:, height // 2, width // 2, :]

    def positions(self, f):
        """How many positions the whole picture has, as float32."""
        _, height, width, _ = ops.shape(f)
        return ops.cast(height * width, "float32")

    def summed(self, sums):
        """The whole picture's `sums` over what counts."""
        return sums

    def once(self, term):
        """What `term`, made of the whole picture's sums, adds to the loss."""
        return term


@dataclass(frozen=True)
class Part:
    """What a tile owns of a picture or of a layer's features of it, for tensors (N, h, w, c) of the tile.

    `numbers` is a tensor of integers (2, 4), down and across: the position in the whole where the tile begins, the
    first that it owns, the one after the last, and how many the whole has. As a tensor they serve all tiles in one
    trace. `sums` are those over all tiles that a term of this layer is made of.
    """

    numbers: Any
    sums: Any = None

    def owned(self, f, edge: int = 0):
        """f, with zeros where it does not count: not owned, or in an edge of the whole picture."""
        _, first, last, count = self._columns()
        return self._between(f, ops.maximum(first, edge), ops.minimum(last, count - edge))

    def middle(self, f):
        """(N, c): f at the middle of the whole picture, and zeros where the tile does not own it."""
        _, first, last, count = self._columns()
        there = self._between(f, ops.maximum(first, count // 2), ops.minimum(last, count // 2 + 1))
        return ops.sum(there, axis=(1, 2))

    def positions(self, f):
        """How many positions the whole picture has, as float32."""
        return ops.prod(ops.cast(self.numbers[:, 3], "float32"))

    def summed(self, sums):
        """The whole picture's sums, with the gradient of `sums`, which are what the tile adds to them."""
        return sums + ops.stop_gradient(self.sums - sums)

    def once(self, term):
        """`term` with its gradient; its value counts only in the tile that owns the first position."""
        counts = ops.cast(ops.all(self.numbers[:, 1] == 0), "float32")
        return term - (1 - counts) * ops.stop_gradient(term)

    def _columns(self):
        return [self.numbers[:, i] for i in range(4)]

    def _between(self, f, first, last):
        inside = []
        for axis in (0, 1):
            place = self.numbers[axis, 0] + ops.arange(ops.shape(f)[axis + 1], dtype="int32")
            inside.append(ops.logical_and(place >= first[axis], place < last[axis]))
        down, across = (ops.cast(along, "float32") for along in inside)
        return f * (down[:, None, None] * across[:, None])


WHOLE = Whole()


def parts_of(layers: Iterable[str], numbers, sums: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Part]:
    """The parts of the picture and of each of these layers, whose numbers (1 + layers, 2, 4) are in that order."""
    return {layer: Part(numbers[i], sums.get(layer)) for i, layer in enumerate((PICTURE, *layers))}


def size(tensor, part):
    """Values in one whole picture of the batch."""
    return part.positions(tensor) * tensor.shape[-1]


@ops.custom_gradient
def sum_of_squares(f):
    """Σ f²: its gradient is 2 f, which takes half as long as what the backends make of a sum and a square."""

    def gradient(*arguments, upstream=None):
        return 2 * upstream_of(arguments, upstream) * f

    return ops.sum(ops.square(f)), gradient


def upstream_of(arguments, upstream):
    """What a gradient is given of the function that comes after: which of them it comes in depends on the backend."""
    return arguments[-1] if upstream is None else upstream
