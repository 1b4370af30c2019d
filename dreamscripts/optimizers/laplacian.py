"""Laplacian-pyramid normalisation of a gradient, so that every scale of detail grows at the same pace.

Left alone, a gradient is mostly fine grain. The feature-visualisation notebook (A. Mordvintsev, 2016) splits it into
bands of detail (Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code"), brings each to the same
size and puts them together again.

Pictures are planes here, float (..., 3, H, W): one, or a batch of which each is treated by itself.
"""

from functools import lru_cache

import numpy as np

KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16
LEAST = 1e-10  # what a level is divided by where there is nothing in it


def normalise(g: np.ndarray, splits: int) -> np.ndarray:
    """A gradient (..., H, W, 3) with every level of its pyramid divided by its root mean square."""
    levels = split(np.ascontiguousarray(np.moveaxis(g, -1, -3)), splits)
    rms = [np.sqrt(np.square(level).mean((-3, -2, -1), keepdims=True)) for level in levels]
    even = merge([level / np.maximum(size, LEAST) for level, size in zip(levels, rms, strict=True)])
    return np.ascontiguousarray(np.moveaxis(even, -3, -1))


def split(planes: np.ndarray, splits: int) -> list[np.ndarray]:
    """The levels of the pyramid, coarsest first: a blurred rest, then `splits` bands of detail."""
    levels = []
    for _ in range(splits):
        low = _reduce(planes)
        levels.append(planes - _expand(low, planes.shape))
        planes = low
    return [*levels, planes][::-1]


def merge(levels: list[np.ndarray]) -> np.ndarray:
    """What `split` took apart."""
    planes = levels[0]
    for high in levels[1:]:
        planes = _expand(planes, high.shape) + high
    return planes


def _reduce(planes: np.ndarray) -> np.ndarray:
    """Blurred, and every second row and column of it."""
    *_, height, width = planes.shape
    return _blur(height) @ planes @ _blur(width).T


def _expand(low: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Back to that shape: four times the transpose of `_reduce`."""
    *_, height, width = shape
    return 4 * (_blur(height).T @ low @ _blur(width))


@lru_cache(64)
def _blur(side: int) -> np.ndarray:
    """The blur with stride 2 along a side, as a matrix (half, side); zeros lie beyond the edge.

    Where it begins is TensorFlow's rule for padding "SAME".
    """
    half = (side + 1) // 2
    first = 2 * np.arange(half) - (2 * half + 3 - side) // 2
    columns = np.arange(side) - first[:, None]
    return np.where((columns >= 0) & (columns < 5), KERNEL[columns.clip(0, 4)], 0)
