"""The data of a trial of a comparison: one optimizer on a picture, with a record of every pass."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.optimizer_keys import DEFAULT
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import OptimizerSettings

MOMENTS = 25  # most snapshots of a trial


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
    snapshots: dict[int, np.ndarray] = field(default_factory=dict)
    """The best picture so far, small, after the passes of `moments_of`: uint8 (H, W, 3).

    Empty if the trial was read from the disk.
    """

    @property
    def varied(self) -> tuple[str, float | None, int | None]:
        """What distinguishes a trial from the others of a comparison."""
        return self.optimizer, self.step, self.restart

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


def moments_of(passes: int) -> tuple[int, ...]:
    """Return the numbers of passes after which small snapshots are kept: at most MOMENTS, from 1 to `passes`."""
    count = min(MOMENTS, passes)
    return tuple(round(1 + (passes - 1) * number / max(1, count - 1)) for number in range(count))


def budgets_of(passes: int) -> tuple[int, ...]:
    """Return the numbers of passes after which pictures are kept: an eighth, a quarter, a half and all."""
    return tuple(sorted({max(1, round(passes * part)) for part in (1 / 8, 1 / 4, 1 / 2, 1)}))
