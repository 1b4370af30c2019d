"""dream(picture, settings) -> Generator[Iterate]: prepare the dream, then iterate."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.dreams.prepare import Prepared, prepare
from dreamscripts.errors import Diverged
from dreamscripts.losses.term import Loss, Term, TermFunction
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.protocol import OnPass
from dreamscripts.optimizers.optimize import begin, optimize
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    from dreamscripts.dreams.kept_evaluators import KeptEvaluators


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
    kept: "KeptEvaluators | None" = None,
) -> Generator[Iterate]:
    """Turn a picture (an array (H, W, 3), RGB in 0..255) into iterates, from the start picture to the last iteration.

    If the settings start with noise, `picture` can also be several pictures (N, H, W, 3). Iterations are numbered
    through all octaves. An octave is skipped with a warning if its pictures are too small for the network. If an octave
    ends early or is skipped, its remaining numbers are skipped too.

    loss: replaces the features and penalties of the settings: a Loss, a Term or a function of (x, features, regions).
        The network is loaded up to the deepest layer that the loss reads. A plain function can read the layers of the
        settings' features.
    start: start from this picture instead of `picture`. It may have any size, and is resized to the first octave.
        Octaves that add detail take it from `picture`.
    after: an iterate of an earlier run with the same picture and settings. The dream continues after it, and gives the
        same iterates as an uninterrupted run.
    on_pass: called as `on_pass(passes, loss)` after each pass through the network.
    evaluator: an evaluator from `build_evaluator`, whose compiled code is used again. `settings` may differ from its
        settings only in the octaves and the optimizer.
    choices: the algorithms that an earlier run used (XLA, Winograd's), to get the same bytes as that run. With None, a
        long run measures which algorithms are fastest.
    on_choices: called with the choices before the first pass.
    kept: where to find the compiled code of earlier dreams in this process, and to keep that of this one.

    Raises DreamError if the settings do not fit the network or the picture. Raises Diverged if the loss becomes NaN,
    infinite or much larger than at the start.
    """
    prepared = prepare(picture, settings, loss, start, evaluator, choices, on_choices, kept)
    del picture, start  # the schedule has its own copies
    previous = prepared.evaluator.on_pass
    prepared.evaluator.on_pass = on_pass or previous
    try:
        yield from _Dream(settings, prepared).iterates(after)
    finally:
        prepared.evaluator.on_pass = previous


class _Dream:
    """A prepared dream."""

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
                yield self._iterate(octave, 0, begin(self._evaluator, x, self._settings.optimizer))
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
        """Return the start picture of an octave, from the last picture of the previous octave."""
        return self._schedule.begin(octave - self._first, x) if octave < self._octaves else x

    def _resume(self, after: Iterate) -> tuple[int, int, np.ndarray, Mapping[str, np.ndarray]]:
        """Return the octave, iteration, picture and state after an iterate."""
        self._started -= after.seconds
        self._evaluator.passes = after.passes
        if after.ends_octave:
            return after.octave + 1, after.iteration, self._begin(after.octave + 1, after.x), {}
        # Repeat the last pass, so that its result is cached as before the interruption.
        self._evaluator.passes -= 1
        self._evaluator.draw(after.drawn)
        begin(self._evaluator, after.x, self._settings.optimizer, after.state)
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
