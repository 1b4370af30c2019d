"""Exact tiles: overlapping crops of a picture, each with a core.

In the core, the result is the same as in one pass over the whole picture, because the crop is larger than the core by
the receptive field. The cores cover the picture without overlap. All crops of a picture have the same shape, so
they share one compiled pass. They are as small as possible for their number.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dreamscripts.backends import host
from dreamscripts.errors import SettingsError
from dreamscripts.networks.network import Network
from dreamscripts.networks.receptive_field import ReceptiveField, receptive_fields


@dataclass(frozen=True)
class Crop:
    """Rows and columns of the picture, and the bounds of the core.

    `bounds`, int32 (1 + layers, 2, 4), are those of TileRegion for the picture and for each layer in use.
    """

    rows: slice
    columns: slice
    bounds: np.ndarray


@dataclass(frozen=True)
class Axis:
    """One axis of a picture of `side` pixels, with the receptive fields along it.

    `fields` are the receptive fields of the picture itself and of each layer in use. `widest` is the layer with the
    largest field. A crop starts at a multiple of `stride` pixels. The distance from its end to the end of the picture
    is also a multiple.
    """

    side: int
    stride: int
    fields: tuple[ReceptiveField, ...]
    widest: str

    @property
    def margins(self) -> tuple[int, int]:
        """The number of pixels in a crop before the core and after it."""
        remainder = self.side % self.stride
        before, after = (max(getattr(field, end) for field in self.fields) for end in ("before", "after"))
        return -(-before // self.stride) * self.stride, remainder - (remainder - after) // self.stride * self.stride

    @property
    def minimum(self) -> int:
        """The side of the smallest crop: its core is one stride."""
        return sum(self.margins) + self.stride

    @property
    def recommended(self) -> int:
        """A good crop size: its margins take at most one eighth, or one sixteenth on a GPU."""
        least, times = (2048, 16) if host.on_gpu() else (1024, 8)
        return max(least, times * sum(self.margins))

    def spans(self, size: int) -> list[tuple[int, int, int, int]]:
        """Return (crop start, crop end, core start, core end) for each crop of at most `size` pixels."""
        side, stride, (before, after) = self.side, self.stride, self.margins
        if side <= size:
            return [(0, side, 0, side)]
        largest = side - -(-(side - size) // stride) * stride
        steps = -(-(side - largest) // (largest - before - after))
        needed = -(-(side + steps * (before + after)) // (steps + 1))
        length = side - (side - needed) // stride * stride
        starts = [min(i * (length - before - after), side - length) for i in range(steps + 1)]
        borders = [0, *(start + before for start in starts[1:]), side]
        return [(start, start + length, *core) for start, core in zip(starts, pairwise(borders), strict=True)]

    def bounds(self, span: tuple[int, int, int, int]) -> np.ndarray:
        """Return (fields, 4): crop start, core start, core end and total length, in positions of each layer."""
        start, _, first, last = span
        return np.array(
            [
                (start // r.stride, first // r.stride, r.size if last == self.side else last // r.stride, r.size)
                for r in self.fields
            ],
            np.int32,
        )


def axes_of(network: Network, height: int, width: int) -> list[Axis]:
    """Return both axes, with their receptive fields. Raises SettingsError if a layer depends on the whole picture."""
    return [_along(network, axis, side) for axis, side in enumerate((height, width))]


def exact_crops(network: Network, height: int, width: int, size: int | None) -> list[Crop]:
    """Return the crops, at most `size` pixels wide and high (default: the recommended size).

    A smaller picture gives one crop. Raises SettingsError if `size` is too small, or if a layer depends on the whole
    picture.
    """
    down, across = axes = axes_of(network, height, width)
    size = size or max(axis.recommended for axis in axes)
    for axis in axes:
        if axis.minimum > size < axis.side:
            widest = max(field.field for field in axis.fields)
            raise SettingsError(
                f"tiles.size = {size} is too small for exact tiles of {network.name} at {axis.widest}, whose receptive "
                f"field is {widest} pixels: use at least {axis.minimum} (recommended: {axis.recommended})"
            )
    return [
        Crop(slice(*rows[:2]), slice(*columns[:2]), np.stack([down.bounds(rows), across.bounds(columns)], axis=1))
        for rows in down.spans(size)
        for columns in across.spans(size)
    ]


def _along(network: Network, axis: int, side: int) -> Axis:
    stride, fields = receptive_fields(network.model, axis, side, network.name)
    pixels = ReceptiveField(size=side, stride=1, before=0, after=1, field=2)  # penalties compare neighbouring pixels
    return Axis(side, stride, (pixels, *fields.values()), max(fields, key=lambda layer: fields[layer].field))
