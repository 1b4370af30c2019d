"""Adam on pixel values (Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization"), as Keras computes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.steps import Kept, Tensor
from dreamscripts.optimizers.update_rule import FIRST, UpdateRuleSettings, apply_rule, begin_rule, has_first

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

MEAN, SQUARE = 0.9, 0.999  # β₁ and β₂: what remains of the means in each step
LEAST = 1e-7  # ε, which is added to the root


class AdamSettings(UpdateRuleSettings):
    """Adam: the step of each value is `step` times its mean gradient over the root of its mean squared gradient."""

    name: Literal["adam"] = "adam"
    """The optimizer."""

    @property
    def on_device(self) -> bool:
        """See OptimizerSettings."""
        return True


@dataclass(frozen=True)
class Adam:
    """Adam, whose state is the number of steps, the mean of the gradient and the mean of its square."""

    def start(self, x: Tensor) -> Kept:
        return {"steps": ops.zeros((), "float32"), "mean": ops.zeros_like(x), "square": ops.zeros_like(x)}

    def __call__(self, x: Tensor, gradient: Tensor, kept: Kept, rate: Tensor, unit: Tensor) -> tuple[Tensor, Kept]:
        gradient = gradient * unit  # with respect to pixel values
        steps = kept["steps"] + 1
        mean = kept["mean"] + (gradient - kept["mean"]) * (1 - MEAN)
        square = kept["square"] + (ops.square(gradient) - kept["square"]) * (1 - SQUARE)
        rate = rate * ops.sqrt(1 - SQUARE**steps) / (1 - MEAN**steps)  # both means start at 0
        return x - unit * rate * mean / (ops.sqrt(square) + LEAST), {"steps": steps, "mean": mean, "square": square}


def _is_state(state: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> bool:
    """Return whether the state has the first loss, and the state of the rule."""
    kept = {name: array.shape for name, array in state.items() if name != FIRST}
    fits = has_first(state, shape) and kept == {"steps": (), "mean": shape, "square": shape}
    return fits and all(np.isfinite(array).all() for array in state.values())


def _begin(objective: "Objective", x: Any, settings: AdamSettings) -> Any:
    return begin_rule(Adam(), objective, x, settings)


@optimizer(
    "adam",
    settings=AdamSettings,
    title="Adam",
    colour="#d97706",
    advice="lower optimizer.step",
    searches="step",
    accepts=_is_state,
    begin=_begin,
)
def adam(
    objective: "Objective", x: np.ndarray, settings: AdamSettings, start: int, state: Mapping[str, np.ndarray]
) -> Iterator[OptimizerResult]:
    """Minimise the objective with Adam. Its learning rate is `settings.step`, in pixel values."""
    return apply_rule(Adam(), objective, x, settings, start, state)
