"""The frames of films, with what the next frame needs of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ZoomFrame:
    """A frame of a zoom, and what the next frame needs of it."""

    number: int  # from 0
    picture: np.ndarray  # float32 (H, W, 3), RGB in 0..255
    start: np.ndarray  # float32 (H, W, 3): the first frame

    @property
    def pixels(self) -> np.ndarray:
        """The frame: uint8 (H, W, 3), RGB."""
        return np.rint(self.picture).astype(np.uint8)


@dataclass(frozen=True)
class VideoFrame:
    """A dreamt frame of a film, and what the next frame needs of it."""

    number: int  # from 0
    first: int  # the number of the first frame of this shot
    strength: float  # mean absolute value of `added` in that frame
    pixels: np.ndarray  # uint8 (H, W, 3), RGB: the dreamt frame
    luma: np.ndarray  # uint8 (H, W), of the film
    added: np.ndarray  # float32 (H, W, 3): what the dream added, in pixel values
    new: np.ndarray  # float32 (H, W), 0..1: 1 where the film has just shown something new
