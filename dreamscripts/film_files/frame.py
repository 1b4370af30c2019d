"""A frame of a film."""

from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """A picture, and the time at which it is shown."""

    pixels: np.ndarray
    """uint8 (H, W, 3), RGB."""
    pts: int
    """The presentation time, in units of the film's time base."""
