"""compare(picture, settings, optimizers): the same dream by several optimizers, each with the same number of passes.

All of them have the same network, loss, start picture, seed, and number of passes through the network. A registry entry
(`searches`) says what is varied: the step size of gradient ascent and Adam is searched in both directions as long as
the loss improves; L-BFGS is tried with the settings' passes in an iteration, and with all passes in one iteration. Each
trial has the whole number of passes. The result of a trial is the picture with the lowest loss of all its passes. All
optimizers keep the pixels within 0..255, because most losses can fall without limit outside, and the longest step would
win. If the settings limit how far a pixel moves in an iteration (`max_change`), the limit is the same for all, and an
iteration has the same number of passes, except that L-BFGS makes one or two more to finish its line search.
"""

import logging
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.dreams.prepare import build_evaluator, choose, open_network
from dreamscripts.errors import Diverged
from dreamscripts.images.resizing import fit
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.optimizer_keys import DEFAULT
from dreamscripts.settings.schema import Jitter, Octaves, OptimizerSettings, Settings

log = logging.getLogger(__name__)

MOST_TRIALS = 6  # trials of step sizes for one optimizer
FACTOR = 3  # between two neighbouring step sizes


@dataclass(frozen=True)
class Pass:
    """One pass of a trial: its loss and terms, the lowest loss so far, and the seconds since the trial started.

    Losses and terms are those under the jitter of the pass.
    """

    number: int
    seconds: float
    loss: float
    lowest: float
    terms: dict[str, float]


