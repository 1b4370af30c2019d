"""Inner products and weighted sums of pictures as vectors, on the device.

On a CPU, the vectors are in main memory, and most of the time is spent on reading them. NumPy therefore reads them
once, in parts that fit into the processor's cache. On a GPU, the functions are compiled, and compute on large parts.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dreamscripts.backends import host
from dreamscripts.backends.lazy_keras import ops

Vector = Any  # a float32 tensor of the backend, of any shape

CACHED, LARGE = 2**14, 2**24  # values in a part of a vector, on a CPU and on a GPU


def dot(a: Vector, b: Vector) -> Any:
    """Compute the inner product of two vectors: in float32 within a part, in float64 over the parts on a CPU."""
    if host.on_gpu():
        return inner(a, b)
    return float(sum(float(np.dot(left, right)) for (left, right), _ in _parts([a, b])))


def inner(a: Vector, b: Vector) -> Any:
    """Compute the inner product of two pictures in float32, inside a compiled function."""
    return ops.sum(ops.sum(a * b, axis=(-2, -1)))  # a sum of sums is more accurate


def products(vectors: Sequence[Vector], free: Vector | None = None) -> Any:
    """Compute all inner products of n vectors, (n, n). Values are skipped where `free` is 0."""
    total = 0.0
    for part, mask in _parts(vectors, free):
        rows = (ops if host.on_gpu() else np).stack(part)
        masked = rows if mask is None else rows * mask
        total = total + (masked @ ops.transpose(rows) if host.on_gpu() else (masked @ rows.T).astype(float))
    return total


def combine(factors: Any, vectors: Sequence[Vector], free: Vector | None = None) -> Vector:
    """Compute the sum of the vectors times their factors. The sum is 0 where `free` is 0."""
    xp = ops if host.on_gpu() else np
    factors = xp.array(factors, "float32")
    sums = []
    for part, mask in _parts(vectors, free):
        total = (factors[None] @ xp.stack(part))[0]
        sums.append(total if mask is None else total * mask)
    return ops.reshape(ops.convert_to_tensor(xp.concatenate(sums)), vectors[0].shape)


def _parts(vectors: Sequence[Vector], free: Vector | None = None) -> Iterator[tuple[list, Any]]:
    """Yield each part of all vectors and of `free`, in order: tensors on a GPU, arrays on a CPU."""
    size = LARGE if host.on_gpu() else CACHED
    flat = [_flat(vector) for vector in vectors]
    mask = None if free is None else _flat(free)
    for start in range(0, flat[0].shape[0], size):
        part = slice(start, start + size)
        yield [vector[part] for vector in flat], None if mask is None else mask[part]


def _flat(vector: Vector) -> Any:
    return ops.reshape(vector, (-1,)) if host.on_gpu() else np.asarray(vector).reshape(-1)
