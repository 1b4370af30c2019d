"""The frames of a movie: pictures that cross-fade at a frame rate and are held at the end, alone or side by side.

Pictures and frames are uint8 (H, W, 3), RGB. Cross-fades mix the values as they are stored, so that the mean of each
channel changes evenly. Mixed as light, pictures look the same, but become a little brighter between two snapshots.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dreamscripts.errors import SettingsError
from dreamscripts.images.resizing import Size, resize

HOLD = 2.0  # seconds that the last picture is held
SHORTEST, LONGEST = 6.0, 10.0  # seconds of change in a movie of at least 4 pictures
OF_A_FADE = 2.0  # most seconds from one picture to the next
FIRST = 4  # the first picture is held for this part of the time of the last
GROUND = 16  # grey value of the gaps


class Moment(NamedTuple):
    """What a frame shows: picture `first`, mixed with `second`, whose share is `mix` (0..1)."""

    first: int
    second: int
    mix: float

    @property
    def nearest(self) -> int:
        """The picture with the larger share."""
        return self.second if self.mix >= 0.5 else self.first


@dataclass(frozen=True)
class Timing:
    """When each picture of a movie is shown. All pictures but the first and the last have the same time."""

    pictures: int
    rate: Fraction
    """Frames per second."""
    frames: int
    """All frames."""
    before: int
    """Frames that show the first picture alone, at the beginning."""
    after: int
    """Frames that show the last picture alone, at the end."""

    @classmethod
    def of(cls, pictures: int, rate: Fraction, seconds: float | None = None, hold: float | None = None) -> "Timing":
        """Plan a movie of at least two pictures.

        seconds: the length of the movie. Default: 8 to 12 seconds, less for fewer than 5 pictures.
        hold: seconds that the last picture is held. Default: 2, or a fifth of a shorter movie.

        Raises SettingsError if no time is left for the change.
        """
        change = min(OF_A_FADE * (pictures - 1), SHORTEST + pictures / 10, LONGEST)
        if hold is None:
            hold = HOLD if seconds is None else min(HOLD, seconds / 5)
        first = hold / FIRST
        if seconds is None:
            seconds = change + first + hold
        frames, before, after = (max(1, round(length * rate)) for length in (seconds, first, hold))
        if frames < before + after + 1:
            raise SettingsError(
                f"a movie of {seconds:g} seconds is too short to hold its first picture for {first:g} seconds and its "
                f"last for {hold:g}; use more --seconds or less --hold"
            )
        return cls(pictures, rate, frames, before, after)

    @property
    def seconds(self) -> float:
        """The length of the movie."""
        return float(self.frames / self.rate)

    def moment(self, frame: int) -> Moment:
        """Return what a frame shows. Frames are counted from 0."""
        steps = self.frames - self.before - self.after + 1  # from the last frame of the first picture to the last one
        done = min(max(frame - self.before + 1, 0), steps)
        first, part = divmod(done * (self.pictures - 1), steps)
        return Moment(first, min(first + 1, self.pictures - 1), part / steps)

    def moments(self) -> Iterator[Moment]:
        """Yield what each frame shows."""
        return map(self.moment, range(self.frames))


def cross_faded(pictures: Iterable[np.ndarray], timing: Timing) -> Iterator[np.ndarray]:
    """Yield the frames of a movie. Two pictures at a time are in memory."""
    steps = enumerate(pairwise(pictures))
    number, (first, second) = next(steps)
    for moment in timing.moments():
        while number < moment.first and (step := next(steps, None)):
            number, (first, second) = step
        yield mixed(first, second, moment.mix if number == moment.first else 1.0)


def as_frame(picture: np.ndarray, size: Size) -> np.ndarray:
    """Resize a picture, float32 (H, W, 3) in 0..255, to a frame of this height and width."""
    return np.rint(resize(picture, *size)).astype(np.uint8)


def beside(still: np.ndarray, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Put a picture of the same height to the left of each frame."""
    for frame in frames:
        yield side_by_side((still, frame), 2, gap_between(frame.shape[1]))


def mixed(first: np.ndarray, second: np.ndarray, mix: float) -> np.ndarray:
    """Mix two pictures, rounded. `mix` is the share of the second."""
    if mix in (0, 1):
        return second if mix else first
    share = round(mix * 256)  # 255 * 256 fits in 16 bits
    total = np.multiply(first, np.uint16(256 - share), dtype=np.uint16)
    total += np.multiply(second, np.uint16(share), dtype=np.uint16)
    total += 128
    return (total >> 8).astype(np.uint8)


def side_by_side(pictures: Sequence[np.ndarray], columns: int, gap: int) -> np.ndarray:
    """Put pictures in rows of `columns`, `gap` pixels apart. Those in a row have the same height, all rows one width.

    The last row may be shorter. It is centred.
    """
    rows = [pictures[first : first + columns] for first in range(0, len(pictures), columns)]
    lines = [_joined(row, 1, gap) for row in rows]
    width = max(line.shape[1] for line in lines)
    return _joined([_centred(line, width) for line in lines], 0, gap)


def even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column of a frame with odd sides: films need even sides, and resizing would blur it."""
    height, width, _ = frame.shape
    if height % 2 == width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), "edge")


def gap_between(width: int) -> int:
    """Return the gap beside a picture of this width: thin, and even."""
    return max(2, 2 * round(width / 160))


def columns_of(count: int, height: int, width: int) -> int:
    """Return in how many columns `count` pictures of this size look most like a screen, which is 16 : 9."""

    def unlike(columns: int) -> float:
        rows = -(-count // columns)
        empty = rows * columns - count
        return abs(np.log(columns * width / (rows * height) * 9 / 16)) + 2.5 * empty / count

    return min(range(1, count + 1), key=unlike)


def _joined(pictures: Sequence[np.ndarray], axis: int, gap: int) -> np.ndarray:
    shape = list(pictures[0].shape)
    shape[axis] = gap
    between = np.full(shape, GROUND, np.uint8)
    return np.concatenate([part for picture in pictures for part in (between, picture)][1:], axis)


def _centred(line: np.ndarray, width: int) -> np.ndarray:
    left = (width - line.shape[1]) // 2
    return np.pad(line, ((0, 0), (left, width - line.shape[1] - left), (0, 0)), constant_values=GROUND)
