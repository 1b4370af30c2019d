"""Distillation: the training of a student, which can be interrupted and continued."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from dreamscripts.networks import tuning
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.clone import rewrite
from dreamscripts.networks.rewrite.winograd import with_winograd
from dreamscripts.networks.tuning import Choices
from dreamscripts.settings.recipe import Recipe
from dreamscripts.training import agreement, schedule
from dreamscripts.training.agreement import Agreement
from dreamscripts.training.checkpoint import Checkpoint, digest
from dreamscripts.training.crops import crops
from dreamscripts.training.loudness import equalise
from dreamscripts.training.moment import Moment
from dreamscripts.training.pair import open_pair, side_of_pictures
from dreamscripts.training.photographs import Photographs, read_ahead
from dreamscripts.training.student import without_normalisation
from dreamscripts.training.trainer import Trainer

T = TypeVar("T")

EVERY = 60.0  # seconds between two measurements of the agreement, each followed by a checkpoint
MEASURED = 8  # photographs that are held out, for the measurements during the training
PASSES = 1000  # the number of passes for which the algorithm of the teacher's convolutions is chosen


class Distillation:
    """A training by a recipe, on photographs, from the start or after a checkpoint.

    `on_stage(text)` is called with what is done before the first step. `check()` is called often meanwhile, and may
    raise KeyboardInterrupt. Raises DreamError.
    """

    def __init__(
        self,
        recipe: Recipe,
        photographs: Photographs,
        checkpoint: Checkpoint | None = None,
        on_stage: Callable[[str], None] = lambda text: None,
        check: Callable[[], None] = lambda: None,
    ):
        self.recipe, self.photographs = recipe, photographs
        self.step, self.seconds, self.curve = 0, 0.0, list[Moment]()
        on_stage("loading the networks")
        self.pair = pair = open_pair(recipe)
        self.side = side_of_pictures(pair.teacher, recipe.crop)
        if checkpoint:
            self._choices = Choices.read(checkpoint.record["choices"])
        else:
            self._choices = tuning.choose(pair.teacher, self.side, self.side, recipe.batch * PASSES)
        smallest = self._choices.winograd_from
        faster = pair.teacher.model if smallest is None else with_winograd(pair.teacher.model, smallest)
        self.teacher = replace(pair.teacher, model=faster)
        on_stage("opening the photographs")
        self._trainer = Trainer(pair, self.teacher, recipe, self._crops)
        side = side_of_pictures(pair.teacher, agreement.SIDE)
        self.held_out = photographs.held_out_pictures(side)
        on_stage("measuring the teacher on the photographs that are held out")
        x = self._trainer.normalised(self.held_out)
        self.agreement = Agreement(self.teacher, pair.layers, x, check)
        if checkpoint:
            self._restore(checkpoint)
        else:
            self.before = {} if pair.is_new else self.measure(pair.student)

    @property
    def position(self) -> float:
        """The share of the training that is done, 0 to 1."""
        return schedule.position(self.step, self.seconds, self.recipe.steps, self.recipe.most_minutes)

    def measure(self, network: Network) -> dict[str, float]:
        """Return {layer: agreement} of a student on all photographs that are held out."""
        return self.agreement.measure(network)

    def steps(self, checkpoint: Path | None = None) -> Iterator[Moment]:
        """Make the steps that are left. Once a minute, measure the agreement and write a checkpoint to this file.

        KeyboardInterrupt, raised by a signal, comes after the step that is under way. Raises Diverged.
        """
        measured = self.seconds
        half = self.recipe.batch // 2
        made = read_ahead(lambda number: self._crops(half, number, 0), self.step + 1)
        with closing(made), ThreadPoolExecutor(1) as thread:
            while self.position < 1:
                parts = _uninterrupted(thread.submit(self._step, made))
                moment = Moment(self.step, self.seconds, self.position, parts)
                if not self.curve or self.seconds - measured > EVERY or self.position == 1:
                    moment = replace(moment, agreement=self._measure_few())
                    measured = self.seconds
                    self.curve.append(moment)
                    if checkpoint and self.position < 1:
                        self.checkpoint().write(checkpoint)
                yield moment

    def finished(self) -> Network:
        """Return the student as it is now, without batch normalisation, and with layers as loud as the teacher's."""
        pair = self.pair
        if pair.is_new:
            model = without_normalisation(pair.student.model, pair.teacher, pair.width)
        else:
            model = rewrite(pair.student.model)
        network = replace(pair.student, model=model)
        x = self._trainer.normalised(self.held_out)
        equalise(network, self.teacher, [x[i : i + agreement.BATCH] for i in range(0, len(x), agreement.BATCH)])
        return network

    def checkpoint(self) -> Checkpoint:
        """Return everything that is needed to continue."""
        record = {
            "recipe": self.recipe.model_dump(),
            "photographs": digest(self.photographs),
            "choices": self._choices.record(),
            "step": self.step,
            "seconds": self.seconds,
            "before": self.before,
            "curve": [asdict(moment) for moment in self.curve],
        }
        return Checkpoint(self._trainer.arrays(), record)

    def _step(self, made: Iterator[np.ndarray]) -> tuple[float, ...]:
        started, before = time.monotonic(), self.seconds
        parts = self._trainer.step(self.step + 1, self.position, next(made))
        self.step += 1
        self.seconds = before + time.monotonic() - started
        return parts

    def _measure_few(self) -> dict[str, float]:
        started = time.monotonic()
        found = self.agreement.measure(self.pair.student, MEASURED)
        self.seconds += time.monotonic() - started
        return found

    def _crops(self, count: int, *seed: int) -> np.ndarray:
        photographs = self.photographs
        return crops(photographs.open, len(photographs.files), count, self.side, self.recipe.seed, *seed)

    def _restore(self, checkpoint: Checkpoint) -> None:
        record = checkpoint.record
        self._trainer.restore(checkpoint.arrays)
        self.step, self.seconds, self.before = record["step"], record["seconds"], record["before"]
        self.curve = [Moment(**row | {"parts": tuple(row["parts"])}) for row in record["curve"]]


def _uninterrupted(result: Future[T]) -> T:
    """Wait for a result. After KeyboardInterrupt, wait nevertheless before it is raised."""
    try:
        return result.result()
    except KeyboardInterrupt:
        result.exception()
        raise
