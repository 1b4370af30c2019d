"""L-BFGS on float32 tensors of the backend, restarted in each iteration, with or without bounds.

Nocedal and Wright 2006, "Numerical Optimization", section 7.2 (N&W), with the line search of L-BFGS-B. Projection keeps
the bounds (Bertsekas 1982, "Projected Newton Methods for Optimization Problems with Simple Constraints"; Byrd, Lu,
Nocedal and Zhu 1995, "A Limited Memory Algorithm for Bound Constrained Optimization"): a value at a bound is
fixed if a descent step would move it outside. L-BFGS gives the direction of all other (free) values.

Only scalars are copied to the host. A pass and the step that leads to it are one compiled function. On a GPU, so is the
choice of the direction, and the next pass begins before the host knows the result of the last. During a pass, memory
contains two vectors of the picture's size for each pair, and five more: the picture, its gradient, the direction, the
trial picture and its gradient. Bounds need two more. The pass that a GPU begins ahead needs three more, or five within
bounds.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dreamscripts.backends import compiling, host
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import Diverged
from dreamscripts.optimizers import line_search
from dreamscripts.optimizers.box import Box
from dreamscripts.optimizers.inverse_hessian import Pair, direction
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.vectors import Vector, dot, inner

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Evaluate, Objective
    from dreamscripts.objective.transforms import Draw
    from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings

LEAST_GAIN = 2.2e-9  # the smallest decrease that counts, as a share of the loss


def device_lbfgs(
    objective: "Objective", x: np.ndarray, settings: "LbfgsSettings", start: int
) -> Iterator[tuple[OptimizerResult, bool]]:
    """Yield the result of each iteration, and whether the iteration lowered the loss.

    Each iteration has its own draw of the jitter, which also determines the loss of its result. The picture of a result
    is float32. No line search starts after the line searches of an iteration have taken `settings.passes` passes.
    `settings.history` is the largest number of vector pairs; each iteration starts without pairs. `settings.max_change`
    and `settings.clip` set bounds for every picture that is evaluated (box.py). Raises Diverged if the loss becomes
    infinite or NaN.
    """
    picture = _start(objective, x, settings)
    current: _Point | None = None
    points: _Points | None = None
    begun: _Begun | None = None
    line: _Line | None = None
    for iteration in count(start):
        objective.draw(iteration)
        points = points or _Points(objective, settings, picture, iteration)
        if not current:
            current = points.end(begun) if begun else points.at(picture)
        loss_at_start = current.loss
        begun = picture = last = None  # frees the start picture after the first step
        while points.searched < settings.passes:
            line = line or points.line(last, current.x, current.gradient)
            last = None  # frees the picture and the gradient that the newest pair was made from
            found, following = _line_search(points, line, current.loss)
            line.direction = None  # frees it before the next is computed
            last, line = line, following
            if found is None:
                break
            before, current = current.loss, found
            if not _lower(current.loss, before):
                break
        arriving = host.fetch(current.x)
        points = line = last = following = None
        picture, loss, terms = current.x, current.loss, current.terms
        if _goes_ahead(objective) and (iteration + 1) % settings.iterations:
            points = _Points(objective, settings, picture, iteration + 1)
            begun = points.begin_anywhere(picture) if objective.is_random else None
            line = points.line(None, picture, (begun or current).gradient)
        if objective.is_random:
            current = None
        result = OptimizerResult(arriving(), loss, terms)
        del arriving  # it has the start picture of the next iteration
        yield result, _lower(loss, loss_at_start)
        del result  # on a CPU, its picture is the tensor


def begin_on_device(objective: "Objective", x: np.ndarray, settings: "LbfgsSettings") -> Vector:
    """Evaluate the objective at x by the function that `device_lbfgs` will use. Returns x as a tensor."""
    picture = ops.convert_to_tensor(x, "float32")
    return _Points(objective, settings, picture, objective.drawn).at(picture).x


def _start(objective: "Objective", x: np.ndarray, settings: "LbfgsSettings") -> Vector:
    """Return x as a tensor within the bounds of the pixels."""
    picture = ops.convert_to_tensor(x, "float32")
    box = Box.around(picture, settings, objective.preprocessing)
    return box.clipped(picture) if box else picture


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


@dataclass(frozen=True)
class _Point:
    """A picture x with its loss, terms and gradient, and the slope along the direction that led to it."""

    x: Vector
    loss: float
    terms: dict[str, float]
    gradient: Vector
    slope: float = 0.0


class _Begun(NamedTuple):
    """The results of `trial`, which a GPU may still compute. What the host needs is on its way (host.fetch)."""

    x: Vector
    numbers: Callable[[], Any]
    gradient: Vector
    slope: Callable[[], Any]


@dataclass
class _Line:
    """A line from x along a direction of descent, and the pairs that gave the direction, oldest first.

    On a GPU, its first pass has begun. Before memory is needed, vectors that are no longer needed are replaced by None.
    """

    x: Vector
    gradient: Vector
    pairs: list[Pair]
    direction: Vector
    slope: Callable[[], Any]
    first: Callable[[], Any]  # the first step
    begun: _Begun | None = None


def _goes_ahead(objective: "Objective") -> bool:
    """Return whether passes are begun before the results of earlier ones are known. A GPU then never waits."""
    return objective.passes_at_once > 1


class _Points:
    """Evaluates the objective at the pictures of one iteration. `searched` counts the passes of its line searches.

    `box` has the bounds from the first line on, which begins in the middle of them.
    """

    def __init__(self, objective: "Objective", settings: "LbfgsSettings", picture: Vector, iteration: int):
        shape = tuple(picture.shape)
        self.box: Box | tuple[()] = ()
        self.searched = 0
        self._objective, self._settings, self._iteration = objective, settings, iteration
        self._draw = objective.draws([iteration]).of(0) if host.on_gpu() else objective.current_draw(shape)
        self._run = objective.compiled(trial, shape)

    @property
    def goes_ahead(self) -> bool:
        """Whether the next line begins with each pass. In a box, a search seldom needs more than one."""
        return bool(self.box) and _goes_ahead(self._objective) and self.searched < self._settings.passes

    def at(self, x: Vector) -> _Point:
        """Return the point at x, which may be outside the box. It costs a pass, unless its result is known."""
        if self._objective.is_cached(x):
            return self._point(x, ops.convert_to_tensor(self._objective.gradient(x)))
        return self.end(self.begin_anywhere(x))

    def begin_anywhere(self, x: Vector) -> _Begun:
        """Begin a pass at x, which may be outside the box."""
        fixed = Box(x, x, np.float32(0)) if self._settings.bounded else ()
        return _begun(self._run(x, x, np.float32(0), fixed, self._draw))

    def begin(self, line: _Line, step: Any) -> _Begun:
        """Begin a pass on the line."""
        return _begun(self._run(line.x, line.direction, step, self.box, self._draw))

    def end(self, begun: _Begun) -> _Point:
        """Return the point of a pass that has begun."""
        self._objective.record(begun.x, begun.numbers(), begun.gradient, self._iteration)
        return self._point(begun.x, begun.gradient, float(begun.slope()))

    def _point(self, x: Vector, gradient: Vector, slope: float = 0.0) -> _Point:
        return _Point(x, self._objective.loss(x), self._objective.terms(x), gradient, slope)

    def line(self, before: _Line | None, x: Vector, gradient: Vector) -> _Line:
        """Return the line of descent from x. `before` is the line on which a search found x.

        Without `before`, the line is the first of the iteration, and x the middle of its box.
        """
        history = self._settings.history
        if not before:
            self.box = Box.around(x, self._settings, self._objective.preprocessing) or ()
        if not host.on_gpu():
            pairs = before.pairs if before else []
            if before:
                if len(pairs) == history:
                    pairs.pop(0)  # frees the memory of the oldest pair first
                pairs.append(Pair(x - before.x, gradient - before.gradient))
            return _line(x, gradient, pairs, *descent(x, gradient, pairs, self.box))
        if not before:  # pairs of zeros, so that descent is compiled only once
            zeros = ops.zeros_like(x)
            before = _line(x, gradient, [Pair(zeros, zeros)] * history, zeros, 0, 0)
        older = before.pairs[1:]
        run = _compiled_descent(tuple(x.shape))
        pair, d, slope, first = run(before.x, before.gradient, tuple(older), x, gradient, self.box)
        line = _line(x, gradient, [*older, pair], d, slope, first)
        line.begun = self.begin(line, first) if _goes_ahead(self._objective) else None
        return line


def _begun(results: tuple) -> _Begun:
    x, numbers, gradient, slope = results
    return _Begun(x, host.fetch(numbers), gradient, host.fetch(slope))


def _line(x: Vector, gradient: Vector, pairs: list[Pair], d: Vector, slope: Any, first: Any) -> _Line:
    return _Line(x, gradient, pairs, d, host.fetch(slope), host.fetch(first))


def _lower(loss: float, before: float) -> bool:
    """Return whether the loss is lower by more than the share LEAST_GAIN."""
    return before - loss > LEAST_GAIN * abs(before)


def _line_search(points: _Points, line: _Line, loss: float) -> tuple[_Point | None, _Line | None]:
    """Find a point on the line with a lower loss, or None. On a GPU, the line that follows may have begun."""
    found: _Point | None = None
    following: _Line | None = None
    begun, line.begun = line.begun, None
    slope = float(line.slope())
    if not math.isfinite(slope):
        raise Diverged("the gradient of the loss became too large for float32")
    if slope >= 0:
        return None, None

    def at(step: float) -> line_search.Point:
        nonlocal begun, found, following
        found = following = None  # frees the memory of the previous point first
        begun = begun or points.begin(line, np.float32(step))
        points.searched += 1
        following = points.line(line, begun.x, begun.gradient) if points.goes_ahead else None
        found, begun = points.end(begun), None
        return line_search.Point(step, found.loss, found.slope)

    start, longest = line_search.Point(0.0, loss, slope), 1.0 if points.box else math.inf
    return (found, following) if line_search.search(at, start, float(line.first()), longest) else (None, None)


@lru_cache(compiling.SIZES)
def _compiled_descent(shape: tuple[int, ...]) -> compiling.Compiled:
    """Return the compiled function for pictures of this shape. Only a few are kept, because they need memory."""
    return compiling.compile_function(_descent_after)


def _descent_after(
    x_before: Vector, g_before: Vector, pairs: Sequence[Pair], x: Vector, g: Vector, box: "Box | tuple[()]"
) -> tuple[Pair, Vector, Any, Any]:
    """Return the pair of the last step, and the `descent` with this pair and the earlier ones."""
    pair = Pair(x - x_before, g - g_before)
    return pair, *descent(x, g, (*pairs, pair), box)


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
