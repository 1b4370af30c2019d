"""The size and the orientation in which the frames of a film are given."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Orientation:
    """How the frames of a file are turned: exchange rows and columns, then reverse the order of rows or columns."""

    transposed: bool = False
    rows_reversed: bool = False
    columns_reversed: bool = False

    def size(self, size: Size) -> Size:
        """Return the size of an upright frame. The same function returns the size in the file."""
        return (size[1], size[0]) if self.transposed else size

    def upright(self, pixels: np.ndarray) -> np.ndarray:
        """Turn a frame (H, W, …). The result has its own memory."""
        turned = pixels.swapaxes(0, 1) if self.transposed else pixels
        turned = turned[:: -1 if self.rows_reversed else 1, :: -1 if self.columns_reversed else 1]
        return np.array(turned, order="C")


UPRIGHT = Orientation()


@dataclass(frozen=True)
class Shape:
    """The shape of the frames in a file and of the frames that are given."""

    in_file: Size
    aspect: Fraction
    """The width of a pixel in the file divided by its height."""
    orientation: Orientation
    size: Size
    """The height and width of the upright frames that are given. Both are even."""

    @property
    def unturned(self) -> Size:
        """The height and width of the frames that are given, in the orientation of the file."""
        return self.orientation.size(self.size)

    @property
    def is_cropped(self) -> bool:
        """Whether frames are not scaled, but lose at most their last row and column."""
        losses = [before - after for before, after in zip(self.in_file, self.unturned, strict=True)]
        return self.aspect == 1 and all(0 <= loss <= 1 for loss in losses)


def orientation_of(frame: "VideoFrame") -> Orientation | None:
    """Return how a decoded frame must be turned, or None if that is not by a multiple of 90° (within 1°).

    Its display matrix maps the position (x, y) in the file to (a x + c y, b x + d y) on the screen.
    """
    try:
        side_data: Mapping[str, Any] = frame.side_data
        a, b, _, c, d = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32, 5).astype(float)
    except KeyError:
        return UPRIGHT
    except ValueError:  # PyAV does not know other side data of the frame
        angle = np.radians(frame.rotation)
        a, b, c, d = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    length = np.hypot(a, b)
    if not length or min(abs(a), abs(b)) > length * np.sin(np.radians(1)):
        return None
    if abs(a) > abs(b):
        return Orientation(False, rows_reversed=d < 0, columns_reversed=a < 0)
    return Orientation(True, rows_reversed=b < 0, columns_reversed=c < 0)


def square_pixels(size: Size, aspect: Fraction) -> tuple[Fraction, Fraction]:
    """Return the height and width that show a frame with square pixels. No side becomes shorter.

    `aspect` is the width of a pixel divided by its height.
    """
    height, width = map(Fraction, size)
    return (height, width * aspect) if aspect >= 1 else (height / aspect, width)


def target_size(height: Fraction, width: Fraction, longer: int | None) -> Size:
    """Return the even height and width of the frames that are given. Without `longer`, odd sides lose one pixel.

    With `longer`, the longer side is scaled to that many pixels, or one fewer if that is odd.
    """
    if longer is None:
        return _even_below(height), _even_below(width)
    scale = longer // 2 * 2 / max(height, width)
    return _even(height * scale), _even(width * scale)


def fitted_into(height: Fraction, width: Fraction, target: Size) -> Size:
    """Return the largest even height and width with the shape of a frame that fit into `target`.

    A side that differs from the target by 2 pixels or less is that of the target.
    """
    scale = min(target[0] / height, target[1] / width)
    sides = zip((height * scale, width * scale), target, strict=True)
    rows, columns = (most if most - side <= 2 else _even_below(side) for side, most in sides)
    return rows, columns


def _even(side: Fraction) -> int:
    return max(2, 2 * math.ceil((side - 1) / 2))


def _even_below(side: Fraction) -> int:
    return max(2, 2 * (round(side) // 2))
