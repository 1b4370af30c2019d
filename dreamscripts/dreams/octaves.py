"""Schedules of scales: at which sizes a dream is dreamt, and what goes from one to the next.

Pictures here are as the network sees them, float (H, W, 3), or a batch of them (N, H, W, 3). `base` is the
photograph. A schedule is asked to `begin` an octave with the picture that left the one before, and to `finish` it with
what the optimizer made; it remembers nothing, so that a resumed run needs only the photograph and the last picture.
Resizing is bilinear, in float, as in the sources: with the pixels' centres in place, or their corners, or only the
first of them.
"""

from collections.abc import Sequence

import numpy as np

from dreamscripts.images.resizing import Size, bilinear
from dreamscripts.settings.schema import Octaves


class Plain:
    """Each octave begins with the last one's picture, resized; at the end it returns to its own size.

    The TensorFlow tutorial's. Without octaves it is the whole picture, once.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        self.base = base
        self.own = base.shape[-3:-1]
        exponents = range(octaves.above + 1 - octaves.count, octaves.above + 1)
        self.sizes: Sequence[Size] = [
            tuple(max(1, self._scaled(side, octaves.scale, exponent)) for side in self.own) for exponent in exponents
        ]

    @staticmethod
    def _scaled(side: int, scale: float, exponent: int) -> int:
        return int(np.float32(side) * np.float32(scale**exponent))  # in float32, as the tutorial multiplies

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """The picture to begin with; x is what left the octave before, None in the first."""
        return bilinear(self.base if x is None else x, self.sizes[octave])

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """The picture that an octave ends with."""
        return bilinear(x, self.own) if octave == len(self.sizes) - 1 else x


class Grown(Plain):
    """From its own size the picture grows, and it stays as large as it got.

    The feature-visualisation notebook's, for pictures out of noise.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        super().__init__(base, octaves)
        self.sizes = [self.own]
        for _ in range(octaves.count - 1):
            self.sizes.append(tuple(self._scaled(side, octaves.scale, 1) for side in self.sizes[-1]))

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """The picture that left the octave before, enlarged."""
        return self.base if x is None else bilinear(x, self.sizes[octave], "origin")

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """The picture as it is."""
        return x


class Reinjected(Plain):
    """After each octave comes what the photograph lost by having been as small as in the octave before.

    The Keras InceptionV3 example's.
    """

    @staticmethod
    def _scaled(side: int, scale: float, exponent: int) -> int:
        return int(side / scale**-exponent)

    def finish(self, octave: int, x: np.ndarray) -> np.ndarray:
        """The picture with the lost detail added: the photograph here, less the smaller photograph resized to here."""
        size, smaller = self.sizes[octave], self.sizes[max(octave - 1, 0)]
        lost = bilinear(self.base, size) - bilinear(bilinear(self.base, smaller), size)
        return super().finish(octave, x + lost)


class Carried(Plain):
    """What the dream added to the photograph is carried to the next octave, onto the photograph at that size.

    The DeepDream notebook's.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        super().__init__(base, octaves)
        largest = base if not octaves.above else bilinear(base, self.sizes[-1], "corners")
        self.bases = [largest]
        for _ in range(octaves.count - 1):
            size = tuple(max(1, round(side / octaves.scale)) for side in self.bases[0].shape[-3:-1])
            self.bases.insert(0, bilinear(self.bases[0], size, "corners"))
        self.sizes = [smaller.shape[-3:-1] for smaller in self.bases]

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """The photograph at this size, and on it the detail that x had over the photograph before."""
        if x is None:
            return self.bases[0]
        return self.bases[octave] + bilinear(x - self.bases[octave - 1], self.sizes[octave], "corners")


class Split(Plain):
    """The photograph is split into octaves of detail beforehand; each is added to the dream as it grows.

    The feature-visualisation notebook's.
    """

    def __init__(self, base: np.ndarray, octaves: Octaves):
        super().__init__(base, octaves)
        low = base if not octaves.above else bilinear(base, self.sizes[-1], "origin")
        self.details = []
        for _ in range(octaves.count - 1):
            size = tuple(max(1, int(side / octaves.scale)) for side in low.shape[-3:-1])
            lower = bilinear(low, size, "origin")
            self.details.insert(0, low - bilinear(lower, low.shape[-3:-1], "origin"))
            low = lower
        self.details.insert(0, low)
        self.sizes = [detail.shape[-3:-1] for detail in self.details]

    def begin(self, octave: int, x: np.ndarray | None) -> np.ndarray:
        """The dream so far, resized to here, with this octave's detail."""
        if x is None:
            return self.details[0]
        return bilinear(x, self.sizes[octave], "origin") + self.details[octave]


SCHEDULES = {"plain": Plain, "grown": Grown, "reinjected": Reinjected, "carried": Carried, "split": Split}
