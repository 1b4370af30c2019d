"""OptimizerResult: what an optimizer yields; and the walk of those that move the picture once for every pass."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from dreamscripts.errors import Diverged
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.box import bounds_around
from dreamscripts.settings.schema import Optimizer

log = logging.getLogger(__name__)

EXPLODED = 100  # times the size of the first loss, above it


@dataclass(frozen=True)
class OptimizerResult:
    """A picture x (H, W, 3) in the network's preprocessing, its loss and terms, and what the optimizer remembers.

    `done` says that the optimizer wants no further step in this octave.
    """

    x: np.ndarray
    loss: float
    terms: dict[str, float]
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    done: bool = False


def walk(
    evaluator: Evaluator,
    x: np.ndarray,
    move: Callable[[np.ndarray, np.ndarray], np.ndarray],
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int,
    state: Mapping[str, np.ndarray] | None,
    remember: Callable[[], Mapping[str, np.ndarray]] = dict,
) -> Iterator[OptimizerResult]:
    """Yield an OptimizerResult after every `optimizer.passes` moves, each under its own draw of the jitter.

    `move(x, gradient)` gives the next picture, for a gradient that is evened out over scales where the settings say
    so; the picture is then brought within the bounds of the iteration (box.py). What `remember()` gives goes into the
    step's state. The last step is `done` as soon as the score, −loss, passes `optimizer.max_score`. Raises Diverged
    where the loss explodes.
    """
    drawn = start * optimizer.passes
    evaluator.draw(drawn)
    first = float(state["first"]) if state else evaluator.loss(x)
    while True:
        bounds = bounds_around(x, optimizer, preprocessing)
        for _ in range(optimizer.passes):
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
        yield OptimizerResult(x, loss, evaluator.terms(x), {"first": np.array(first), **remember()}, done)
        if done:
            return


class Stuck:
    """Counts the iterations in a row that found no lower loss, and says so.

    After one of them another draw of the jitter may find one; after two, or where every draw is the same, no more are
    tried. `state` is that of the step before, where there was one.
    """

    def __init__(self, evaluator: Evaluator, optimizer: Optimizer, state: Mapping[str, np.ndarray] | None):
        self._most = 2 if evaluator.is_random else 1
        self._bounded = optimizer.clip or optimizer.max_change is not None
        self._count = int((state or {}).get("stuck", 0))

    def step(
        self, iteration: int, lowered: bool, x: np.ndarray, loss: float, terms: dict[str, float]
    ) -> OptimizerResult:
        """The result of an iteration, counted from 1; it is `done` where no more are to be tried."""
        self._count = 0 if lowered else self._count + 1
        done = self._count == self._most
        if self._count:
            end = ", so no more are tried at this size" if done else ""
            advice = "" if self._bounded else "; optimizer.max_change = 5 would keep its steps near the picture"
            log.warning("iteration %d: the line search found no lower loss%s%s", iteration, end, advice)
        return OptimizerResult(x, loss, terms, {"stuck": np.array(self._count)} if self._count else {}, done)
