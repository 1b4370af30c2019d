"""A step along a line that meets the strong Wolfe conditions: Moré and Thuente's search.

Moré and Thuente 1994, "Line Search Algorithms with Guaranteed Sufficient Decrease": MINPACK-2's `dcsrch` and `dcstep`,
with the constants that L-BFGS-B gives them.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

DECREASE = 1e-3  # μ: the least share of the promised decrease
CURVATURE = 0.9  # η: the greatest share of the first slope that may be left
NARROW = 0.1  # an interval that is no wider, as a share of its far end, is not worth another pass
MOST = 20  # passes in a search


class Point(NamedTuple):
    """The loss at a step along the line, and its slope there: by how much it changes with the step."""

    step: float
    loss: float
    slope: float


def search(at: Callable[[float], Point], start: Point, step: float, longest: float = math.inf) -> Point | None:
    """A point on the line that meets the strong Wolfe conditions; the first try is `step`.

    `at(step)` costs a pass; the point that is returned is the last that was asked for. At the `longest` step the slope
    need not be level. Where no point is found, by MOST passes or before the interval is NARROW, it is the lowest that
    was seen, and None where that is the start.
    """
    low = high = start  # α_l, the best so far, and α_u, the other end of the interval
    bracketed, first_stage = False, True
    least, most = 0.0, min(5 * step, longest)  # between which the next step may lie
    width, width_before = longest, 2 * longest
    sufficient = DECREASE * start.slope
    for _ in range(MOST):
        trial = at(step)
        enough = trial.loss <= start.loss + sufficient * step
        level = abs(trial.slope) <= -CURVATURE * start.slope
        if enough and (level or (step >= longest and trial.slope <= sufficient)):
            return trial
        # Until a step is low enough and slopes upwards, one that is lower but not enough so is judged by
        # ψ(α) = φ(α) − μ φ'(0) α in place of φ(α), the loss: its minimum is low enough.
        first_stage = first_stage and not (enough and trial.slope >= 0)
        tilt = sufficient if first_stage and not enough and trial.loss <= low.loss else 0.0
        tilted = [_tilted(point, tilt) for point in (low, high, trial)]
        bracketed = bracketed or _brackets(tilted[0], tilted[2])
        step = _next_step(*tilted, bracketed, least, most)
        if tilted[2].loss > tilted[0].loss:
            high = trial
        else:
            low, high = trial, low if tilted[0].slope * tilted[2].slope < 0 else high
        if not bracketed:
            least, most = (min(step + factor * (step - low.step), longest) for factor in (1.1, 4))
            continue
        if abs(high.step - low.step) >= 0.66 * width_before or math.isnan(step):  # it shrinks too slowly: halve it
            step = (low.step + high.step) / 2
        width, width_before = abs(high.step - low.step), width
        least, most = sorted((low.step, high.step))
        if not least < step < most or most - least <= NARROW * most:
            break
    if low is start:
        return None
    return low if low is trial else at(low.step)


def _tilted(point: Point, tilt: float) -> Point:
    return point._replace(loss=point.loss - tilt * point.step, slope=point.slope - tilt)


def _brackets(low: Point, trial: Point) -> bool:
    """Whether there is a minimum between the two."""
    return trial.loss > low.loss or trial.slope * low.slope < 0


def _next_step(low: Point, high: Point, trial: Point, bracketed: bool, least: float, most: float) -> float:
    """Where to look next: section 4 of the paper, with its four cases."""
    forwards = trial.step > low.step
    if trial.loss > low.loss:  # 1: higher. The cubic, or halfway to the quadratic where that is nearer to the lowest
        cubic, quadratic = _cubic(low, trial), _quadratic(low, trial)
        return cubic if abs(cubic - low.step) < abs(quadratic - low.step) else (cubic + quadratic) / 2
    if trial.slope * low.slope < 0:  # 2: lower, beyond a minimum. The cubic or the secant, whichever reaches farther
        return max(_cubic(low, trial), _secant(low, trial), key=lambda step: abs(step - trial.step))
    if abs(trial.slope) < abs(low.slope):  # 3: lower, and flatter. The cubic counts only with its minimum ahead
        cubic, secant = _cubic(low, trial), _secant(low, trial)
        if not (cubic > trial.step if forwards else cubic < trial.step):
            cubic = most if forwards else least
        if not bracketed:
            farther = max(cubic, secant, key=lambda step: abs(step - trial.step))
            return min(max(farther, least), most)
        nearer = min(cubic, secant, key=lambda step: abs(step - trial.step))
        limit = trial.step + 0.66 * (high.step - trial.step)
        return min(limit, nearer) if forwards else max(limit, nearer)
    if bracketed:  # 4: lower, and no flatter
        return _cubic(trial, high)
    return most if forwards else least


def _cubic(a: Point, b: Point) -> float:
    """The minimum of the cubic with the losses and slopes of a and b; NaN where it has none (N&W, 3.59)."""
    width = b.step - a.step
    theta = 3 * (a.loss - b.loss) / width + a.slope + b.slope
    size = max(abs(theta), abs(a.slope), abs(b.slope)) or 1.0  # so that no square overflows
    square = (theta / size) ** 2 - (a.slope / size) * (b.slope / size)
    if not square > 0:
        return math.nan
    gamma = math.copysign(size * math.sqrt(square), width)
    divisor = 2 * gamma + b.slope - a.slope
    return a.step + width * (theta + gamma - a.slope) / divisor if divisor else math.nan


def _quadratic(a: Point, b: Point) -> float:
    """The minimum of the parabola with the losses of a and b and the slope of a."""
    width = b.step - a.step
    return a.step + width * a.slope / (a.slope - (b.loss - a.loss) / width) / 2


def _secant(a: Point, b: Point) -> float:
    """The minimum of the parabola with the slopes of a and b."""
    return b.step + (a.step - b.step) * b.slope / (b.slope - a.slope)
