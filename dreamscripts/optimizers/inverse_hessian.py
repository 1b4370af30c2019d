"""The direction of L-BFGS, −H g, where H is the inverse Hessian estimated from pairs of vectors.

Nocedal and Wright 2006, "Numerical Optimization", section 7.2 (N&W).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dreamscripts.backends import host
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers.vectors import Vector, combine, inner, products

LEAST_CURVATURE = 2.2e-16  # smallest s·y / y·y of a pair that is used (Byrd, Lu, Nocedal and Zhu 1995, 3.9)


class Pair(NamedTuple):
    """A step s, and the change y of the gradient over this step. Together they give the curvature along s."""

    s: Vector
    y: Vector


def direction(gradient: Vector, pairs: Sequence[Pair], free: Vector | None = None) -> Vector:
    """Compute −H g, where H is the inverse Hessian estimated from the pairs, oldest first (N&W, algorithm 7.4).

    `free` is 1 for values that may change and 0 for all others. Both loops use only the free values. A pair without
    positive curvature over the free values is skipped, because it would give an uphill direction. Returns zeros if no
    pair is used.
    """
    if host.on_gpu():
        return _two_loops(gradient, pairs, free)
    vectors = [*(pair.s for pair in pairs), *(pair.y for pair in pairs), gradient]
    return combine(_weights(products(vectors, free), len(pairs)), vectors, free)


def _two_loops(gradient: Vector, pairs: Sequence[Pair], free: Vector | None) -> Vector:
    """Compute the direction inside a compiled function: the two loops of algorithm 7.4."""

    def of_free(vector: Vector) -> Vector:
        return vector if free is None else vector * free

    q, gamma, taken = of_free(gradient), ops.zeros(()), []
    for s, y in reversed(pairs):
        curvature, size = inner(of_free(s), y), inner(of_free(y), y)
        used = curvature > LEAST_CURVATURE * size
        rho = ops.where(used, 1 / ops.where(used, curvature, 1.0), 0.0)  # 0 skips the pair
        newest = used & (gamma == 0)
        gamma = ops.where(newest, curvature / ops.where(newest, size, 1.0), gamma)  # 7.20
        alpha = rho * inner(s, q)
        q = q - of_free(alpha * y)
        taken.append((s, y, rho, alpha))
    r = gamma * q
    for s, y, rho, alpha in reversed(taken):
        r = r + of_free((alpha - rho * inner(y, r)) * s)
    return -r


def _weights(product: np.ndarray, number: int) -> np.ndarray:
    """Compute the weights of the vectors s, y and g in the direction from their inner products.

    Every vector in the two loops is a weighted sum of the vectors s, y and g. On a CPU, the vectors are therefore read
    only twice (Chen, Wang and Zhou 2014, "Large-scale L-BFGS using MapReduce"). Each loop solves a triangular system:
    the first for the α of the y, the second for the weights of the s. A pair that is skipped has the weight 0.
    """
    sy, yy = product[:number, number:-1], product[number:-1, number:-1]
    curvature, size = np.diagonal(sy), np.diagonal(yy)
    used = curvature > LEAST_CURVATURE * size
    upper = np.where(used[:, None] & used, np.triu(sy), np.eye(number))
    alpha = np.linalg.solve(upper, np.where(used, -product[:number, -1], 0))
    newest = used.nonzero()[0][-1:]
    gamma = np.sum(curvature[newest] / size[newest])  # 7.20
    rest = alpha * curvature + gamma * (product[number:-1, -1] + yy @ alpha)
    beta = np.linalg.solve(upper.T, np.where(used, rest, 0))
    return np.array([*beta, *(-gamma * alpha), -gamma])
