"""Make short films whose true motion is known, to measure how a dream follows it.

The camera moves over a landscape and approaches it, and a round piece of another picture moves across. Both pictures
are samples of `render.py`. Needs numpy, pillow and opencv-python-headless.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dreamscripts.dreams.films.motion import Motion

FINE = 3  # pixels per side that are averaged to one pixel of a frame
WHOLE = 0.02  # the share of a pixel that may show the other picture


class Scene:
    """A landscape with a round piece of another picture that moves over it.

    `pan` and `speed` are those of the camera and of the piece, in shares of the width per frame, right and down.
    `enlargement` is the factor per frame, and `radius` is that of the piece, as a share of the height.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        landscape: str = "hills",
        piece: str = "pebbles",
        pan: tuple[float, float] = (0.008, 0.001),
        enlargement: float = 1.004,
        speed: tuple[float, float] = (0.013, -0.003),
        radius: float = 0.17,
    ):
        self.size = height, width
        self._landscape, self._piece = _opened(landscape), _opened(piece)
        self._pan, self._enlargement, self._speed = np.array(pan), enlargement, np.array(speed)
        self._radius = radius * height
        self._scale = 0.72 * min(np.array(self._landscape.shape[:2]) / self.size)  # the rest is for the pan

    def frame(self, number: int) -> np.ndarray:
        """Render a frame, counted from 0: uint8 (H, W, 3), RGB."""
        height, width = self.size
        ground = self._fine(self._landscape, *self._camera(number))
        centre = self._centre(number)
        middle = np.array(self._piece.shape[1::-1]) / 2
        piece = self._fine(self._piece, self._scale, middle - self._scale * centre)
        rows, columns = ((np.arange(FINE * side) + 0.5) / FINE - 0.5 for side in self.size)
        inside = np.hypot(rows[:, None] - centre[1], columns - centre[0]) < self._radius
        ground[inside] = piece[inside]
        return np.rint(ground.reshape(height, FINE, width, FINE, 3).mean((1, 3))).astype(np.uint8)

    def motion(self, number: int) -> Motion:
        """Return the true motion from the frame before. Trust is 1 for what both frames show, and 0 for the rest."""
        height, width = self.size
        place = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float64)
        (scale, offset), (scale_before, offset_before) = self._camera(number), self._camera(number - 1)
        origin = (scale * place + offset - offset_before) / scale_before
        covered = self._covered(number, place)
        moved = self._centre(number) - self._centre(number - 1)
        origin[covered > 0.5] = place[covered > 0.5] - moved
        inside = ((origin >= 1) & (origin <= [width - 2, height - 2])).all(2)
        whole = (covered < WHOLE) | (covered > 1 - WHOLE)
        visible = inside & whole & (np.abs(self._covered(number - 1, origin) - covered) < WHOLE)
        return Motion(*np.moveaxis(origin.astype(np.float32), 2, 0), visible.astype(np.float32))

    def uncovered(self, number: int) -> np.ndarray:
        """Return, as bool (H, W), the places of the landscape that the piece covered in the frame before."""
        motion = self.motion(number)
        now = self._covered(number, np.stack(np.meshgrid(*(np.arange(side) for side in self.size[::-1])), axis=2))
        before = self._covered(number - 1, np.stack([motion.x, motion.y], axis=2))
        return (now < WHOLE) & (before > 1 - WHOLE)

    def _camera(self, number: int) -> tuple[float, np.ndarray]:
        """Return s and b (2,), so that a frame shows the landscape at s·p + b at the place p = (x, y)."""
        height, width = self.size
        scale = self._scale / self._enlargement**number
        middle = np.array(self._landscape.shape[1::-1]) * (0.4, 0.5) + self._scale * width * self._pan * number
        return scale, middle - scale * np.array([width, height]) / 2

    def _centre(self, number: int) -> np.ndarray:
        """Return the centre (x, y) of the round piece."""
        height, width = self.size
        return np.array([0.15 * width, 0.65 * height]) + self._speed * width * number

    def _covered(self, number: int, place: np.ndarray) -> np.ndarray:
        """Return the share (H, W) of the pixels at these places, (H, W, 2), that the round piece covers."""
        return np.clip(self._radius + 0.5 - np.linalg.norm(place - self._centre(number), axis=2), 0, 1)

    def _fine(self, picture: np.ndarray, scale: float, offset: np.ndarray) -> np.ndarray:
        """Return a picture at scale·p + offset, with FINE × FINE pixels for each p. Outside is its mirror image."""
        height, width = self.size
        offset = offset + scale * (0.5 / FINE - 0.5)
        matrix = np.array([[scale / FINE, 0, offset[0]], [0, scale / FINE, offset[1]]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (FINE * width, FINE * height), flags=how, borderMode=cv2.BORDER_REFLECT)


def _opened(name: str) -> np.ndarray:
    return np.asarray(Image.open(Path(__file__).with_name(f"{name}.jpg")).convert("RGB"))
