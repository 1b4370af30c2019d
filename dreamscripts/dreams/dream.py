"""dream(picture, settings) -> Iterator[Iterate]: prepare, then iterate."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import islice

import numpy as np

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.dreams.prepare import Prepared, prepare
from dreamscripts.errors import Diverged
from dreamscripts.losses.term import Loss, Term, TermFunction
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.evaluator import Evaluator, OnPass
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.schema import Settings


def dream(
    picture: np.ndarray,
    settings: Settings,
    *,
    loss: Loss | Term | TermFunction | None = None,
    start: np.ndarray | None = None,
    after: Iterate | None = None,
    on_pass: OnPass | None = None,
    evaluator: Evaluator | None = None,
    choices: Choices | None = None,
    on_choices: Callable[[Choices], None] = lambda choices: None,
) -> Generator[Iterate]:
    """Turn a picture (an array (H, W, 3), RGB in 0..255) into iterates, from the picture itself to the last iteration.

    Settings that start with noise take several pictures as well, an array (N, H, W, 3). Iterations are numbered through
    all octaves. An octave that ends early, or is skipped because its pictures are too small for the network (a warning
    is logged), leaves a gap in the numbers.

    loss: a loss in place of the features and penalties of the settings: a Loss, a Term or a function of
        (x, features, regions). The network is loaded up to the layers that it reads; a plain function can read the
        layers of the settings' features.
    start: another picture of any size to begin with. Octaves still add back the detail of `picture`.
    after: an iterate of an earlier run with the same picture and settings. The dream continues from it, to the same
        iterates as without a break.
    on_pass: called as `on_pass(passes, loss)` after each pass through the network.
    evaluator: from `build_evaluator`, to use what it compiled again. It may have been built for other settings of
        octaves and optimizer, but for no others.
    choices: those of the earlier run, which give the same bytes again. None measures what is fast, if the run is long.
    on_choices: called with the choices before the first pass.

    Raises DreamError if the settings do not fit the network or the picture, and Diverged if the loss becomes NaN or
    infinite.
    """
    prepared = prepare(picture, settings, loss, start, evaluator, choices, on_choices)
    del picture, start  # the schedule has what it needs of them
    told = prepared.evaluator.on_pass
    prepared.evaluator.on_pass = on_pass or told
    try:
        yield from _Dream(settings, prepared).iterates(after)
    finally:
        prepared.evaluator.on_pass = told


class _Dream:
    """A dream that is prepared."""

    def __init__(self, settings: Settings, prepared: Prepared):
        self._settings = settings
        self._evaluator, self._schedule, self._first, self._start = prepared
        self._octaves = self._first + len(self._schedule.sizes)
        self._started = time.perf_counter()

    def iterates(self, after: Iterate | None) -> Iterator[Iterate]:
        """Yield the iterates from the beginning, or those that follow `after`."""
        each, iteration = self._settings.optimizer.iterations, 0
        state: Mapping[str, np.ndarray] = {}
        try:
            if after is None:
                octave = self._first
                x = self._schedule.begin(0, None) if self._start is None else self._start
                yield self._iterate(octave, 0, OptimizerResult(x, self._evaluator.loss(x), self._evaluator.terms(x)))
            else:
                octave, iteration, x, state = self._resume(after)
            while octave < self._octaves:
                iteration = max(iteration, octave * each)
                results = optimize(self._evaluator, x, self._settings.optimizer, iteration, state)
                for result in islice(results, (octave + 1) * each - iteration):
                    iteration += 1
                    last = self._iterate(octave, iteration, result)
                    yield last
                octave += 1
                x, state = self._begin(octave, last.x), {}
        except Diverged as error:
            advice = OPTIMIZERS[self._settings.optimizer.name].advice
            raise Diverged(f"iteration {iteration + 1}: {error}; {advice}") from None

    def _begin(self, octave: int, x: np.ndarray) -> np.ndarray:
        """The picture that an octave begins with, given the last one of the octave before."""
        return self._schedule.begin(octave - self._first, x) if octave < self._octaves else x

    def _resume(self, after: Iterate) -> tuple[int, int, np.ndarray, Mapping[str, np.ndarray]]:
        """The octave, iteration, picture and state that follow an iterate."""
        self._started -= after.seconds
        self._evaluator.passes = after.passes
        if after.ends_octave:
            return after.octave + 1, after.iteration, self._begin(after.octave + 1, after.x), {}
        self._evaluator.passes -= 1  # the last pass is made again, so that its result is cached as it was
        self._evaluator.draw(after.drawn)
        self._evaluator.loss(after.x)
        return after.octave, after.iteration, after.x, after.state

    def _iterate(self, octave: int, iteration: int, result: OptimizerResult) -> Iterate:
        settings = self._settings
        ends = iteration > 0 and (result.done or iteration == (octave + 1) * settings.optimizer.iterations)
        return Iterate(
            octave=octave,
            iteration=iteration,
            loss=result.loss,
            terms=result.terms,
            passes=self._evaluator.passes,
            seconds=time.perf_counter() - self._started,
            x=self._schedule.finish(octave - self._first, result.x) if ends else result.x,
            preprocessing=self._evaluator.network.preprocessing.name,
            stretched=settings.start == "noise" and settings.optimizer.parameters == "pixels",
            drawn=self._evaluator.drawn,
            ends_octave=ends,
            state=result.state,
        )
