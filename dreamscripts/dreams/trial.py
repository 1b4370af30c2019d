"""A trial of a comparison: one optimizer on a picture, with a record of every pass."""

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.errors import Diverged
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.optimizer_keys import DEFAULT
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import OptimizerSettings


@dataclass(frozen=True)
class Pass:
    """One pass of a trial: its loss and terms, the lowest loss so far, and the seconds since the trial started.

    Losses and terms are computed with the jitter of the pass.
    """

    number: int
    seconds: float
    loss: float
    lowest: float
    terms: dict[str, float]


@dataclass
class Trial:
    """One optimizer with one step size or number of passes per iteration, and all of its passes."""

    optimizer: str
    step: float | None = None
    """Step size, in pixel values or Fourier coefficients, or None if it is not varied."""
    restart: int | None = None
    """Passes in each iteration, or None if this number is not varied."""
    passes: list[Pass] = field(default_factory=list)
    """All passes, in order."""
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    """The best picture so far, by number of passes: float32 (H, W, 3), 0..255."""
    loss: float = np.inf
    """Loss of the final picture, without jitter."""
    terms: dict[str, float] = field(default_factory=dict)
    """Weighted terms of that loss."""
    seconds_per_pass: float = 0.0
    """Mean time of a pass in seconds."""
    overhead: float = 0.0
    """Share of the time that was not spent in passes, 0..1."""
    mebibytes: float | None = None
    """Largest memory of the optimizer's arrays in MiB, or None if they are on the device."""
    ended_by: str = ""
    """The error message if the trial diverged, else empty."""

    def table(self, settings: Settings) -> OptimizerSettings:
        """Return this trial's table [optimizer]: the values of `settings`, with those that the trial varies."""
        each = self.restart or 1
        if not self.restart and (self.step is None or settings.optimizer.max_change is not None):
            each = passes_of_iteration(settings)
        table = settings.optimizer.switched_to(self.optimizer)
        varied: dict[str, Any] = {"passes": each, "iterations": max(1, len(self.passes) // each), "max_score": None}
        varied |= {} if self.step is None else {"step": self.step}
        return table.model_copy(update={key: varied[key] for key in varied if key in type(table).model_fields})

    @property
    def title(self) -> str:
        """The name of the optimizer in reports."""
        return OPTIMIZERS[self.optimizer].title

    @property
    def colour(self) -> str:
        """The colour of the optimizer in plots."""
        return OPTIMIZERS[self.optimizer].colour

    @property
    def name(self) -> str:
        """The name of the trial in reports: the optimizer and the value that the trial varies."""
        if self.restart is not None:
            return f"{self.title}, {self.restart} passes per iteration"
        return self.title if self.step is None else f"{self.title}, step {self.step:.3g}"

    def reaches(self, loss: float) -> int | None:
        """Return the number of the first pass with at most this loss, or None if no pass reaches it."""
        return next((p.number for p in self.passes if p.loss <= loss), None)


def passes_of_iteration(settings: Settings) -> int:
    """Return the passes in an iteration: those of the settings or, if their optimizer has a step, L-BFGS's default."""
    own = OPTIMIZERS[settings.optimizer.name].searches != "step"
    return settings.optimizer.passes if own else OPTIMIZERS[DEFAULT].settings().passes


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
