"""Run a trial of a comparison: one optimizer, with a record of every pass."""

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.dreams.trial import Pass, Trial, moments_of
from dreamscripts.errors import Diverged
from dreamscripts.images.resizing import fit
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.fourier import FourierEvaluator
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.settings.schema import Settings

SIDE = 320  # longest side of a snapshot in pixels


class _Spent(Exception):
    """All passes of the trial have been made."""


class _Meter:
    """An objective that computes with the evaluator and records every pass in the trial."""

    def __init__(
        self,
        trial: Trial,
        evaluator: Evaluator,
        budgets: Sequence[int],
        picture_of: Callable[[Any], np.ndarray],
    ):
        self.best = np.zeros(0)  # the preprocessed picture with the lowest loss
        self.preprocessing, self.is_random, self.names = evaluator.preprocessing, evaluator.is_random, evaluator.names
        self.draw, self.draws, self.current_draw = evaluator.draw, evaluator.draws, evaluator.current_draw
        self.is_cached = evaluator.is_cached
        self._trial = trial
        self._picture_of = picture_of
        self._evaluator = evaluator
        self._budgets = budgets
        self._moments = moments_of(budgets[-1])
        self._started = time.perf_counter()
        self._recording = 0.0  # seconds spent on recording

    passes_at_once = 1

    @property
    def drawn(self) -> int:
        return self._evaluator.drawn

    def loss(self, x: Any) -> float:
        self._evaluate(x)
        return self._evaluator.loss(x)

    def gradient(self, x: Any) -> Any:
        self._evaluate(x)
        return self._evaluator.gradient(x)

    def terms(self, x: Any) -> dict[str, float]:
        self._evaluate(x)
        return self._evaluator.terms(x)

    def compiled(self, function: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        run = self._evaluator.compiled(function, shape)

        def within_budget(*arguments: Any) -> Any:
            self._check_budget()
            return run(*arguments)

        return within_budget

    def record(self, x: Any, numbers: Any, gradient: Any, drawn: int) -> list[float]:
        losses = self._evaluator.record(x, numbers, gradient, drawn)
        self._note(x)
        return losses

    @property
    def seconds(self) -> float:
        """Seconds since the start of the trial, without the time for recording."""
        return time.perf_counter() - self._started - self._recording

    def snapshot(self) -> np.ndarray:
        """Return the best picture so far, with at most SIDE pixels on its longer side: uint8 (H, W, 3)."""
        picture = self.preprocessing.denormalise(self.best)
        return np.rint(fit(picture, min(SIDE, max(picture.shape)))).astype(np.uint8)

    def _evaluate(self, x: Any) -> None:
        if not self.is_cached(x):
            self._check_budget()
            self._evaluator.loss(x)
            self._note(x)

    def _check_budget(self) -> None:
        if self._evaluator.passes == self._budgets[-1]:
            raise _Spent

    def _note(self, x: Any) -> None:
        """Note the pass that has just been made, at x."""
        passes, loss = self._trial.passes, self._evaluator.loss(x)
        seconds = self.seconds
        lowest = min(loss, passes[-1].lowest) if passes else loss
        if loss == lowest:
            self.best = self._picture_of(ops.convert_to_numpy(x))
        number = self._evaluator.passes
        passes.append(Pass(number, seconds, loss, lowest, self._evaluator.terms(x)))
        if number in self._budgets:
            self._trial.pictures[number] = self.preprocessing.denormalise(self.best)
        if number in self._moments:
            self._trial.snapshots[number] = self.snapshot()
        self._recording += self.seconds - seconds


def run_trial(
    trial: Trial, settings: Settings, evaluator: Evaluator, start: np.ndarray, budgets: Sequence[int]
) -> np.ndarray:
    """Run a trial, record everything but its final loss, and return its best picture, preprocessed."""
    table = trial.table(settings)
    evaluator.reset()
    x = start
    as_it_is = table.parameters == "pixels"
    picture_of = np.array if as_it_is else FourierEvaluator(evaluator, *start.shape[-3:-1]).picture
    meter = _Meter(trial, evaluator, budgets, picture_of)
    try:
        for result in optimize(meter, start, table):
            if not evaluator.is_random and np.array_equal(result.x, x):
                break  # it has arrived
            x = result.x
    except _Spent:
        pass
    except Diverged as error:
        trial.ended_by = str(error)
    trial.seconds_per_pass = evaluator.seconds / evaluator.passes
    trial.overhead = 1 - evaluator.seconds / meter.seconds
    for budget in budgets:
        trial.pictures.setdefault(budget, evaluator.preprocessing.denormalise(meter.best))  # if it ended early
    for moment in moments_of(budgets[-1]):
        if moment not in trial.snapshots:
            trial.snapshots[moment] = meter.snapshot()
    if not table.on_device:
        short = table.model_copy(update={"passes": 1})
        trial.mebibytes = _memory(lambda: optimize(evaluator, start, short))
    return meter.best


def _memory(start: Callable[[], Iterator[OptimizerResult]]) -> float:
    """Return the peak of the memory that one short iteration allocates, in MiB. Measuring slows the iteration down."""
    tracemalloc.start()
    try:
        with suppress(Diverged):
            next(start())
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
