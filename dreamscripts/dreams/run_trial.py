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
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.settings.schema import Settings

SIDE = 320  # longest side of a snapshot in pixels


class _Spent(Exception):
    """All passes of the trial have been made."""


class _Meter:
    """An objective that computes with the evaluator and records every pass in the trial."""

    def __init__(self, trial: Trial, evaluator: Evaluator, budgets: Sequence[int]):
        self.best = np.zeros(0)  # the preprocessed picture with the lowest loss
        self.preprocessing, self.is_random, self.draw = evaluator.preprocessing, evaluator.is_random, evaluator.draw
        self._trial = trial
        self._evaluator = evaluator
        self._budgets = budgets
        self._moments = moments_of(budgets[-1])
        self._started = time.perf_counter()
        self._recording = 0.0  # seconds spent on recording

    def loss(self, x: Any) -> float:
        self._record(x)
        return self._evaluator.loss(x)

    def gradient(self, x: Any) -> Any:
        self._record(x)
        return self._evaluator.gradient(x)

    def terms(self, x: Any) -> dict[str, float]:
        self._record(x)
        return self._evaluator.terms(x)

    @property
    def seconds(self) -> float:
        """Seconds since the start of the trial, without the time for recording."""
        return time.perf_counter() - self._started - self._recording

    def snapshot(self) -> np.ndarray:
        """Return the best picture so far, with at most SIDE pixels on its longer side: uint8 (H, W, 3)."""
        picture = self.preprocessing.denormalise(self.best)
        return np.rint(fit(picture, min(SIDE, max(picture.shape)))).astype(np.uint8)

    def _record(self, x: Any) -> None:
        passes, before = self._trial.passes, self._evaluator.passes
        if before == self._budgets[-1] and not self._evaluator.is_cached(x):
            raise _Spent
        loss = self._evaluator.loss(x)
        if self._evaluator.passes == before:
            return
        seconds = self.seconds
        lowest = min(loss, passes[-1].lowest) if passes else loss
        if loss == lowest:
            self.best = np.array(ops.convert_to_numpy(x))
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
    before = 0
    meter = _Meter(trial, evaluator, budgets)
    try:
        for _ in optimize(meter, start, table):
            if len(trial.passes) == before:
                break  # the optimizer made no more passes
            before = len(trial.passes)
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
