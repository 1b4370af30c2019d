"""compare(picture, settings, optimizers): the same dream by several optimizers, each with the same number of passes.

All of them get the same network, loss, starting picture, seed of the jitter, and passes through the network. Gradient
ascent and Adam depend on their step, so theirs is searched, up and down as long as that helps; L-BFGS is tried with the
settings' passes in an iteration, and with all of them in one. Each trial has the whole number of passes. The picture of
a trial is the one with the lowest loss that it came by. All keep the pixels within 0..255: beyond, most of these losses
have no lower bound, and whoever takes the longest step wins. Where the settings say how far a pixel may move in an
iteration (`max_change`), that bounds all of them alike. An iteration has the same number of passes for each, but for
the one or two more that L-BFGS takes to finish its line search.
"""

import logging
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from keras import ops

from dreamscripts.dreams.prepare import build_evaluator, choose, open_network
from dreamscripts.errors import Diverged
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.images.resizing import fit
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.registry import OPTIMIZERS
from dreamscripts.optimizers.step import OptimizerResult
from dreamscripts.settings.schema import Jitter, Octaves, Optimizer, Settings

log = logging.getLogger(__name__)

TITLES = {"lbfgs": "L-BFGS", "gradient_ascent": "gradient ascent", "adam": "Adam"}
MOST_TRIALS = 6  # of the step of one optimizer
FACTOR = 3  # between one step and the next


@dataclass(frozen=True)
class Pass:
    """One pass of a trial: what it saw, and the lowest loss up to it; `seconds` since the trial's beginning."""

    number: int
    seconds: float
    loss: float
    lowest: float
    terms: dict[str, float]


