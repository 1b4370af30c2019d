"""Steps of an update rule on the device: the rule and the pass that follows are one compiled function.

On a GPU, several steps are one call, and only the terms of the loss are copied to the host.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from dreamscripts.backends import compiling, host
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.box import Box

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Evaluate, Objective
    from dreamscripts.objective.transforms import Draw
    from dreamscripts.optimizers.update_rule import UpdateRuleSettings

Tensor = Any
Kept = Mapping[str, Tensor]  # the state of a rule
Bounds = Box | tuple[()]  # an empty tuple without bounds


class Rule(Protocol):
    """An update rule in keras.ops, which the backend compiles. Rules with the same settings are equal, and hashable."""

    def start(self, x: Tensor) -> Kept:
        """Return the state at the start of an octave."""

    def __call__(self, x: Tensor, gradient: Tensor, kept: Kept, rate: Tensor, unit: Tensor) -> tuple[Tensor, Kept]:
        """Return the next picture and the next state, which has the same names.

        x and the gradient of the loss are float32 (..., H, W, 3). `rate` is the step size in pixel values, and `unit`
        (1, W, 3) is a pixel value in the units of x.
        """


@dataclass(frozen=True)
class Steps:
    """A function to compile (Objective.compiled): some steps of a rule, each followed by its pass.

    With `splits`, the gradient first goes through a Laplacian pyramid.
    """

    rule: Rule
    splits: int

    def __call__(
        self,
        evaluate: "Evaluate",
        x: Tensor,
        gradient: Tensor,
        kept: Kept,
        rate: Tensor,
        unit: Tensor,
        bounds: Bounds,
        draws: "Draw",
        numbers: Tensor,
        moving: Tensor,
    ) -> tuple[Tensor, Tensor, Kept, Tensor]:
        """Take a step for each of the `draws` and of the rows of `numbers`, and fill the rows.

        A step whose `moving` is False leaves x where it is, and only evaluates it. The number of steps is part of the
        function, because a GPU would otherwise wait for the host after each step. `bounds` are those of the picture
        (box.py), or an empty tuple. Returns the picture, its gradient, the state and the numbers.
        """

        def step(i: Any, carried: tuple) -> tuple:
            x, gradient, kept, numbers = carried
            x, kept = self._move(x, gradient, kept, rate, unit, bounds, moving[i])
            row, gradient = evaluate(x, draws.of(i))
            return x, gradient, kept, ops.slice_update(numbers, (i, 0), row[None]) if several else row

        several = numbers.shape[0] > 1
        carried = x, gradient, kept, numbers
        return ops.fori_loop(0, numbers.shape[0], step, carried) if several else step(0, carried)

    def _move(
        self, x: Tensor, gradient: Tensor, kept: Kept, rate: Tensor, unit: Tensor, bounds: Bounds, moving: Tensor
    ) -> tuple[Tensor, Kept]:
        if self.splits:
            gradient = laplacian.normalise(gradient, self.splits)
        moved, changed = self.rule(x, gradient, kept, rate, unit)
        moved = bounds.clipped(moved) if bounds else moved
        kept = {name: ops.where(moving, changed[name], before) for name, before in kept.items()}
        return ops.where(moving, moved, x), kept


class Taken(NamedTuple):
    """Steps that were taken, or that a GPU still takes: the picture and the state after them.

    `losses()` waits for them, and returns the loss after each.
    """

    x: Tensor
    kept: Kept
    losses: Callable[[], list[float]]


class Walk:
    """The steps of a rule along an objective. It has the picture, its gradient and the rule's state, all on the device.

    When the losses of steps are known, the objective has the result of their last pass.
    """

    def __init__(self, rule: Rule, objective: "Objective", settings: "UpdateRuleSettings", x: Any):
        self._objective, self._settings = objective, settings
        self.x = ops.convert_to_tensor(x, "float32")
        self.kept = rule.start(self.x)
        self._gradient: Tensor = None
        self._run = objective.compiled(Steps(rule, settings.laplacian), tuple(self.x.shape))
        unit = np.tile((1 / np.array(objective.preprocessing.scale)).astype(np.float32), (1, self.x.shape[-2], 1))
        self._step = np.float32(settings.step), ops.convert_to_tensor(unit)

    @property
    def most(self) -> int:
        """The largest number of steps that are taken at once: an iteration in calls of nearly the same length.

        It is 1 if the score is looked at after each step.
        """
        passes = self._settings.passes
        calls = -(-passes // self._objective.passes_at_once)
        return 1 if self._settings.max_score is not None else -(-passes // calls)

    @property
    def goes_ahead(self) -> bool:
        """Whether `take` returns before the steps are computed, and the next can be taken."""
        return self._objective.passes_at_once > 1 and self._settings.max_score is None

    def begin(self, drawn: int, bounds: Bounds) -> None:
        """Evaluate the objective where the picture is, unless that is known."""
        self._objective.draw(drawn)
        if self._objective.is_cached(self.x):
            self._gradient = ops.convert_to_tensor(self._objective.gradient(self.x))
        else:
            self._gradient = ops.zeros_like(self.x)
            self._call(drawn - 1, 1, bounds, moving=False).losses()

    def take(self, drawn: int, count: int, bounds: Bounds) -> Taken:
        """Take `count` steps, at most `most`, after draw number `drawn`. A GPU may still compute them."""
        if compiling.has_loops():
            return self._call(drawn, count, bounds, moving=True)
        steps = [self._call(drawn + i, 1, bounds, moving=True) for i in range(count)]
        return steps[-1]._replace(losses=lambda: [loss for step in steps for loss in step.losses()])

    def _call(self, drawn: int, count: int, bounds: Bounds, *, moving: bool) -> Taken:
        rows = self.most if compiling.has_loops() else 1
        draws = self._objective.draws([drawn + 1 + min(i, count - 1) for i in range(rows)])
        numbers = np.zeros((rows, len(self._objective.names) + 1), np.float32)
        moves = moving & (np.arange(rows) < count)
        x, gradient, kept, numbers = self._run(
            self.x, self._gradient, self.kept, *self._step, bounds, draws, numbers, moves
        )
        self.x, self._gradient, self.kept = x, gradient, kept
        arriving = host.fetch(numbers)

        def losses() -> list[float]:
            return self._objective.record(x, np.atleast_2d(arriving())[:count], gradient, drawn + count)

        return Taken(x, kept, losses)
