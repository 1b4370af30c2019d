"""L-BFGS on float32 tensors of the backend, restarted in each iteration, with or without bounds.

Nocedal and Wright 2006, "Numerical Optimization", section 7.2 (N&W), with the line search of L-BFGS-B. Projection keeps
the bounds (Bertsekas 1982, "Projected Newton Methods for Optimization Problems with Simple Constraints"; Byrd, Lu,
Nocedal and Zhu 1995, "A Limited Memory Algorithm for Bound Constrained Optimization"): a value at a bound is
fixed if a descent step would move it outside. L-BFGS gives the direction of all other (free) values.

Only scalars are copied to the host. A pass and the step that leads to it are one compiled function. On a GPU, so is the
choice of the direction. During a pass, memory contains two vectors of the picture's size for each pair, and five more:
the picture, its gradient, the direction, the trial picture and its gradient. Bounds need two more.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dreamscripts.backends import compiling, host
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers import line_search
from dreamscripts.optimizers.box import Box
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.vectors import Vector, combine, dot, inner, products

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Evaluate, Objective
    from dreamscripts.objective.transforms import Draw
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
        picture = limits.clipped(picture)
    for iteration in count(start):
        objective.draw(iteration)
        points = _Points(objective, Box.around(picture, settings, objective.preprocessing), picture.shape)
        current, picture = points.at(picture), None  # frees the start picture after the first step
        loss_at_start = current.loss
        pairs: deque[Pair] = deque()
        while points.passes <= settings.passes:
            found = _line_search(points, current, pairs, settings.history)
            if found is None:
                break
            if len(pairs) == settings.history:
                pairs.popleft()  # frees the memory of the oldest pair first
            pairs.append(Pair(found.x - current.x, found.gradient - current.gradient))
            before, current = current.loss, found
            if not _lower(current.loss, before):
                break
        pairs.clear()
        picture = current.x
        result = OptimizerResult(ops.convert_to_numpy(picture), current.loss, current.terms)
        yield result, _lower(current.loss, loss_at_start)


def begin_on_device(objective: "Objective", x: np.ndarray, settings: "LbfgsSettings") -> None:
    """Evaluate the objective at x by the function that `device_lbfgs` will use, so that only one is compiled."""
    picture = ops.convert_to_tensor(x, "float32")
    box = Box.around(picture, settings, objective.preprocessing)
    _Points(objective, box, picture.shape).at(picture)


def trial(
    evaluate: "Evaluate", x: Vector, direction: Vector, step: Any, box: "Box | tuple[()]", draw: "Draw"
) -> tuple[Vector, Any, Vector, Any]:
    """Evaluate the objective at x + step · direction.

    Returns this picture, the numbers of the pass, the gradient, and the slope along the direction. With a `box`, the
    picture stays in it, because rounding may exceed the bounds.
    """
    moved = x + step * direction
    moved = box.clipped(moved) if box else moved
    numbers, gradient = evaluate(moved, draw)
    return moved, numbers, gradient, inner(gradient, direction)


class Pair(NamedTuple):
    """A step s, and the change y of the gradient over this step. Together they give the curvature along s."""

    s: Vector
    y: Vector


def direction(gradient: Vector, pairs: Sequence[Pair], free: Vector | None = None) -> Vector:
    """Compute −H g, where H is the inverse Hessian estimated from the pairs, oldest first (N&W, algorithm 7.4).

    `free` is 1 for values that may change and 0 for all others. Both loops use only the free values. A pair without
    positive curvature over the free values is skipped, because it would give an uphill direction. Returns zeros if no
    pair is used.

    Every vector in the two loops is a weighted sum of the vectors s, y and g. The loops therefore compute with the
    weights and all inner products, so that vectors are read only twice (Chen, Wang and Zhou 2014, "Large-scale L-BFGS
    using MapReduce").
    """
    vectors = [*(pair.s for pair in pairs), *(pair.y for pair in pairs), gradient]
    return combine(_weights(products(vectors, free), len(pairs)), vectors, free)


def _weights(product: Any, number: int) -> Any:
    """Compute the weights of the vectors in −H g from their inner products, by NumPy or on the device."""
    xp = ops if host.on_gpu() else np
    own = xp.eye(2 * number + 1, dtype="float32" if host.on_gpu() else float)
    curvature = [product[i, number + i] for i in range(number)]
    size = [product[number + i, number + i] for i in range(number)]
    curved = [curvature[i] > LEAST_CURVATURE * size[i] for i in range(number)]

    def share(i: int, row: Any, weights: Any) -> Any:
        return xp.where(curved[i], xp.sum(row * weights) / xp.where(curved[i], curvature[i], 1.0), 0.0)

    weights = -own[-1]  # minus g
    alphas: dict[int, Any] = {}
    for i in reversed(range(number)):
        alphas[i] = share(i, product[i], weights)
        weights = weights - alphas[i] * own[number + i]
    gamma = 0.0  # 7.20
    for i in range(number):
        gamma = xp.where(curved[i], curvature[i] / xp.where(curved[i], size[i], 1.0), gamma)
    weights = weights * gamma
    for i in range(number):
        weights = weights + (alphas[i] - share(i, product[number + i], weights)) * own[i]
    return weights


@dataclass(frozen=True)
class _Point:
    """A picture x with its loss, terms and gradient, and the slope along the direction that led to it."""

    x: Vector
    loss: float
    terms: dict[str, float]
    gradient: Vector
    slope: float = 0.0


class _Points:
    """Evaluates the objective at pictures of one shape, in the box of an iteration, and counts the passes."""

    def __init__(self, objective: "Objective", box: Box | None, shape: tuple[int, ...]):
        self.box = box
        self.passes = 0
        self._objective = objective
        self._draw = objective.current_draw(tuple(shape))
        self._run = objective.compiled(trial, tuple(shape))

    def at(self, x: Vector) -> _Point:
        """Return the point at x, which may be outside the box. It costs a pass, unless its result is known."""
        if self._objective.is_cached(x):
            self.passes += 1
            return self._point(x, ops.convert_to_tensor(self._objective.gradient(x)))
        anywhere: Box | tuple[()] = Box.endless(x) if self.box else ()
        return self.end(self._run(x, ops.zeros_like(x), np.float32(0), anywhere, self._draw))

    def begin(self, x: Vector, direction: Vector, step: Any) -> tuple:
        """Begin a pass at x + step · direction, and return its results, which the device may still compute."""
        return self._run(x, direction, step, self.box or (), self._draw)

    def end(self, begun: tuple) -> _Point:
        """Return the point of a pass that has begun."""
        x, numbers, gradient, slope = begun
        self.passes += 1
        self._objective.record(x, numbers, gradient, self._objective.drawn)
        return self._point(x, gradient, float(slope))

    def _point(self, x: Vector, gradient: Vector, slope: float = 0.0) -> _Point:
        return _Point(x, self._objective.loss(x), self._objective.terms(x), gradient, slope)


def _lower(loss: float, before: float) -> bool:
    """Return whether the loss is lower by more than the share LEAST_GAIN."""
    return before - loss > LEAST_GAIN * abs(before)


def _line_search(points: _Points, current: _Point, pairs: Sequence[Pair], history: int) -> _Point | None:
    """Find a point with a lower loss along the direction of descent, or return None."""
    found: _Point | None = None
    d, slope, first = _descent_on_device(current, pairs, points.box, history)
    # A GPU begins the first pass before the host knows the slope.
    begun = points.begin(current.x, d, first) if host.on_gpu() else None
    if float(slope) >= 0:
        return None

    def at(step: float) -> line_search.Point:
        nonlocal begun, found
        found = None  # frees the memory of the previous point first
        found = points.end(begun or points.begin(current.x, d, np.float32(step)))
        begun = None
        return line_search.Point(step, found.loss, found.slope)

    start, longest = line_search.Point(0.0, current.loss, float(slope)), 1.0 if points.box else math.inf
    return found if line_search.search(at, start, float(first), longest) else None


def _descent_on_device(
    current: _Point, pairs: Sequence[Pair], box: Box | None, history: int
) -> tuple[Vector, Any, Any]:
    """Compute the `descent`. On a GPU, missing pairs are zeros, so that it is compiled only once."""
    if not host.on_gpu():
        return descent(current.x, current.gradient, pairs, box or ())
    zeros = ops.zeros_like(current.x)
    filled = (Pair(zeros, zeros),) * (history - len(pairs)) + tuple(pairs)
    return _compiled_descent()(current.x, current.gradient, filled, box or ())


@cache
def _compiled_descent() -> compiling.Compiled:
    return compiling.compile_function(descent)


def descent(x: Vector, g: Vector, pairs: Sequence[Pair], box: "Box | tuple[()]") -> tuple[Vector, Any, Any]:
    """Return the search direction, the slope along it, and the first step as a factor of the direction.

    The pairs give the direction. If it is not downhill, the direction is the negative gradient. With bounds, the end of
    the direction, x + d, is clipped to the bounds. Before that, the negative gradient is scaled: a free value whose
    gradient has the mean size moves by `box.largest_change`. Without bounds, the first step along the negative gradient
    has length 1, as in L-BFGS-B.
    """
    free = box.free(x, g) if box else None
    if not pairs:
        return _steepest(x, g, free, box)
    d = direction(g, pairs, free)
    d = box.clipped(x + d) - x if box else d
    slope = dot(g, d)
    if not host.on_gpu():
        return (d, slope, 1.0) if slope < 0 else _steepest(x, g, free, box)
    steepest = _steepest(x, g, free, box)
    return tuple(ops.where(slope < 0, a, b) for a, b in zip((d, slope, 1.0), steepest, strict=True))


def _steepest(x: Vector, g: Vector, free: Vector | None, box: "Box | tuple[()]") -> tuple[Vector, Any, Any]:
    if not box:
        square = dot(g, g)
        return -g, -square, _quotient(1.0, square**0.5)
    g = free * g
    sum_of = ops.sum if host.on_gpu() else lambda values: float(ops.sum(values))
    mean = sum_of(ops.abs(g)) / (sum_of(free) + 1e-20)
    d = box.clipped(x - _quotient(box.largest_change, mean) * g) - x
    return d, dot(g, d), np.float32(1)


def _quotient(a: Any, b: Any) -> Any:
    """Return a / b, or 1 if b is 0."""
    if isinstance(b, float):
        return float(a) / b if b else 1.0
    return ops.where(b > 0, a / ops.where(b > 0, b, 1.0), 1.0)