@dataclass
class Trial:
    """One optimizer with one step, over all of its passes."""

    optimizer: str
    step: float | None = None  # pixel values; None where the optimizer finds its own
    restart: int | None = None  # passes in each iteration of L-BFGS
    passes: list[Pass] = field(default_factory=list)
    pictures: dict[int, np.ndarray] = field(default_factory=dict)  # after so many passes; float32 (H, W, 3), 0..255
    loss: float = np.inf  # of its picture at the end, without jitter
    terms: dict[str, float] = field(default_factory=dict)
    seconds_per_pass: float = 0.0
    overhead: float = 0.0  # share of the time that was not spent in passes
    mebibytes: float | None = None  # allocated at most beside the network and its pass; unknown of tensors on a device
    ended_by: str = ""  # what made it diverge

    def table(self, settings: Settings) -> Optimizer:
        """The settings' table of the optimizer, as this trial has it."""
        each = self.restart or (_passes_of_iteration(settings) if settings.optimizer.max_change else 1)
        varied = {"name": self.optimizer, "step": self.step or settings.optimizer.step, "passes": each}
        varied |= {"iterations": max(1, len(self.passes) // each), "max_score": None}
        return settings.optimizer.model_copy(update=varied)

    @property
    def name(self) -> str:
        """The optimizer and what was varied of it."""
        title = TITLES[self.optimizer]
        return f"{title}, {self.restart} passes an iteration" if self.step is None else f"{title}, step {self.step:.3g}"

    def reaches(self, loss: float) -> int | None:
        """The first pass whose loss is as low; None where none is."""
        return next((p.number for p in self.passes if p.loss <= loss), None)


@dataclass(frozen=True)
class Comparison:
    """All trials, and the best of each optimizer, best first."""

    settings: Settings
    passes: int
    budgets: tuple[int, ...]  # the passes after which pictures were kept
    start: np.ndarray  # float32 (H, W, 3)
    start_loss: float
    trials: tuple[Trial, ...]

    @property
    def best(self) -> list[Trial]:
        """The trial with the lowest loss of each optimizer, the lowest first."""
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

    `on_trial` is called as each trial begins, `on_pass(passes, loss)` after each of its passes. Octaves are left
    out, as losses at different sizes cannot be compared. Raises DreamError where settings and picture do not fit.
    """
    if settings.octaves.count > 1:
        log.warning("octaves are left out: losses at different sizes cannot be compared")
    clipped = settings.optimizer.model_copy(update={"clip": True})
    settings = settings.model_copy(update={"octaves": Octaves(), "optimizer": clipped})
    picture = fit(picture, settings.size)
    height, width, _ = picture.shape
    network = open_network(settings)
    network.check_size(height, width)
    choices = choose(network, settings, height, width)
    evaluator = build_evaluator(network, settings, height, width, choices=choices, on_pass=on_pass)
    still = settings.model_copy(update={"jitter": Jitter()})
    judge = evaluator if still == settings else build_evaluator(network, still, height, width, choices=choices)
    start = network.preprocessing.normalise(picture)
    start_loss = judge.loss(start)
    evaluator.loss(start)  # compiles
    budgets = tuple(sorted({max(1, round(passes * part)) for part in (1 / 8, 1 / 4, 1 / 2, 1)}))

    def attempt(trial: Trial) -> Trial:
        on_trial(trial)
        x = _run(trial, settings, network.preprocessing, evaluator, start, budgets)
        trial.loss, trial.terms = judge.loss(x), judge.terms(x)
        return trial

    trials: list[Trial] = []
    for name in optimizers:
        if name == "lbfgs":
            restarts = {min(_passes_of_iteration(settings), passes)}
            if settings.optimizer.max_change is None:
                restarts.add(passes)
            trials += [attempt(Trial(name, restart=restart)) for restart in sorted(restarts)]
        else:
            trials += _search(lambda step, name=name: attempt(Trial(name, step)), settings.optimizer.step)
    return Comparison(settings, passes, budgets, picture, start_loss, tuple(trials))


def _passes_of_iteration(settings: Settings) -> int:
    """Passes in an iteration of L-BFGS, where it is not the settings' own optimizer, too."""
    return settings.optimizer.passes if settings.optimizer.name == "lbfgs" else Optimizer().passes


def _search(attempt: Callable[[float], Trial], step: float) -> list[Trial]:
    """Trials with steps on both sides of the best, where MOST_TRIALS are enough for that; by length of step."""
    trials = [attempt(step)]
    for factor in (FACTOR, 1 / FACTOR):
        best = trials[0]
        while len(trials) < MOST_TRIALS:
            trials.append(attempt(best.step * factor))
            if trials[-1].loss >= best.loss:
                break
            best = trials[-1]
        if best is not trials[0]:
            break  # downhill was that way
    return sorted(trials, key=lambda trial: trial.step)


class _Spent(Exception):
    """The passes are used up."""


class _Meter:
    """Stands between an optimizer and the evaluator, and notes every pass in the trial."""

    def __init__(self, trial: Trial, evaluator: Evaluator, preprocessing: Preprocessing, budgets: Sequence[int]):
        self.best = np.zeros(0)
        self._trial = trial
        self._evaluator = evaluator
        self._preprocessing = preprocessing
        self._budgets = budgets
        self._begun = time.perf_counter()
        self._noting = 0.0  # seconds that are ours and not the optimizer's

    def draw(self, number: int) -> None:
        self._evaluator.draw(number)

    @property
    def is_random(self) -> bool:
        return self._evaluator.is_random

    def loss(self, x: np.ndarray) -> float:
        self._note(x)
        return self._evaluator.loss(x)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        self._note(x)
        return self._evaluator.gradient(x)

    def terms(self, x: np.ndarray) -> dict[str, float]:
        self._note(x)
        return self._evaluator.terms(x)

    @property
    def seconds(self) -> float:
        """Since the trial's beginning, without the notes."""
        return time.perf_counter() - self._begun - self._noting

    def _note(self, x: np.ndarray) -> None:
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
            self._trial.pictures[number] = self._preprocessing.denormalise(self.best)
        self._noting += self.seconds - seconds


def _run(
    trial: Trial,
    settings: Settings,
    preprocessing: Preprocessing,
    evaluator: Evaluator,
    start: np.ndarray,
    budgets: Sequence[int],
) -> np.ndarray:
    """Fill the trial in, all but what its picture is worth, and return that picture, as the network sees it."""
    table = trial.table(settings)
    optimize = OPTIMIZERS[trial.optimizer]
    evaluator.reset()
    before = 0
    meter = _Meter(trial, evaluator, preprocessing, budgets)
    try:
        for _ in optimize(meter, start, table, preprocessing):
            if len(trial.passes) == before:
                break  # nothing left to descend
            before = len(trial.passes)
    except _Spent:
        pass
    except Diverged as error:
        trial.ended_by = str(error)
    trial.seconds_per_pass = evaluator.seconds / evaluator.passes
    trial.overhead = 1 - evaluator.seconds / meter.seconds
    for budget in budgets:
        trial.pictures.setdefault(budget, preprocessing.denormalise(meter.best))  # after a divergence
    short = table.model_copy(update={"passes": 1})
    if not table.on_device:
        trial.mebibytes = _memory(lambda: optimize(evaluator, start, short, preprocessing))
    return meter.best


def _memory(begin: Callable[[], Iterator[OptimizerResult]]) -> float:
    """MiB that one short iteration allocates at most; apart from the trial, as watching memory costs time."""
    tracemalloc.start()
    try:
        with suppress(Diverged):
            next(begin())
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