@dataclass
class Trial:
    """One optimizer with one step, over all of its passes."""

    optimizer: str
    step: float | None = None
    """Step size, in pixel values or Fourier coefficients; None if it is not varied."""
    restart: int | None = None
    """Passes in each iteration; None if they are not varied."""
    passes: list[Pass] = field(default_factory=list)
    """All passes, in order."""
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    """The best picture so far after some numbers of passes: float32 (H, W, 3), 0..255."""
    loss: float = np.inf
    """Loss of the final picture, without jitter."""
    terms: dict[str, float] = field(default_factory=dict)
    """Weighted terms of that loss."""
    seconds_per_pass: float = 0.0
    """Mean time of a pass in seconds."""
    overhead: float = 0.0
    """Share of the time that was not spent in passes, 0..1."""
    mebibytes: float | None = None
    """Largest memory of the optimizer's arrays in MiB; None if they are on the device."""
    ended_by: str = ""
    """The error, if the trial diverged."""

    def table(self, settings: Settings) -> OptimizerSettings:
        """Make the settings of this trial's optimizer: those of `settings` that it has, and what the trial varies."""
        each = self.restart or 1
        if not self.restart and (self.step is None or settings.optimizer.max_change is not None):
            each = _passes_of_iteration(settings)
        table = settings.optimizer.switched_to(self.optimizer)
        varied: dict[str, Any] = {"passes": each, "iterations": max(1, len(self.passes) // each), "max_score": None}
        varied |= {} if self.step is None else {"step": self.step}
        return table.model_copy(update={key: varied[key] for key in varied if key in type(table).model_fields})

    @property
    def title(self) -> str:
        """The optimizer, in words."""
        return OPTIMIZERS[self.optimizer].title

    @property
    def colour(self) -> str:
        """The colour of the optimizer in plots."""
        return OPTIMIZERS[self.optimizer].colour

    @property
    def name(self) -> str:
        """The optimizer and what the trial varies, in words."""
        if self.restart is not None:
            return f"{self.title}, {self.restart} passes an iteration"
        return self.title if self.step is None else f"{self.title}, step {self.step:.3g}"

    def reaches(self, loss: float) -> int | None:
        """Find the number of the first pass with at most this loss; None if there is none."""
        return next((p.number for p in self.passes if p.loss <= loss), None)


@dataclass(frozen=True)
class Comparison:
    """The trials of all optimizers."""

    settings: Settings
    """The settings, with clip and without octaves."""
    passes: int
    """Passes of each trial."""
    budgets: tuple[int, ...]
    """The numbers of passes after which pictures were kept; the last is `passes`."""
    start: np.ndarray
    """The start picture: float32 (H, W, 3), 0..255."""
    start_loss: float
    """Loss of the start picture, without jitter."""
    trials: tuple[Trial, ...]
    """All trials, those of the same optimizer together."""

    @property
    def best(self) -> list[Trial]:
        """The best trial of each optimizer, by the loss of its final picture without jitter; the lowest first."""
        chosen: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.optimizer not in chosen or trial.loss < chosen[trial.optimizer].loss:
                chosen[trial.optimizer] = trial
        return sorted(chosen.values(), key=lambda trial: trial.loss)


def compare(
    picture: np.ndarray,
    settings: Settings,
    optimizers: Sequence[str],
    passes: int,
    *,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    on_pass: Callable[[int, float], None] | None = None,
) -> Comparison:
    """Run every optimizer for `passes` passes on a picture (float32 (H, W, 3) RGB in 0..255).

    `on_trial` is called at the start of each trial, `on_pass(passes, loss)` after each of its passes. There are no
    octaves, because losses at different sizes cannot be compared. Raises DreamError if settings and picture do not go
    together.
    """
    settings = _comparable(settings, optimizers)
    picture = fit(picture, settings.size)
    height, width, _ = picture.shape
    network = open_network(settings)
    network.check_size(height, width)
    choices = choose(network, settings, height, width)
    evaluator = build_evaluator(network, settings, height, width, choices=choices, on_pass=on_pass)
    still = settings.model_copy(update={"jitter": Jitter()})
    without_jitter = evaluator if still == settings else build_evaluator(network, still, height, width, choices=choices)
    start = network.preprocessing.normalise(picture)
    start_loss = without_jitter.loss(start)
    evaluator.loss(start)  # compiles
    budgets = tuple(sorted({max(1, round(passes * part)) for part in (1 / 8, 1 / 4, 1 / 2, 1)}))

    def attempt(trial: Trial) -> Trial:
        on_trial(trial)
        x = _run(trial, settings, evaluator, start, budgets)
        trial.loss, trial.terms = without_jitter.loss(x), without_jitter.terms(x)
        return trial

    trials: list[Trial] = []
    for name in optimizers:
        trials += _trials(name, settings, passes, attempt)
    return Comparison(settings, passes, budgets, picture, start_loss, tuple(trials))


def _comparable(settings: Settings, optimizers: Sequence[str]) -> Settings:
    """Remove the octaves, and set clip.

    Logs a warning if a value other than the default is ignored for an optimizer, although several others have the key.
    The step size is searched, so it is not mentioned.
    """
    if settings.octaves.count > 1:
        log.warning("octaves are ignored, because losses at different sizes cannot be compared")
    table = settings.optimizer
    default = OPTIMIZERS[table.name].settings()
    owners = Counter(key for entry in OPTIMIZERS.values() for key in entry.settings.model_fields)
    changed = [key for key, value in table if value != getattr(default, key) and key != "step"]
    for name in optimizers:
        own = OPTIMIZERS[name].settings.model_fields
        lost = [key for key in changed if key not in own and owners[key] > 1]
        if lost:
            log.warning("%s of %s is ignored for %s, which has no such setting", ", ".join(lost), table.name, name)
    return settings.model_copy(update={"octaves": Octaves(), "optimizer": table.model_copy(update={"clip": True})})


def _trials(name: str, settings: Settings, passes: int, attempt: Callable[[Trial], Trial]) -> list[Trial]:
    """Make the trials of one optimizer."""
    searches = OPTIMIZERS[name].searches
    if searches == "step":
        first: float = settings.optimizer.switched_to(name).model_dump()["step"]
        return _search(lambda step: attempt(Trial(name, step)), first)
    if searches == "passes":
        restarts = {min(_passes_of_iteration(settings), passes)}
        if settings.optimizer.max_change is None:
            restarts.add(passes)
        return [attempt(Trial(name, restart=restart)) for restart in sorted(restarts)]
    return [attempt(Trial(name))]


def _passes_of_iteration(settings: Settings) -> int:
    """Get the passes in an iteration of L-BFGS: the settings' own, or the default if they name another optimizer."""
    own = OPTIMIZERS[settings.optimizer.name].searches != "step"
    return settings.optimizer.passes if own else OPTIMIZERS[DEFAULT].settings().passes


def _search(attempt: Callable[[float], Trial], step: float) -> list[Trial]:
    """Make trials of longer and shorter steps until the best has worse neighbours, at most MOST_TRIALS.

    Returns them by step size.
    """
    trials = {step: attempt(step)}
    for factor in (FACTOR, 1 / FACTOR):
        best = step
        while len(trials) < MOST_TRIALS:
            other = best * factor
            trials[other] = attempt(other)
            if trials[other].loss >= trials[best].loss:
                break
            best = other
        if best != step:
            break  # the other direction cannot be better
    return [trials[one] for one in sorted(trials)]


class _Spent(Exception):
    """All passes of the trial have been made."""


class _Meter:
    """An objective that passes everything on to the evaluator, and records every pass in the trial."""

    def __init__(self, trial: Trial, evaluator: Evaluator, budgets: Sequence[int]):
        self.best = np.zeros(0)  # the preprocessed picture with the lowest loss
        self.preprocessing, self.is_random, self.draw = evaluator.preprocessing, evaluator.is_random, evaluator.draw
        self._trial = trial
        self._evaluator = evaluator
        self._budgets = budgets
        self._started = time.perf_counter()
        self._recording = 0.0  # seconds that are not the optimizer's

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
        """Seconds since the start of the trial, without those that recording takes."""
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


def _run(
    trial: Trial, settings: Settings, evaluator: Evaluator, start: np.ndarray, budgets: Sequence[int]
) -> np.ndarray:
    """Run a trial and record it, except for its final loss; return its best picture, preprocessed."""
    table = trial.table(settings)
    evaluator.reset()
    before = 0
    meter = _Meter(trial, evaluator, budgets)
    try:
        for _ in optimize(meter, start, table):
            if len(trial.passes) == before:
                break  # the optimizer has nothing left to do
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
    """Measure how many MiB one short iteration allocates at most. It is run apart, because measuring takes time."""
    tracemalloc.start()
    try:
        with suppress(Diverged):
            next(start())
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
