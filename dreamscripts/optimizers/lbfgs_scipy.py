"""L-BFGS-B of SciPy, restarted in each iteration, as in the Keras L-BFGS example."""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.optimizers.box import bounds_around
from dreamscripts.optimizers.protocol import OptimizerResult

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective
    from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings


def scipy_lbfgs(
    objective: "Objective", x: np.ndarray, settings: "LbfgsSettings", start: int
) -> Iterator[tuple[OptimizerResult, bool]]:
    """Yield the result of each iteration, and whether the iteration lowered the loss.

    Each iteration has its own draw of the jitter, which also determines the loss of its result. `settings.passes` is
    SciPy's `maxfun`. SciPy finishes its line search, so an iteration can take a few more passes. `settings.max_change`
    and `settings.clip` set SciPy's bounds (box.py), which the Keras example does not have. SciPy's tolerances are set
    to 0. They are absolute, and would stop a large or dark picture before its first step.
    """
    from scipy.optimize import Bounds, minimize

    shape = x.shape
    for iteration in count(start):
        objective.draw(iteration)
        bounds = bounds_around(x, settings, objective.preprocessing)
        result = minimize(
            lambda flat: objective.loss(flat.reshape(shape)),
            x.ravel(),
            jac=lambda flat: objective.gradient(flat.reshape(shape)).ravel(),
            method="L-BFGS-B",
            bounds=None if bounds is None else Bounds(*(bound.ravel() for bound in bounds)),
            options={"maxfun": settings.passes, "gtol": 0, "ftol": 0},
        )
        x = result.x.reshape(shape)
        yield OptimizerResult(x, objective.loss(x), objective.terms(x)), result.nit > 0
