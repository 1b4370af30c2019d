"""L-BFGS on the pixels, afresh for each iteration, as in the Keras L-BFGS example: by SciPy, or on the device."""

from collections.abc import Iterator, Mapping
from itertools import count

import numpy as np
from scipy.optimize import Bounds, minimize

from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers.device_lbfgs import device_lbfgs
from dreamscripts.optimizers.step import Step
from dreamscripts.preprocessing import Preprocessing
from dreamscripts.settings import Optimizer


def lbfgs(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    memory: Mapping[str, np.ndarray] | None = None,
) -> Iterator[Step]:
    """Walk as L-BFGS does, where `optimizer.where` says; neither way remembers anything between iterations."""
    return {"scipy": scipy_lbfgs, "device": device_lbfgs}[optimizer.where](
        evaluator, x, optimizer, preprocessing, start
    )


def scipy_lbfgs(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
) -> Iterator[Step]:
    """Yield a Step per iteration, each under a draw of the jitter of its own.

    The loss of a step is that of the shaken picture, as in the original, which adds the noise before an iteration
    and takes it away after it. `optimizer.evaluations` is SciPy's `maxfun`: it finishes the step under way, so an
    iteration takes a pass or more beyond it. `optimizer.clip` gives SciPy the bounds of the pixels, which the
    original does not.
    """
    shape = x.shape
    bounds = None
    if optimizer.clip:
        bounds = Bounds(*(np.broadcast_to(limit, shape).ravel() for limit in preprocessing.limits))
    for iteration in count(start):
        evaluator.draw(iteration)
        result = minimize(
            lambda flat: evaluator.loss(flat.reshape(shape)),
            x.ravel(),
            jac=lambda flat: evaluator.gradient(flat.reshape(shape)).ravel(),
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxfun": optimizer.evaluations},
        )
        x = result.x.reshape(shape)
        yield Step(x, float(result.fun), evaluator.terms(x))
