"""Octave schedules: the list of sizes, and how the picture is passed from one size to the next.

Pictures here are preprocessed for the network: float (H, W, 3), or (N, H, W, 3) for a batch. Resizing is bilinear,
with the three grid alignments of the original programs (see `bilinear`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from dreamscripts.images.resizing import Size, bilinear
from dreamscripts.registry import SCHEDULES
from dreamscripts.settings.tables import Octaves


@dataclass(frozen=True)
class ScheduleEntry:
    """A schedule that settings can name."""

    name: str
    """The value of `octaves.kind`."""
    schedule: Callable[[np.ndarray, Octaves], "Plain"]
    """The class of the schedule, a subclass of Plain."""
    returns: bool
    """Whether the result has the original size. If not, the first octave has it, and all others are larger."""
    description: str
    """The description of the schedule, for the documentation."""
    module: str
    """The module that added the entry."""


C = TypeVar("C", bound=type)


def schedule(name: str, *, returns: bool = True) -> Callable[[C], C]:
    """Add the decorated class, a subclass of Plain, to the schedules that settings can name.

    The first paragraph of its docstring is its description. Arguments are fields of ScheduleEntry. Raises ValueError
    if another module has added a schedule of that name.
    """

    def add(kind: C) -> C:
        description = " ".join((kind.__doc__ or name).split("\n\n")[0].split())
        SCHEDULES.add(ScheduleEntry(name, kind, returns, description, kind.__module__))
        return kind

    return add


def each_side(size: Sequence[int], scaled: Callable[[int], int]) -> Size:
    """Scale the height and the width, each to at least one pixel."""
    height, width = size
    return max(1, scaled(height)), max(1, scaled(width))


def shrinking(largest: Size, count: int, scaled: Callable[[int], int]) -> list[Size]:
    """Return `count` sizes that end with `largest`. Each is the following one, scaled."""
    sizes = [largest]
    for _ in range(count - 1):
        sizes.insert(0, each_side(sizes[0], scaled))
    return sizes


@schedule("plain")
class Plain:
    """Start each octave with the result of the previous octave, resized. At the end, resize to the original size.

    This is the schedule of the TensorFlow tutorial. With `count` = 1 and `above` = 0, there is one octave, at the
    original size. A schedule has no state: a resumed run needs only the photograph and the last picture. A subclass
    with other sizes overrides `sizes_of`.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        """Compute the sizes for a photograph `base` (..., H, W, 3)."""
        self.base = base
        self.own: Size = base.shape[-3:-1]
        self.sizes = self.sizes_of(self.own, octaves)

    @classmethod
    def sizes_of(cls, own: Size, octaves: Octaves) -> list[Size]:
        """Compute the size of each octave for a photograph of the size `own`."""
        return [
            each_side(own, partial(cls._scaled, octaves.scale, exponent))
            for exponent in range(octaves.above + 1 - octaves.count, octaves.above + 1)
        ]

    @staticmethod
    def _scaled(scale: float, exponent: int, side: int) -> int:
        return int(np.float32(side) * np.float32(scale**exponent))  # float32, as in the tutorial

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """Make the start picture of an octave, counted from 0.

        x is the result of the previous octave, or None for the first octave.
        """
        return bilinear(self.base if x is None else x, self.sizes[octave])

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """Make the result of an octave from the picture x that the optimizer ends with."""
        return bilinear(x, self.own) if octave == len(self.sizes) - 1 else x


@schedule("grown", returns=False)
class Grown(Plain):
    """Start at the original size and enlarge in each octave. Do not resize back.

    This is the schedule of the feature-visualisation notebook for pictures made from noise.
    """

    @classmethod
    def sizes_of(cls, own: Size, octaves: Octaves) -> list[Size]:
        """Compute the size of each octave, from the photograph's size `own` upwards."""
        sizes = [own]
        for _ in range(octaves.count - 1):
            sizes.append(each_side(sizes[-1], partial(cls._scaled, octaves.scale, 1)))
        return sizes

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """Enlarge the result of the previous octave."""
        return self.base if x is None else bilinear(x, self.sizes[octave], "origin")

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """Return the picture as it is."""
        return x


@schedule("reinjected")
class Reinjected(Plain):
    """After each octave, add the detail that the photograph loses when it is resized to the previous octave's size.

    This is the schedule of the Keras InceptionV3 example.
    """

    @staticmethod
    def _scaled(scale: float, exponent: int, side: int) -> int:
        return int(side / scale**-exponent)

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """Add the lost detail: photograph at this size − (smaller photograph, enlarged to this size)."""
        size, smaller = self.sizes[octave], self.sizes[max(octave - 1, 0)]
        lost = bilinear(self.base, size) - bilinear(bilinear(self.base, smaller), size)
        return super().finish(octave, x + lost)


@schedule("carried")
class Carried(Plain):
    """Enlarge the difference between dream and photograph, and add it to the photograph at the next size.

    This is the schedule of the DeepDream notebook.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        """Resize a photograph `base` (..., H, W, 3) to all sizes."""
        super().__init__(base, octaves)
        self.bases = [bilinear(base, self.sizes[-1], "corners")]
        for size in reversed(self.sizes[:-1]):
            self.bases.insert(0, bilinear(self.bases[0], size, "corners"))

    @classmethod
    def sizes_of(cls, own: Size, octaves: Octaves) -> list[Size]:
        """Compute the size of each octave, from the largest downwards."""
        largest = super().sizes_of(own, octaves)[-1]
        return shrinking(largest, octaves.count, lambda side: round(side / octaves.scale))

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """Add the difference between x and the smaller photograph, enlarged, to the photograph at this size."""
        if x is None:
            return self.bases[0]
        return self.bases[octave] + bilinear(x - self.bases[octave - 1], self.sizes[octave], "corners")


@schedule("split")
class Split(Plain):
    """Split the photograph into frequency bands first. Each octave adds the next band to the previous result.

    This is the schedule of the feature-visualisation notebook for photographs.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        """Split a photograph `base` (..., H, W, 3) into bands."""
        super().__init__(base, octaves)
        low = bilinear(base, self.sizes[-1], "origin")
        self.details: list[np.ndarray] = []
        for size in reversed(self.sizes[:-1]):
            lower = bilinear(low, size, "origin")
            self.details.insert(0, low - bilinear(lower, low.shape[-3:-1], "origin"))
            low = lower
        self.details.insert(0, low)

    @classmethod
    def sizes_of(cls, own: Size, octaves: Octaves) -> list[Size]:
        """Compute the size of each octave, from the largest downwards."""
        largest = super().sizes_of(own, octaves)[-1]
        return shrinking(largest, octaves.count, lambda side: int(side / octaves.scale))

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """Resize the previous result to this size and add the band of this octave."""
        if x is None:
            return self.details[0]
        return bilinear(x, self.sizes[octave], "origin") + self.details[octave]
