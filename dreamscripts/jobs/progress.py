"""The progress of a job: what the page shows while it runs."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.jobs.work import Work
from dreamscripts.registry import SCHEDULES
from dreamscripts.runs.run_folder import RunFolder

MOST = 0.95  # of an iteration, while it is under way: SciPy may need more passes than are usual


@dataclass(frozen=True)
class Facts:
    """The progress of a job. What a kind of job does not have is None."""

    share: float
    """0 to 1: the part of the work that is done."""
    seconds: float
    """Of computing, also before an interruption."""
    left: float | None = None
    """Seconds, an estimate."""
    octave: int | None = None
    """From 0."""
    octaves: int | None = None
    iteration: int | None = None
    """The last one that is saved."""
    iterations: int | None = None
    """In all octaves."""
    passes: int | None = None
    loss: float | None = None
    """Of the last pass."""
    terms: Mapping[str, float] | None = None
    """Of the loss, if the last pass ended an iteration."""
    snapshot: int | None = None
    """The iteration of the newest snapshot."""
    frame: int | None = None
    """The number of frames that are made."""
    frames: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the progress for JSON."""
        return asdict(self)


class Clock:
    """Estimate the time left from the share of the work that is done, without the first pass, which compiles."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first: tuple[float, float] | None = None  # the time, and the share at that time

    @property
    def seconds(self) -> float:
        """The seconds since this clock was made."""
        return time.monotonic() - self._began

    def left(self, share: float) -> float | None:
        """Return the seconds until the share is 1, or None if nothing was done yet."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, share
        since, before = self._first
        return None if share <= before else (now - since) / (share - before) * (1 - share)


class DreamProgress:
    """The progress of a run. Its octaves count as much as they have pixels."""

    def __init__(self, run: RunFolder, work: Work):
        self._run, self._work = run, work
        self._clock = Clock()
        settings = run.settings
        self._each, self._passes_expected = settings.optimizer.iterations, settings.optimizer.passes
        schedule = SCHEDULES[settings.octaves.kind].schedule
        sizes = schedule.sizes_of(run.picture.shape[-3:-1], settings.octaves)
        self._pixels = [height * width for height, width in sizes]
        self._before = 0.0 if run.last is None else run.last.seconds
        self._passes_before = 0 if run.last is None else run.last.passes
        self._shown = 0.0  # the largest share so far
        self._report(self._facts(run.last, part=0.0), always=True)

    def on_pass(self, passes: int, loss: float) -> None:
        """Report a pass, and stop the run if it shall stop. Called after each pass."""
        self._work.check()
        part = min(MOST, (passes - self._passes_before) / self._passes_expected)
        self._report(self._facts(self._run.last, part=part, timed=True) | {"passes": passes, "loss": loss})

    def on_iterate(self, iterate: Iterate) -> None:
        """Report an iterate that is saved."""
        self._passes_before = iterate.passes
        terms = {name: float(value) for name, value in iterate.terms.items()}
        self._report(self._facts(iterate, part=0.0, timed=True) | {"terms": terms}, always=True)

    def _report(self, facts: dict[str, Any], always: bool = False) -> None:
        self._work.report(facts, always=always)

    def _facts(self, last: Iterate | None, part: float, timed: bool = False) -> dict[str, Any]:
        """Return the progress after an iterate, and `part` of the next iteration."""
        octave, inner = self._place(last)
        share = self._shown = max(self._shown, self._share(octave, inner + (0.0 if last is None else part)))
        every = self._run.record.keep_every
        return Facts(
            share=share,
            seconds=round(self._before + self._clock.seconds, 3),
            left=self._clock.left(share) if timed else None,
            octave=octave,
            octaves=len(self._pixels),
            iteration=0 if last is None else last.iteration,
            iterations=len(self._pixels) * self._each,
            passes=0 if last is None else last.passes,
            loss=None if last is None else float(last.loss),
            snapshot=None if last is None else last.iteration - last.iteration % every,
        ).as_dict()

    def _place(self, last: Iterate | None) -> tuple[int, float]:
        """Return the octave under way, and how many of its iterations are done."""
        if last is None:
            return 0, 0.0
        if last.ends_octave and last.octave + 1 < len(self._pixels):
            return last.octave + 1, 0.0
        return last.octave, float(self._each if last.ends_octave else last.iteration - last.octave * self._each)

    def _share(self, octave: int, inner: float) -> float:
        done = sum(self._pixels[:octave]) + self._pixels[octave] * min(max(inner, 0.0) / self._each, 1.0)
        return done / sum(self._pixels)


class FrameProgress:
    """The progress of a film of `frames` frames, of which `made` were made before."""

    def __init__(self, frames: int, work: Work, made: int = 0):
        self._frames, self._before, self._work = frames, made, work
        self._clock = Clock()
        self.on_frame(made)

    def on_pass(self, passes: int, loss: float) -> None:
        """Report a pass, and stop the film if it shall stop. Called after each pass."""
        self._work.check()
        self._work.report(self._facts() | {"passes": passes, "loss": loss})

    def on_frame(self, made: int) -> None:
        """Report that so many frames are made."""
        self._made, self._frames = made, max(self._frames, made)
        self._work.report(self._facts(), always=True)

    def _facts(self) -> dict[str, Any]:
        share = self._made / self._frames
        return Facts(
            share=share,
            seconds=round(self._clock.seconds, 3),
            left=None if self._made == self._before else self._clock.left(share),  # the first takes longer
            frame=self._made,
            frames=self._frames,
        ).as_dict()
