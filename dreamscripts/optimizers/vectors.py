"""Inner products and weighted sums of vectors of a picture's size, on the device.

On a CPU, the vectors are in main memory, and most of the time is spent on reading them. NumPy therefore reads them
once, in parts that fit into the processor's cache. On a GPU, the backend computes on large parts.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dreamscripts.backends import host
from dreamscripts.backends.lazy_keras import ops

Vector = Any  # a float32 tensor of the backend, flat

CACHED, LARGE = 2**14, 2**24  # values in a part of a vector, on a CPU and on a GPU


def dot(a: Vector, b: Vector) -> float:
    """Compute the inner product of two vectors: in float32 within a part, in float64 over the parts."""
    if host.on_gpu():
        return float(sum(float(ops.sum(left * right)) for (left, right), _ in _parts([a, b])))
    return float(sum(float(np.dot(left, right)) for (left, right), _ in _parts([a, b])))


def products(vectors: Sequence[Vector], free: Vector | None = None) -> np.ndarray:
    """Compute all inner products of n vectors, (n, n) float64. Values are skipped where `free` is 0."""
    total = np.zeros((len(vectors), len(vectors)))
    for part, mask in _parts(vectors, free):
        rows = (ops if host.on_gpu() else np).stack(part)
        masked = rows if mask is None else rows * mask
        if host.on_gpu():
            total += ops.convert_to_numpy(ops.stack([ops.sum(masked * row, axis=1) for row in rows]))
        else:
            total += masked @ rows.T
    return total


def combine(factors: np.ndarray, vectors: Sequence[Vector], free: Vector | None = None) -> Vector:
    """Compute the sum of the vectors times their factors. The sum is 0 where `free` is 0."""
    factors = factors.astype(np.float32)
    sums = []
    for part, mask in _parts(vectors, free):
        if host.on_gpu():
            total = sum(float(factor) * row for factor, row in zip(factors, part, strict=True) if factor)
        else:
            total = factors @ np.stack(part)
        sums.append(total if mask is None else total * mask)
    return ops.convert_to_tensor(ops.concatenate(sums) if host.on_gpu() else np.concatenate(sums))


def _parts(vectors: Sequence[Vector], free: Vector | None = None) -> Iterator[tuple[list, Any]]:
    """Yield each part of all vectors and of `free`, in order: tensors on a GPU, arrays on a CPU."""
    size = LARGE if host.on_gpu() else CACHED
    if not host.on_gpu():
        vectors, free = [np.asarray(vector) for vector in vectors], None if free is None else np.asarray(free)
    for start in range(0, vectors[0].shape[0], size):
        part = slice(start, start + size)
        yield [vector[part] for vector in vectors], None if free is None else free[part]
