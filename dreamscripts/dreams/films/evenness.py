"""Spread the change of a frame over the whole frame."""

import numpy as np
from scipy import ndimage

EVENNESS = 0.6  # 0: strong parts of a gradient stay as strong as they are; 1: all parts get the same strength
WINDOW = 0.15  # of the height: the size of such a part


def unit(gradient: np.ndarray) -> np.ndarray:
    """Divide a gradient by its mean absolute value, unless it is zero."""
    mean = np.abs(gradient).mean()
    return gradient / mean if mean else gradient


def even(gradient: np.ndarray) -> np.ndarray:
    """Weaken the parts of a gradient (H, W, 3) that are stronger than the rest, and strengthen the weaker ones.

    Most measures grow fastest where a dream is strongest already. Without this, a few creatures take all the change.
    """
    strength = around(gradient)
    mean = strength.mean()
    return gradient / np.maximum(strength / mean, 0.02)[..., None] ** EVENNESS if mean else gradient


def around(x: np.ndarray) -> np.ndarray:
    """Return the mean absolute value around each pixel of float32 (H, W, 3), as float32 (H, W)."""
    return ndimage.uniform_filter(np.abs(x).mean(-1), max(1, round(WINDOW * len(x))))
