"""L-BFGS on float32 tensors of the backend, restarted in each iteration, with or without bounds.

Nocedal and Wright 2006, "Numerical Optimization", section 7.2 (N&W), with the line search of L-BFGS-B. Projection keeps
the bounds (Bertsekas 1982, "Projected Newton Methods for Optimization Problems with Simple Constraints"; Byrd, Lu,
Nocedal and Zhu 1995, "A Limited Memory Algorithm for Bound Constrained Optimization"): a value at a bound is
fixed if a descent step would move it outside. L-BFGS gives the direction of all other (free) values.

Only scalars are copied to the host. During a pass, memory contains two vectors of the picture's size for each pair, and
five more: the picture, its gradient, the direction, the trial picture and its gradient. Bounds need two more.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers import line_search
from dreamscripts.optimizers.box import Box
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.vectors import Vector, combine, dot, products

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective
    from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings

LEAST_CURVATURE = 2.2e-16  # smallest s·y / y·y of a pair that is used (Byrd, Lu, Nocedal and Zhu 1995, 3.9)
LEAST_GAIN = 2.2e-9  # the smallest decrease that counts, as a share of the loss


def device_lbfgs(
    objective: "Objective", x: np.ndarray, settings: "LbfgsSettings", start: int
) -> Iterator[tuple[OptimizerResult, bool]]:
    """Yield the result of each iteration, and whether the iteration lowered the loss.

    Each iteration has its own draw of the jitter, which also determines the loss of its result. The picture of a result
    is float32. No line search starts after more than `settings.passes` passes.
    `settings.history` is the largest number of vector pairs; each iteration starts without pairs. `settings.max_change`
    and `settings.clip` set bounds for every picture that is evaluated (box.py). Raises Diverged if the loss becomes
    infinite or NaN.
    """
    picture = ops.convert_to_tensor(x, "float32")
    if limits := Box.around(picture, settings, objective.preprocessing):
        picture = ops.reshape(limits.clipped(ops.reshape(picture, (-1,))), x.shape)
    for iteration in count(start):
        objective.draw(iteration)
        points = _Points(objective, picture.shape)
        box = Box.around(picture, settings, objective.preprocessing)
        current, picture = points.at(picture), None  # frees the start picture after the first step
        loss_at_start = current.loss
        pairs: deque[Pair] = deque()
        while points.passes <= settings.passes:
            found = _line_search(points, current, pairs, box)
            if found is None:
                break
            if len(pairs) == settings.history:
                pairs.popleft()  # frees the memory of the oldest pair first
            pairs.append(Pair(found.x - current.x, found.gradient - current.gradient))
            before, current = current.loss, found
            if not _lower(current.loss, before):
                break
        pairs.clear()
        picture = current.picture
        result = OptimizerResult(ops.convert_to_numpy(picture), current.loss, current.terms)
        yield result, _lower(current.loss, loss_at_start)


@dataclass(frozen=True)
class Pair:
    """A step s, and the change y of the gradient over this step. Together they give the curvature along s."""

    s: Vector
    y: Vector


def direction(gradient: Vector, pairs: Sequence[Pair], free: Vector | None = None) -> Vector | None:
    """Compute −H g, where H is the inverse Hessian estimated from the pairs, oldest first (N&W, algorithm 7.4).

    `free` is 1 for values that may change and 0 for all others. Both loops use only the free values. A pair without
    positive curvature over the free values is skipped, because it would give an uphill direction. Returns None if no
    pair is used.

    Every vector in the two loops is a weighted sum of the vectors s, y and g. The loops therefore compute with the
    weights and all inner products, so that vectors are read only twice (Chen, Wang and Zhou 2014, "Large-scale L-BFGS
    using MapReduce").
    """
    vectors = [*(pair.s for pair in pairs), *(pair.y for pair in pairs), gradient]
    product = products(vectors, free)
    s, y = range(len(pairs)), range(len(pairs), 2 * len(pairs))
    curved = [(i, j) for i, j in zip(s, y, strict=True) if product[i, j] > LEAST_CURVATURE * product[j, j]]
    if not curved:
        return None
    factors = np.zeros(len(vectors))
    factors[-1] = -1  # minus g
    alphas = []
    for i, j in reversed(curved):
        alphas.append(product[i] @ factors / product[i, j])
        factors[j] -= alphas[-1]
    i, j = curved[-1]
    factors *= product[i, j] / product[j, j]  # γ, 7.20
    for i, j in curved:
        factors[i] += alphas.pop() - product[j] @ factors / product[i, j]
    return combine(factors, vectors, free)


@dataclass(frozen=True)
class _Point:
    """A picture with its loss and terms. `x` is the picture as a flat vector, and `gradient` is flat, too."""

    picture: Any
    x: Vector
    loss: float
    terms: dict[str, float]
    gradient: Vector


class _Points:
    """Evaluates the objective at pictures of one shape, or at their flat vectors, and counts the passes."""

    def __init__(self, objective: "Objective", shape: tuple[int, ...]):
        self.passes = 0
        self._objective, self._shape = objective, shape

    def at(self, x: Any) -> _Point:
        """Evaluate the objective at x, in one pass."""
        self.passes += 1
        picture = ops.reshape(x, self._shape) if len(x.shape) == 1 else x
        loss, gradient = self._objective.loss(picture), self._objective.gradient(picture)
        gradient = ops.reshape(ops.convert_to_tensor(gradient, "float32"), (-1,))
        return _Point(picture, ops.reshape(x, (-1,)), loss, self._objective.terms(picture), gradient)


def _lower(loss: float, before: float) -> bool:
    """Return whether the loss is lower by more than the share LEAST_GAIN."""
    return before - loss > LEAST_GAIN * abs(before)


def _line_search(points: _Points, current: _Point, pairs: Sequence[Pair], box: Box | None) -> _Point | None:
    """Find a point with a lower loss along the direction of descent, or return None."""
    d, slope, first = _descent(current, pairs, box)
    if slope >= 0:
        return None
    trial = None

    def at(step: float) -> line_search.Point:
        nonlocal trial
        trial = None  # frees the memory of the previous trial first
        x = current.x + step * d
        trial = points.at(box.clipped(x) if box else x)  # rounding may exceed the bounds
        return line_search.Point(step, trial.loss, dot(trial.gradient, d))

    longest = 1.0 if box else math.inf
    return trial if line_search.search(at, line_search.Point(0.0, current.loss, slope), first, longest) else None


def _descent(current: _Point, pairs: Sequence[Pair], box: Box | None) -> tuple[Vector, float, float]:
    """Return the search direction, the slope along it, and the first step as a factor of the direction.

    The pairs give the direction. If it is not downhill, the direction is the negative gradient. With bounds, the end of
    the direction, x + d, is clipped to the bounds. Before that, the negative gradient is scaled: a free value whose
    gradient has the mean size moves by `box.largest_change`. Without bounds, the first step along the negative gradient
    has length 1, as in L-BFGS-B.
    """
    x, g = current.x, current.gradient
    free = box.free(x, g) if box else None
    d = direction(g, pairs, free) if pairs else None
    if d is not None:
        d = box.clipped(x + d) - x if box else d
        if (slope := dot(g, d)) < 0:
            return d, slope, 1.0
    if box is None:
        square = dot(g, g)
        return -g, -square, square**-0.5 if square else 1.0
    g = free * g
    mean = float(ops.sum(ops.abs(g))) / max(float(ops.sum(free)), 1.0)
    d = box.clipped(x - (box.largest_change / mean if mean else 1.0) * g) - x
    return d, dot(g, d), 1.0
