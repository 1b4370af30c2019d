"""Laplacian-pyramid normalisation of a gradient, which gives all scales of detail the same strength.

Most of a gradient is fine detail. The feature-visualisation notebook (A. Mordvintsev, 2016) splits it into frequency
bands (Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code"), divides each band by its root mean
square, and adds the bands.

Tensors are float32 (..., 3, H, W) here, except in `normalise`. Each picture of a batch is treated separately.
"""

from typing import Any

import numpy as np

from dreamscripts.backends.lazy_keras import ops

Tensor = Any
KERNEL = np.array([1, 4, 6, 4, 1], np.float32) / 16
LEAST = 1e-10  # smallest divisor of a level


def normalise(g: Tensor, splits: int) -> Tensor:
    """Divide every level of the pyramid of a gradient (..., H, W, 3) by its root mean square."""
    levels = split(ops.moveaxis(g, -1, -3), splits)
    rms = [ops.sqrt(ops.mean(ops.square(level), axis=(-3, -2, -1), keepdims=True)) for level in levels]
    even = merge([level / ops.maximum(size, LEAST) for level, size in zip(levels, rms, strict=True)])
    return ops.moveaxis(even, -3, -1)


def split(planes: Tensor, splits: int) -> list[Tensor]:
    """Split a gradient into the levels of the pyramid, coarsest first: the blurred gradient, then `splits` bands."""
    levels = []
    for _ in range(splits):
        down, across = (_blur(ops.shape(planes)[axis]) for axis in (-2, -1))
        low = down @ planes @ ops.transpose(across)
        levels.append(planes - _expanded(low, down, across))
        planes = low
    return [*levels, planes][::-1]


def merge(levels: list[Tensor]) -> Tensor:
    """Add the levels of a pyramid: the inverse of `split`."""
    planes = levels[0]
    for high in levels[1:]:
        planes = _expanded(planes, *(_blur(ops.shape(high)[axis]) for axis in (-2, -1))) + high
    return planes


def _expanded(low: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Enlarge planes to the size of the next level: four times the transpose of blurring."""
    return 4 * (ops.transpose(down) @ low @ across)


def _blur(side: Any) -> Tensor:
    """Return the matrix (half, side) that blurs along a side and keeps every second value, with zeros outside.

    The first position follows TensorFlow's rule for padding "SAME".
    """
    half = (side + 1) // 2
    first = 2 * ops.arange(half, dtype="int32") - (2 * half + 3 - side) // 2
    columns = ops.arange(side, dtype="int32") - first[:, None]
    inside = ops.logical_and(columns >= 0, columns < len(KERNEL))
    return ops.where(inside, ops.take(KERNEL, ops.clip(columns, 0, len(KERNEL) - 1)), 0.0)
