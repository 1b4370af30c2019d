"""Exact tiles: crops of a picture that overlap so far that the parts they own are as in a pass over the whole.

Each crop is what its tile owns and a margin as wide as the network sees beyond it. All crops of a picture are of one
shape, so that one compiled pass serves them all, and as small as their number allows.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dreamscripts.errors import SettingsError
from dreamscripts.networks.network import Network
from dreamscripts.networks.receptive_field import ReceptiveField, receptive_fields


@dataclass(frozen=True)
class Crop:
    """What the network is given at once: rows and columns of the picture, and what the tile owns of them.

    `numbers` are those of `parts.Part` for the picture and for each layer in use: int32 (1 + layers, 2, 4).
    """

    rows: slice
    columns: slice
    bounds: np.ndarray


@dataclass(frozen=True)
class Axis:
    """One axis of a picture of `side` pixels, and what the network sees along it.

    `fields` are those of the picture itself and of each layer in use; crops begin and end at multiples of `stride`
    from the picture's beginning and end.
    """

    side: int
    stride: int
    fields: tuple[ReceptiveField, ...]
    widest: str

    @property
    def margins(self) -> tuple[int, int]:
        """How many pixels a crop within the picture has before what it owns, and after it."""
        over = self.side % self.stride
        before, after = (max(getattr(field, where) for field in self.fields) for where in ("before", "after"))
        return -(-before // self.stride) * self.stride, over - (over - after) // self.stride * self.stride

    @property
    def least(self) -> int:
        """The side of the smallest crop: one that owns a single stride."""
        return sum(self.margins) + self.stride

    @property
    def ample(self) -> int:
        """The side of a crop that larger ones gain little on: at most an eighth of it is margins."""
        return max(1024, 8 * sum(self.margins))

    def spans(self, size: int) -> list[tuple[int, int, int, int]]:
        """Of each crop of at most `size` pixels: where it begins and ends, and where what its tile owns does."""
        side, stride, (before, after) = self.side, self.stride, self.margins
        if side <= size:
            return [(0, side, 0, side)]
        largest = side - -(-(side - size) // stride) * stride
        steps = -(-(side - largest) // (largest - before - after))
        needed = -(-(side + steps * (before + after)) // (steps + 1))
        length = side - (side - needed) // stride * stride
        starts = [min(i * (length - before - after), side - length) for i in range(steps + 1)]
        borders = [0, *(start + before for start in starts[1:]), side]
        return [(start, start + length, *owned) for start, owned in zip(starts, pairwise(borders), strict=True)]

    def bounds(self, span: tuple[int, int, int, int]) -> np.ndarray:
        """(fields, 4): where a crop begins, where what it owns begins and ends, and the whole, in positions."""
        start, _, first, last = span
        return np.array(
            [
                (start // r.stride, first // r.stride, r.size if last == self.side else last // r.stride, r.size)
                for r in self.fields
            ],
            np.int32,
        )


def axes_of(network: Network, height: int, width: int) -> list[Axis]:
    """What the network sees down and across a picture of that size; SettingsError where that is more than a part."""
    return [_along(network, axis, side) for axis, side in enumerate((height, width))]


def exact_crops(network: Network, height: int, width: int, size: int | None) -> list[Crop]:
    """The crops of a picture, at most `size` pixels a side, or ample ones; a picture no larger is the only one.

    Raises SettingsError where they are too small, or where the network sees more than a part of the picture.
    """
    down, across = axes = axes_of(network, height, width)
    size = size or max(axis.ample for axis in axes)
    for axis in axes:
        if axis.least > size < axis.side:
            field = max(one.field for one in axis.fields)
            raise SettingsError(
                f"tiles.size = {size} is too small for exact tiles of {network.name} at {axis.widest}, "
                f"which sees {field} pixels: at least {axis.least}, and {axis.ample} to be quick"
            )
    return [
        Crop(slice(*rows[:2]), slice(*columns[:2]), np.stack([down.bounds(rows), across.bounds(columns)], axis=1))
        for rows in down.spans(size)
        for columns in across.spans(size)
    ]


def _along(network: Network, axis: int, side: int) -> Axis:
    stride, seen = receptive_fields(network.model, axis, side, network.name)
    pixels = ReceptiveField(size=side, stride=1, before=0, after=1, field=2)  # penalties compare each with the next
    return Axis(side, stride, (pixels, *seen.values()), max(seen, key=lambda layer: seen[layer].field))
