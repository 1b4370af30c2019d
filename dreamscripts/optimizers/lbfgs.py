"""SciPy's L-BFGS-B on the pixels, afresh for each iteration, as in the Keras L-BFGS example."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize

from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers import Step


def lbfgs(
    evaluator: Evaluator, x: np.ndarray, *, evaluations: int, noise: np.ndarray, rng: np.random.Generator
) -> Iterator[Step]:
    """Yield a Step per iteration, without end, from the picture x (H, W, 3).

    Each iteration draws noise uniform in [−noise, noise) (`noise` by channel, in the units of x), adds it, minimises,
    and takes the same noise away. The loss of a step is that of the shaken picture, as in the original.
    `evaluations` is SciPy's `maxfun`: it finishes the step under way, so an iteration takes a pass or more beyond it.
    """
    while True:
        shake = rng.uniform(-1, 1, x.shape) * noise
        result = minimize(
            evaluator.loss,
            (x + shake).ravel(),
            jac=evaluator.gradient,
            method="L-BFGS-B",
            options={"maxfun": evaluations},
        )
        x = result.x.reshape(x.shape) - shake
        yield Step(x, float(result.fun), evaluator.terms(result.x))
