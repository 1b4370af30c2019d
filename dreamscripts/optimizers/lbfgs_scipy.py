"""L-BFGS on the pixels, afresh for each iteration, as in the Keras L-BFGS example: by SciPy, or on the device."""

from collections.abc import Iterator, Mapping
from itertools import count

import numpy as np
from scipy.optimize import Bounds, minimize

from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.box import bounds_around
from dreamscripts.optimizers.lbfgs_device import device_lbfgs
from dreamscripts.optimizers.step import OptimizerResult, Stuck
from dreamscripts.settings.schema import Optimizer


def lbfgs(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    state: Mapping[str, np.ndarray] | None = None,
) -> Iterator[OptimizerResult]:
    """Walk as L-BFGS does, where `optimizer.where` says. It keeps between iterations what `Stuck` counts."""
    stuck = Stuck(evaluator, optimizer, state)
    return {"scipy": scipy_lbfgs, "device": device_lbfgs}[optimizer.where](
        evaluator, x, optimizer, preprocessing, start, stuck
    )


def scipy_lbfgs(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int,
    stuck: Stuck,
) -> Iterator[OptimizerResult]:
    """Yield a OptimizerResult per iteration, each under a draw of the jitter of its own.

    The loss of a step is that of its picture under the iteration's draw, as in the original, which adds the noise
    before an iteration and takes it away after it. It is asked for once more: where a line search fails, SciPy returns
    the picture from before it with the loss of its last trial. `optimizer.passes` is SciPy's `maxfun`: it finishes
    the step under way, so an iteration takes a pass or more beyond it. `optimizer.max_change` and `optimizer.clip` give
    SciPy bounds (box.py), which the original does not have. SciPy's tolerances are 0: they are absolute, and would stop
    a large or a dark picture before it began.
    """
    shape = x.shape
    for iteration in count(start):
        evaluator.draw(iteration)
        bounds = bounds_around(x, optimizer, preprocessing)
        if bounds is not None:
            bounds = Bounds(*(bound.ravel() for bound in bounds))
        result = minimize(
            lambda flat: evaluator.loss(flat.reshape(shape)),
            x.ravel(),
            jac=lambda flat: evaluator.gradient(flat.reshape(shape)).ravel(),
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxfun": optimizer.passes, "gtol": 0, "ftol": 0},
        )
        x = result.x.reshape(shape)
        step = stuck.step(iteration + 1, result.nit > 0, x, evaluator.loss(x), evaluator.terms(x))
        yield step
        if step.done:
            return
