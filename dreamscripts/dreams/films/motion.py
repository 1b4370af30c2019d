"""The motion between two frames of a film, and where it can be trusted."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np


class Motion(NamedTuple):
    """Where the things in a frame were in the frame before."""

    x: np.ndarray  # float32 (H, W): the column of each pixel in the frame before
    y: np.ndarray  # float32 (H, W): its row
    trust: np.ndarray  # float32 (H, W), 0..1: 0 where the frame before does not show the same thing

    def moved(self, x: np.ndarray) -> np.ndarray:
        """Move float32 (H, W) or (H, W, C) of the frame before to where its things are now, by cubic interpolation."""
        return cv2.remap(x, self.x, self.y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def luma_of(frame: np.ndarray) -> np.ndarray:
    """Return the luma, uint8 (H, W), of a frame, uint8 (H, W, 3)."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def find_motion(now: np.ndarray, before: np.ndarray) -> Motion:
    """Find the motion from the frame before to the frame now, both luma, uint8 (H, W).

    This is the Dense Inverse Search of Kroeger, Timofte, Dai and Van Gool (2016), "Fast Optical Flow using Dense
    Inverse Search", as in OpenCV. Trust is that of Ruder, Dosovitskiy and Brox (2016), "Artistic style transfer for
    videos": the flow back must return to the same place, and its edges are not trusted.
    """
    with ThreadPoolExecutor(1) as other:  # both ways at once: much of each search is done by one thread
        going = other.submit(_flow, before, now)
        back = _flow(now, before)
    forth = going.result()
    height, width = now.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = columns + back[..., 0], rows + back[..., 1]
    returned = cv2.remap(forth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    length = _squared(back)
    lost = _squared(back + returned) >= 0.01 * (length + _squared(returned)) + 0.5
    edge = _squared(_slope(back, 1, 0)) + _squared(_slope(back, 0, 1)) > 0.01 * length + 0.002
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    trusted = 1 - (lost | edge | outside).astype(np.float32)
    return Motion(x, y, cv2.blur(cv2.erode(trusted, np.ones((3, 3))), (5, 5)))


def _flow(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return where each pixel of a frame is in another one, as float32 (H, W, 2), less where it is now."""
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(now, before, None)


def _squared(vectors: np.ndarray) -> np.ndarray:
    return vectors[..., 0] ** 2 + vectors[..., 1] ** 2


def _slope(flow: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """Return half the difference between the flow of the two neighbours of each pixel along an axis."""
    return cv2.Sobel(flow, cv2.CV_32F, dx, dy, ksize=1, scale=0.5)
