"""The endless zoom: each frame is the last one, enlarged about a point and dreamt a little further.

In a loop, the first frame comes back at the point that the film moves to. It is small at first, as a picture within
the picture, and it fills the frame in the moment in which the film begins again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, exp, log, prod, radians, sin
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage

from dreamscripts.dreams.films.frames import ZoomFrame
from dreamscripts.dreams.films.speed import speed_at
from dreamscripts.dreams.films.tone import held, tone_of
from dreamscripts.errors import SettingsError
from dreamscripts.images.resizing import Size, resampled
from dreamscripts.settings.film_tables import Zoom

if TYPE_CHECKING:
    from dreamscripts.dreams.films.journey import Journey

STRENGTH = 60.0  # mean change of the dream in pixel values per second, at strength 1
HOLD = 6.0  # how fast the tone returns: after a second, exp(−HOLD) of a difference is left
SMALLEST = 1 / 12  # size of the first frame when it comes back in a loop; larger if the film enlarges less
LEAST_ENLARGEMENT = 3.0  # of a whole film that is a loop


@dataclass(frozen=True)
class View:
    """Where the camera goes between two frames: it enlarges and turns what it sees about a point."""

    factor: float
    degrees: float  # clockwise
    x: float  # the point, as shares of the width and the height
    y: float

    def of(self, picture: np.ndarray) -> np.ndarray:
        """Return the view of a picture, float32 (H, W, C). What is outside of it is its mirror image."""
        height, width = picture.shape[:2]
        return _transformed(picture, *self.back(height, width), (height, width), "reflect")

    def back(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return A (2, 2) and b (2,), so that A·p + b is the place in the picture that the view shows at p = (x, y)."""
        angle = radians(self.degrees)
        turned = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]]) / self.factor
        point = np.array([self.x * width, self.y * height])
        return turned, point - turned @ point


def _transformed(
    picture: np.ndarray, turned: np.ndarray, offset: np.ndarray, size: Size, outside: Literal["reflect", "constant"]
) -> np.ndarray:
    """Return float32 (H, W, C) of this size, from a picture at turned·p + offset. Outside is a mirror image, or 0.

    The interpolation is by cubic splines. Cubic convolution sharpens, and a zoom repeats it until little else is left.
    """
    matrix = turned[::-1, ::-1]  # for p = (row, column)
    start = offset[::-1] + matrix @ (0.5, 0.5) - 0.5  # from the corners of pixels to their centres
    planes = [ndimage.spline_filter(picture[..., c], 3, np.float32, "reflect") for c in range(picture.shape[2])]
    how: dict[str, Any] = {"output": np.float32, "order": 3, "mode": outside, "prefilter": False}
    return np.stack([ndimage.affine_transform(plane, matrix, start, size, **how) for plane in planes], axis=2)


def dream_zoom(
    picture: np.ndarray, journey: "Journey", zoom: Zoom, after: ZoomFrame | None = None
) -> Iterator[ZoomFrame]:
    """Yield the frames of a zoom into a picture: float32 (H, W, 3), RGB in 0..255.

    after: a frame of an earlier run with the same settings. The film continues after it, as without the interruption.
    Raises SettingsError if a loop is too short.
    """
    views = _views(zoom)
    if zoom.loop:
        _check_loop(views)
    if after is None:
        first = journey.dream(picture)
        after = ZoomFrame(0, first, first)
        yield after
    last, tone = after, tone_of(after.start)
    for number in range(after.number + 1, zoom.frames):
        seen = views[number - 1].of(last.picture)
        step = STRENGTH * zoom.strength / zoom.fps
        seen = seen + step * journey.direction(seen, number, number / zoom.fps)
        seen = held(seen, tone, 1 - exp(-HOLD / zoom.fps))
        if zoom.loop:
            seen = _with_start(seen, last.start, views, number)
        last = ZoomFrame(number, seen, last.start)
        yield last


def _views(zoom: Zoom) -> list[View]:
    """Return the views between all frames, and from the last one to the first of the next round."""
    speeds = [speed_at(zoom, number / zoom.fps) for number in range(zoom.frames)]
    return [View(factor ** (1 / zoom.fps), turn / zoom.fps, zoom.x, zoom.y) for factor, turn in speeds]


def _check_loop(views: list[View]) -> None:
    enlargement = prod(view.factor for view in views)
    if enlargement < LEAST_ENLARGEMENT:
        raise SettingsError(
            f"a loop must enlarge {LEAST_ENLARGEMENT:g} times in all, and this film enlarges {enlargement:.1f} times: "
            "use more seconds, or a larger zoom.factor"
        )


def _with_start(picture: np.ndarray, start: np.ndarray, views: list[View], number: int) -> np.ndarray:
    """Put the first frame of a loop into the picture of a later frame, as it must look then."""
    ahead = views[number:]
    size = 1 / prod(view.factor for view in ahead)
    smallest = max(SMALLEST, 1 / prod(view.factor for view in views))
    if size < smallest:
        return picture
    height, width, _ = picture.shape
    small = resampled(start, max(1, round(size * height)), max(1, round(size * width)))
    far = log(size) / log(smallest)  # 1 when it appears, 0 at the end
    opacity = _smooth((1 - far) / 0.3) * _from_edge(small.shape[:2], 0.01 + 0.4 * far)
    turned, offset = View(size, -sum(view.degrees for view in ahead), ahead[0].x, ahead[0].y).back(height, width)
    scale = np.array([small.shape[1] / width, small.shape[0] / height])
    both, turned, offset = np.dstack([small, opacity]), scale[:, None] * turned, scale * offset
    placed = _transformed(both, turned, offset, (height, width), "constant")
    covered = np.clip(placed[..., 3:], 0, 1)
    return np.clip((1 - covered) * picture + covered * placed[..., :3], 0, 255)


def _from_edge(size: Size, soft: float) -> np.ndarray:
    """Return float32 (H, W) that rises from 0 at the edges to 1, within `soft` (0..1) of the smaller side."""
    rows, columns = (np.minimum(np.arange(side) + 0.5, side - 0.5 - np.arange(side)) for side in size)
    return _smooth(np.minimum.outer(rows, columns) / (soft * min(size))).astype(np.float32)


def _smooth(x: np.ndarray | float) -> np.ndarray:
    """Rise smoothly from 0 at x = 0 to 1 at x = 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
