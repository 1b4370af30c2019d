"""The camera of a zoom: what it sees of a frame in the next one."""

from dataclasses import dataclass
from math import cos, exp, radians, sin
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from dreamscripts.dreams.films.speed import speed_at
from dreamscripts.errors import SettingsError
from dreamscripts.images.resizing import Size
from dreamscripts.settings.film_tables import Zoom

LEAST_ENLARGEMENT = 3.0  # of a whole film that is a loop


@dataclass(frozen=True)
class View:
    """Where the camera goes from one frame to another: it enlarges and turns what it sees about a point."""

    factor: float
    degrees: float  # clockwise
    x: float  # the point, as shares of the width and the height
    y: float

    def of(self, picture: np.ndarray) -> np.ndarray:
        """Return the view of a picture, float32 (H, W, C). What is outside of it is its mirror image."""
        height, width = picture.shape[:2]
        return transformed(picture, *self.back(height, width), (height, width), "reflect")

    def back(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return A (2, 2) and b (2,), so that A·p + b is the place in the picture that the view shows at p = (x, y)."""
        angle = radians(self.degrees)
        turned = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]]) / self.factor
        point = np.array([self.x * width, self.y * height])
        return turned, point - turned @ point


def transformed(
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


class Camera:
    """The way of the camera through a zoom, from frame to frame, and from the last frame to a copy of the first one.

    Raises SettingsError if a loop is too short for this copy to appear.
    """

    def __init__(self, zoom: Zoom):
        self._point = zoom.x, zoom.y
        speeds = np.array([speed_at(zoom, number / zoom.fps) for number in range(zoom.frames)])
        self._steps = np.stack([np.log(speeds[:, 0]), speeds[:, 1]], axis=1) / zoom.fps  # (frames, 2)
        self._ahead = np.cumsum(self._steps[::-1], axis=0)[::-1]  # from each frame to the end
        if zoom.loop and self.enlargement < LEAST_ENLARGEMENT:
            raise SettingsError(
                f"a loop must enlarge {LEAST_ENLARGEMENT:g} times in all, and this film enlarges "
                f"{self.enlargement:.1f} times: use more seconds, or a larger zoom.factor"
            )

    @property
    def enlargement(self) -> float:
        """How many times the film enlarges in all."""
        return exp(self._ahead[0, 0])

    def view(self, number: int) -> View:
        """Return the view from a frame to the next one."""
        return self._view(self._steps[number])

    def to_end(self, number: int) -> View:
        """Return the view from a frame to the end of the film."""
        return self._view(self._ahead[number])

    def _view(self, step: np.ndarray) -> View:
        return View(exp(step[0]), float(step[1]), *self._point)
