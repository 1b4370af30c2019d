"""The endless zoom: each frame is the last one, enlarged about a point and dreamt a little further.

In a loop, the first frame comes back at the point that the film moves to. It is small at first, as a picture within
the picture, and it fills the frame in the moment in which the film begins again.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.dreams.films.camera import Camera, transformed
from dreamscripts.dreams.films.frames import ZoomFrame
from dreamscripts.dreams.films.tone import held, tone_of
from dreamscripts.images.resizing import Size, resampled
from dreamscripts.settings.film_tables import Zoom

if TYPE_CHECKING:
    from dreamscripts.dreams.films.journey import Journey

STRENGTH = 60.0  # mean change of the dream in pixel values per second, at strength 1
HOLD = 6.0  # how fast the tone returns: after a second, exp(−HOLD) of a difference is left
SMALLEST = 1 / 12  # size of the first frame when it comes back in a loop; larger if the film enlarges less


def dream_zoom(
    picture: np.ndarray, journey: "Journey", zoom: Zoom, after: ZoomFrame | None = None
) -> Iterator[ZoomFrame]:
    """Yield the frames of a zoom into a picture: float32 (H, W, 3), RGB in 0..255.

    after: a frame of an earlier run with the same settings. The film continues after it, as without the interruption.
    Raises SettingsError if a loop is too short.
    """
    camera = Camera(zoom)
    if after is None:
        first = journey.dream(picture)
        after = ZoomFrame(0, first, first)
        yield after
    last, tone = after, tone_of(after.start)
    for number in range(after.number + 1, zoom.frames):
        seen = camera.view(number - 1).of(last.picture)
        step = STRENGTH * zoom.strength / zoom.fps
        seen = seen + step * journey.direction(seen, number, number / zoom.fps)
        seen = held(seen, tone, 1 - exp(-HOLD / zoom.fps))
        if zoom.loop:
            seen = _with_start(seen, last.start, camera, number)
        last = ZoomFrame(number, seen, last.start)
        yield last


def _with_start(picture: np.ndarray, start: np.ndarray, camera: Camera, number: int) -> np.ndarray:
    """Put the first frame of a loop into the picture of a later frame, as it must look then."""
    to_end = camera.to_end(number)
    size = 1 / to_end.factor
    smallest = max(SMALLEST, 1 / camera.enlargement)
    if size < smallest:
        return picture
    height, width, _ = picture.shape
    small = resampled(start, max(1, round(size * height)), max(1, round(size * width)))
    far = log(size) / log(smallest)  # 1 when it appears, 0 at the end
    opacity = _smooth((1 - far) / 0.3) * _from_edge(small.shape[:2], 0.01 + 0.4 * far)
    turned, offset = replace(to_end, factor=size, degrees=-to_end.degrees).back(height, width)
    scale = np.array([small.shape[1] / width, small.shape[0] / height])
    both, turned, offset = np.dstack([small, opacity]), scale[:, None] * turned, scale * offset
    placed = transformed(both, turned, offset, (height, width), "constant")
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
