"""Step: what an optimizer yields; and the walk of those that move the picture once for every pass."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from dreamscripts import laplacian
from dreamscripts.errors import Diverged
from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers.box import bounds_around
from dreamscripts.preprocessing import Preprocessing
from dreamscripts.settings import Optimizer

log = logging.getLogger(__name__)

EXPLODED = 100  # times the size of the first loss, above it


@dataclass(frozen=True)
class Step:
    """A picture x (H, W, 3) in the network's preprocessing, its loss and terms, and what the optimizer remembers.

    `done` says that the optimizer wants no further step in this octave.
    """

    x: np.ndarray
    loss: float
    terms: dict[str, float]
    memory: Mapping[str, np.ndarray] = field(default_factory=dict)
    done: bool = False


def walk(
    evaluator: Evaluator,
    x: np.ndarray,
    move: Callable[[np.ndarray, np.ndarray], np.ndarray],
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int,
    memory: Mapping[str, np.ndarray] | None,
    remember: Callable[[], Mapping[str, np.ndarray]] = dict,
) -> Iterator[Step]:
    """Yield a Step after every `optimizer.evaluations` moves, each under a draw of the jitter of its own.

    `move(x, gradient)` gives the next picture, for a gradient that is evened out over scales where the settings say
    so; the picture is then brought within the bounds of the iteration (box.py). What `remember()` gives goes into the
    step's memory. The last step is `done` as soon as the score, −loss, passes `optimizer.max_score`. Raises Diverged
    where the loss explodes.
    """
    drawn = start * optimizer.evaluations
    evaluator.draw(drawn)
    first = float(memory["first"]) if memory else evaluator.loss(x)
    while True:
        bounds = bounds_around(x, optimizer, preprocessing)
        for _ in range(optimizer.evaluations):
            gradient = evaluator.gradient(x)
            x = move(x, laplacian.normalise(gradient, optimizer.laplacian) if optimizer.laplacian else gradient)
            if bounds is not None:
                x = np.clip(x, *bounds)
            drawn += 1
            evaluator.draw(drawn)
            loss = evaluator.loss(x)
            if loss - first > EXPLODED * max(abs(first), 1):  # gone for good: the step is too long for this loss
                raise Diverged(f"the loss exploded, from {first:.4g} to {loss:.4g}")
            if done := optimizer.max_score is not None and -loss > optimizer.max_score:
                break
        yield Step(x, loss, evaluator.terms(x), {"first": np.array(first), **remember()}, done)
        if done:
            return


def say_no_gain(iteration: int, optimizer: Optimizer) -> None:
    """Log that an iteration has found no lower loss, so that it is the last one of its octave."""
    bounded = optimizer.clip or optimizer.max_change is not None
    advice = "" if bounded else "; optimizer.max_change = 10 would keep its steps near the picture"
    log.warning(
        "iteration %d: the line search found no lower loss, so no more are tried at this size%s", iteration, advice
    )
