"""Gradient ascent with a fixed step size on a normalised gradient, as in most DeepDream programs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.steps import Kept, Tensor
from dreamscripts.optimizers.update_rule import UpdateRuleSettings, apply_rule, begin_rule, has_first

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

PICTURE: dict[str, Any] = {"axis": (-3, -2, -1), "keepdims": True}  # each picture of a batch separately
NORMALISE: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda g: g,
    "mean": lambda g: g / ops.maximum(_mean_size(g), 1e-7),  # the Keras InceptionV3 and the Caffe example
    "notebook": lambda g: g / (_mean_size(g) + 1e-7),  # the feature-visualisation notebook's DeepDream
    "std": lambda g: g / (ops.std(g, **PICTURE) + 1e-8),  # the TensorFlow tutorial, and that notebook from noise
}


class GradientAscentSettings(UpdateRuleSettings):
    """Gradient ascent: a step is `step` times the normalised gradient of the score, which is −loss."""

    name: Literal["gradient_ascent"] = "gradient_ascent"
    """The optimizer."""
    normalise: Literal["mean", "notebook", "std", "none"] = "mean"
    """The divisor of the gradient: mean absolute value (mean, notebook), standard deviation (std), or 1 (none)."""

    @property
    def on_device(self) -> bool:
        """See OptimizerSettings."""
        return True


@dataclass(frozen=True)
class Ascent:
    """Follow the gradient g of the score, −loss: x += rate · g / norm(g)."""

    normalise: str

    def start(self, x: Tensor) -> Kept:
        return {}

    def __call__(self, x: Tensor, gradient: Tensor, kept: Kept, rate: Tensor, unit: Tensor) -> tuple[Tensor, Kept]:
        return x - rate * unit * NORMALISE[self.normalise](gradient), kept


def _mean_size(g: Tensor) -> Tensor:
    return ops.mean(ops.abs(g), **PICTURE)


def _begin(objective: "Objective", x: Any, settings: GradientAscentSettings) -> Any:
    return begin_rule(Ascent(settings.normalise), objective, x, settings)


@optimizer(
    "gradient_ascent",
    settings=GradientAscentSettings,
    title="gradient ascent",
    colour="#0077b6",
    advice="lower optimizer.step",
    searches="step",
    accepts=lambda state, shape: has_first(state, shape) and len(state) == 1,
    begin=_begin,
)
def gradient_ascent(
    objective: "Objective",
    x: np.ndarray,
    settings: GradientAscentSettings,
    start: int,
    state: Mapping[str, np.ndarray],
) -> Iterator[OptimizerResult]:
    """Follow the normalised gradient of the score, with steps of `settings.step` pixel values."""
    return apply_rule(Ascent(settings.normalise), objective, x, settings, start, state)
