"""Laplacian-pyramid normalisation of a gradient, which gives all scales of detail the same strength.

Most of a gradient is fine detail. The feature-visualisation notebook (A. Mordvintsev, 2016) splits it into frequency
bands (Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code"), divides each band by its root mean
square, and adds the bands.

Arrays are float (..., 3, H, W) here, except in `normalise`. Each picture of a batch is treated separately.
"""

from functools import lru_cache

import numpy as np

KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16
LEAST = 1e-10  # smallest divisor of a level


def normalise(g: np.ndarray, splits: int) -> np.ndarray:
    """Divide every level of the pyramid of a gradient (..., H, W, 3) by its root mean square."""
    levels = split(np.ascontiguousarray(np.moveaxis(g, -1, -3)), splits)
    rms = [np.sqrt(np.square(level).mean((-3, -2, -1), keepdims=True)) for level in levels]
    even = merge([level / np.maximum(size, LEAST) for level, size in zip(levels, rms, strict=True)])
    return np.ascontiguousarray(np.moveaxis(even, -3, -1))


def split(planes: np.ndarray, splits: int) -> list[np.ndarray]:
    """Split a gradient into the levels of the pyramid, coarsest first: the blurred gradient, then `splits` bands."""
    levels = []
    for _ in range(splits):
        low = _reduce(planes)
        levels.append(planes - _expand(low, planes.shape))
        planes = low
    return [*levels, planes][::-1]


def merge(levels: list[np.ndarray]) -> np.ndarray:
    """Add the levels of a pyramid: the inverse of `split`."""
    planes = levels[0]
    for high in levels[1:]:
        planes = _expand(planes, high.shape) + high
    return planes


def _reduce(planes: np.ndarray) -> np.ndarray:
    """Blur the planes and keep every second row and column."""
    *_, height, width = planes.shape
    return _blur(height) @ planes @ _blur(width).T


def _expand(low: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Enlarge planes to a shape (..., H, W): four times the transpose of `_reduce`."""
    *_, height, width = shape
    return 4 * (_blur(height).T @ low @ _blur(width))


@lru_cache(64)
def _blur(side: int) -> np.ndarray:
    """Return the matrix (half, side) of the blur with stride 2 along a side, with zeros outside the picture.

    The first position follows TensorFlow's rule for padding "SAME".
    """
    half = (side + 1) // 2
    first = 2 * np.arange(half) - (2 * half + 3 - side) // 2
    columns = np.arange(side) - first[:, None]
    return np.where((columns >= 0) & (columns < 5), KERNEL[columns.clip(0, 4)], 0)
