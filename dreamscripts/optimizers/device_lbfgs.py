"""L-BFGS on the device, afresh for each iteration: what SciPy's L-BFGS-B does, in float32 tensors of the backend.

Nocedal and Wright 2006, "Numerical Optimization", section 7.2 (N&W), with the line search, the first step and the ends
of L-BFGS-B. Only scalars cross to Python, so that a picture is moved as fast as its device can add. Of vectors as large
as the picture there are, during a pass, two for each pair and five: the picture, its gradient, the direction, and the
picture that is tried with its gradient. Bounds are kept by projection (Bertsekas 1982, "Projected Newton Methods for
Optimization Problems with Simple Constraints").
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from keras import ops

from dreamscripts import backends
from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers import wolfe
from dreamscripts.optimizers.step import Step
from dreamscripts.preprocessing import Preprocessing
from dreamscripts.settings import Optimizer

Tensor = Any  # the backend's own, float32
Limits = tuple[Tensor, Tensor] | None  # the least and the greatest values of a picture; None for no bounds

LEAST_CURVATURE = 2.2e-16  # of a pair, s·y over y·y (Byrd, Lu, Nocedal and Zhu 1995, 3.9)
LEAST_GAIN = 2.2e-9  # as a share of the loss: SciPy's ftol


def device_lbfgs(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
) -> Iterator[Step]:
    """Yield a Step per iteration, its x float32, each under a draw of the jitter of its own.

    The loss of a step is that of the shaken picture. After `optimizer.evaluations` passes in an iteration no new search
    along a line is begun; the one under way is finished. `optimizer.history` is how many pairs are kept within an
    iteration; nothing is remembered from one to the next. `optimizer.clip` keeps every picture that is tried within
    0..255. Raises Diverged, as the evaluator does, where the loss leaves the numbers.
    """
    limits = None
    if optimizer.clip:  # as wide as the picture, because a last axis of three is slow to spread
        limits = tuple(_tensor(np.tile(limit, (x.shape[-2], 1))) for limit in preprocessing.limits)
    x = _clipped(_tensor(x), limits)
    for iteration in count(start):
        evaluator.draw(iteration)
        here, x = _look(evaluator, x), None  # so that the first picture goes as soon as there is another
        passes, pairs = 1, deque()
        while passes <= optimizer.evaluations:
            there, more = _step(evaluator, here, pairs, limits)
            passes += more
            if there is None:
                if not pairs:
                    break  # not even against the gradient: this is the bottom, as far as float32 can see
                pairs.clear()
                continue
            if len(pairs) == optimizer.history:
                pairs.popleft()  # before there is another, as there may not be room for both
            pairs.append(Pair.of(there.x - here.x, there.gradient - here.gradient))
            if not pairs[-1].curved:
                pairs.pop()
            gain, size = here.loss - there.loss, max(abs(here.loss), abs(there.loss), 1)
            here = there
            if gain <= LEAST_GAIN * size:
                break
        pairs.clear()
        x = here.x
        yield Step(ops.convert_to_numpy(x), here.loss, evaluator.terms(x))


@dataclass(frozen=True)
class Pair:
    """What a step s changed, and by how much it changed the gradient, y: all that is known of the curvature."""

    s: Tensor
    y: Tensor
    sy: float  # s·y
    yy: float  # y·y

    @classmethod
    def of(cls, s: Tensor, y: Tensor) -> "Pair":
        """The pair of s and y."""
        return cls(s, y, dot(s, y), dot(y, y))

    @property
    def curved(self) -> bool:
        """Whether the loss curves upwards along s; a pair that does not would turn the direction uphill."""
        return self.sy > LEAST_CURVATURE * self.yy


def direction(gradient: Tensor, pairs: Sequence[Pair]) -> Tensor:
    """−H g, with the inverse Hessian H that L-BFGS makes of the pairs, oldest first (N&W, algorithm 7.4)."""
    q, alphas = gradient, []
    for pair in reversed(pairs):
        alphas.append(dot(pair.s, q) / pair.sy)
        q = q - alphas[-1] * pair.y
    r = pairs[-1].sy / pairs[-1].yy * q if pairs else q  # γ, 7.20
    for pair in pairs:
        r = r + (alphas.pop() - dot(pair.y, r) / pair.sy) * pair.s
    return -r


def dot(a: Tensor, b: Tensor) -> float:
    """The inner product of two pictures, or two batches of them.

    Each row is added up in float32, and float64 the rows: so much smaller than the whole, they lose few digits.
    """
    if backends.on_gpu():
        rows = ops.convert_to_numpy(ops.sum(a * b, axis=(-2, -1)))
    else:  # in half the time, as there is no product in between
        rows = np.vecdot(*(np.asarray(t).reshape(-1, math.prod(t.shape[-2:])) for t in (a, b)))
    return float(rows.sum(dtype=np.float64))


@dataclass(frozen=True)
class _Place:
    """A picture, its loss and its gradient."""

    x: Tensor
    loss: float
    gradient: Tensor


class _Line:
    """The losses along the line from a place in the direction d; one is a pass, and `there` the place that it saw."""

    def __init__(self, evaluator: Evaluator, here: _Place, d: Tensor, limits: Limits):
        self._evaluator, self._here, self._d, self._limits = evaluator, here, d, limits
        self.start = wolfe.Point(0.0, here.loss, dot(here.gradient, d))
        self.there: _Place | None = None
        self.passes = 0

    def __call__(self, step: float) -> wolfe.Point:
        self.there = None  # before there is another, as there may not be room for both
        self.there = _look(self._evaluator, _clipped(self._here.x + step * self._d, self._limits))
        self.passes += 1
        return wolfe.Point(step, self.there.loss, dot(self.there.gradient, self._d))


def _step(evaluator: Evaluator, here: _Place, pairs: Sequence[Pair], limits: Limits) -> tuple[_Place | None, int]:
    """A lower place, or None where there is none in the direction of the pairs; and how many passes that took."""
    if limits:
        line = _Line(evaluator, here, _descent_within(here, pairs, limits), limits)
        first = longest = 1.0  # which may lie on a bound; without pairs, too, as L-BFGS-B has it
    else:
        line = _Line(evaluator, here, direction(here.gradient, pairs), limits)
        first, longest = 1.0, math.inf
    if line.start.slope >= 0:
        return None, 0
    if not (pairs or limits):
        first = (-line.start.slope) ** -0.5  # 1/‖d‖, as d is −g
    found = wolfe.search(line, line.start, first, longest)
    return found and line.there, line.passes


def _descent_within(here: _Place, pairs: Sequence[Pair], limits: tuple[Tensor, Tensor]) -> Tensor:
    """From here to where L-BFGS's direction leads, projected, for the values that are free; 0 for those that are held.

    Held is a value at a bound that its gradient pushes outwards. Without it in y the pairs say nothing of it.
    """
    (low, high), x, g = limits, here.x, here.gradient
    held = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0))
    free = 1.0 - ops.cast(held, "float32")
    freed = (Pair.of(pair.s, free * pair.y) for pair in pairs)
    d = direction(free * g, [pair for pair in freed if pair.curved])
    return _clipped(x + free * d, limits) - x


def _look(evaluator: Evaluator, x: Tensor) -> _Place:
    return _Place(x, evaluator.loss(x), _tensor(evaluator.gradient(x)))


def _clipped(x: Tensor, limits: Limits) -> Tensor:
    if limits is None:
        return x
    low, high = limits
    return ops.minimum(ops.maximum(x, low), high)  # half the time of ops.clip


def _tensor(x: np.ndarray | Tensor) -> Tensor:
    return ops.convert_to_tensor(x, "float32")
