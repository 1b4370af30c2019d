"""Inner products and weighted sums of pictures as vectors.

On a CPU, the vectors are in main memory, and most of the time is spent on reading them. NumPy therefore reads them
once, in parts that fit into the processor's cache. On a GPU, inner products are part of compiled functions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dreamscripts.backends import host
from dreamscripts.backends.lazy_keras import ops

Vector = Any  # a float32 tensor of the backend, of the shape of a picture or of several

CACHED = 2**14  # values in a part of a vector, on a CPU


def dot(a: Vector, b: Vector) -> Any:
    """Compute the inner product of two vectors: in float32 within a part, in float64 over the parts on a CPU."""
    if host.on_gpu():
        return inner(a, b)
    return float(sum(float(np.dot(left, right)) for (left, right), _ in _parts([a, b])))


def inner(a: Vector, b: Vector) -> Any:
    """Compute the inner product of two pictures in float32, inside a compiled function."""
    return ops.sum(ops.sum(a * b, axis=(-2, -1)))  # a sum of sums is more accurate


def products(vectors: Sequence[Vector], free: Vector | None = None) -> np.ndarray:
    """Compute all inner products of n vectors on a CPU, (n, n). Values are skipped where `free` is 0."""
    total = np.zeros((len(vectors), len(vectors)))
    for part, mask in _parts(vectors, free):
        rows = np.stack(part)
        total += (rows if mask is None else rows * mask) @ rows.T
    return total


def combine(factors: np.ndarray, vectors: Sequence[Vector], free: Vector | None = None) -> Vector:
    """Compute the sum of the vectors times their factors on a CPU. The sum is 0 where `free` is 0."""
    factors = factors.astype(np.float32)
    sums = []
    for part, mask in _parts(vectors, free):
        total = factors @ np.stack(part)
        sums.append(total if mask is None else total * mask)
    return ops.reshape(ops.convert_to_tensor(np.concatenate(sums)), vectors[0].shape)


def _parts(vectors: Sequence[Vector], free: Vector | None = None) -> Iterator[tuple[list, Any]]:
    """Yield each part of all vectors and of `free`, in order: arrays."""
    flat = [np.asarray(vector).reshape(-1) for vector in vectors]
    mask = None if free is None else np.asarray(free).reshape(-1)
    for start in range(0, flat[0].shape[0], CACHED):
        part = slice(start, start + CACHED)
        yield [vector[part] for vector in flat], None if mask is None else mask[part]
