"""Moré and Thuente's line search, which finds a step that meets the strong Wolfe conditions.

Moré and Thuente 1994, "Line Search Algorithms with Guaranteed Sufficient Decrease": MINPACK-2's `dcsrch` and `dcstep`,
with the constants of L-BFGS-B.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

DECREASE = 1e-3  # μ: the loss must fall by this share of the decrease that the first slope predicts
CURVATURE = 0.9  # η: the slope must fall to this share of the first slope
NARROW = 0.1  # the search stops if the width of the interval is at most this share of its larger end
MOST = 20  # largest number of passes in a search; one more pass may repeat the best point


class Point(NamedTuple):
    """A step along the line, the loss at this step, and the slope of the loss per unit of the step."""

    step: float
    loss: float
    slope: float


def search(at: Callable[[float], Point], start: Point, step: float, longest: float = math.inf) -> Point | None:
    """Find a point on the line that meets the strong Wolfe conditions, first trying `step`.

    `at(step)` costs a pass. The returned point is always the last that was evaluated. At the `longest` step, a
    sufficient decrease is enough if the loss still falls there. The search also stops after MOST passes, or if the
    interval is NARROW. It then returns the best point so far (α_l), or None if this is the start.
    """
    low = high = start  # α_l, the best so far, and α_u, the other end of the interval
    bracketed, first_stage = False, True
    least, most = 0.0, min(5 * step, longest)  # bounds of the next step
    width, width_before = longest, 2 * longest
    sufficient = DECREASE * start.slope
    for _ in range(MOST):
        trial = at(step)
        enough = trial.loss <= start.loss + sufficient * step
        level = abs(trial.slope) <= -CURVATURE * start.slope
        if enough and (level or (step >= longest and trial.slope <= sufficient)):
            return trial
        # The first stage ends at a step with a sufficient decrease and an upward slope. In this stage, a step may have
        # at most the loss of α_l, but no sufficient decrease. Then ψ(α) = φ(α) − μ φ'(0) α is used instead of the loss
        # φ(α), because a minimum of ψ has a sufficient decrease.
        first_stage = first_stage and not (enough and trial.slope >= 0)
        tilt = sufficient if first_stage and not enough and trial.loss <= low.loss else 0.0
        a, b, c = (_tilted(point, tilt) for point in (low, high, trial))
        bracketed = bracketed or _brackets(a, c)
        step = _next_step(a, b, c, bracketed, least, most)
        if c.loss > a.loss:
            high = trial
        else:
            low, high = trial, low if a.slope * c.slope < 0 else high
        if not bracketed:
            least, most = (min(step + factor * (step - low.step), longest) for factor in (1.1, 4))
            continue
        if abs(high.step - low.step) >= 0.66 * width_before or math.isnan(step):  # shrinks too slowly: bisect
            step = (low.step + high.step) / 2
        width, width_before = abs(high.step - low.step), width
        least, most = sorted((low.step, high.step))
        if not least < step < most or most - least <= NARROW * most:
            break
    if low is start:
        return None
    return low if low is trial else at(low.step)


def _tilted(point: Point, tilt: float) -> Point:
    """Subtract a line of the slope `tilt` from the loss."""
    return point._replace(loss=point.loss - tilt * point.step, slope=point.slope - tilt)


def _brackets(low: Point, trial: Point) -> bool:
    """Return whether there is a minimum between two points."""
    return trial.loss > low.loss or trial.slope * low.slope < 0


def _next_step(low: Point, high: Point, trial: Point, bracketed: bool, least: float, most: float) -> float:
    """Choose the next step: section 4 of the paper, with its four cases."""
    forwards = trial.step > low.step
    if trial.loss > low.loss:
        # Case 1: the loss is higher. Take the cubic step if it is nearer to `low` than the quadratic step. If not, take
        # the mean of both.
        cubic, quadratic = _cubic(low, trial), _quadratic(low, trial)
        return cubic if abs(cubic - low.step) < abs(quadratic - low.step) else (cubic + quadratic) / 2
    if trial.slope * low.slope < 0:
        # Case 2: the loss is lower and the slope has changed its sign. Take the cubic step or the secant step: the step
        # that is farther from `trial`.
        return max(_cubic(low, trial), _secant(low, trial), key=lambda step: abs(step - trial.step))
    if abs(trial.slope) < abs(low.slope):
        # Case 3: the loss is lower and the slope is flatter. If the cubic has no minimum ahead, use the bound instead.
        cubic, secant = _cubic(low, trial), _secant(low, trial)
        if not (cubic > trial.step if forwards else cubic < trial.step):
            cubic = most if forwards else least
        if not bracketed:
            farther = max(cubic, secant, key=lambda step: abs(step - trial.step))
            return min(max(farther, least), most)
        nearer = min(cubic, secant, key=lambda step: abs(step - trial.step))
        limit = trial.step + 0.66 * (high.step - trial.step)
        return min(limit, nearer) if forwards else max(limit, nearer)
    # Case 4: the loss is lower, but the slope is not flatter. Take the cubic step to `high`, or the bound.
    if bracketed:
        return _cubic(trial, high)
    return most if forwards else least


def _cubic(a: Point, b: Point) -> float:
    """Compute the minimum of the cubic with the losses and slopes of a and b (N&W, 3.59), or NaN if there is none."""
    width = b.step - a.step
    theta = 3 * (a.loss - b.loss) / width + a.slope + b.slope
    size = max(abs(theta), abs(a.slope), abs(b.slope)) or 1.0  # to avoid overflow of squares
    square = (theta / size) ** 2 - (a.slope / size) * (b.slope / size)
    if not square > 0:
        return math.nan
    gamma = math.copysign(size * math.sqrt(square), width)
    divisor = 2 * gamma + b.slope - a.slope
    return a.step + width * (theta + gamma - a.slope) / divisor if divisor else math.nan


def _quadratic(a: Point, b: Point) -> float:
    """Compute the minimum of the parabola with the losses of a and b and the slope of a."""
    width = b.step - a.step
    return a.step + width * a.slope / (a.slope - (b.loss - a.loss) / width) / 2


def _secant(a: Point, b: Point) -> float:
    """Compute the minimum of the parabola with the slopes of a and b."""
    return b.step + (a.step - b.step) * b.slope / (b.slope - a.slope)
