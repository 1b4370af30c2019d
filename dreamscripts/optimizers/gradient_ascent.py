"""Gradient ascent with a fixed step size on a normalised gradient, as in most DeepDream programs."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.update_rule import State, UpdateRuleSettings, apply_rule, has_first

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

PICTURE = {"axis": (-3, -2, -1), "keepdims": True}  # each picture of a batch separately
NORMALISE = {
    "none": lambda g: g,
    "mean": lambda g: g / np.maximum(np.abs(g).mean(**PICTURE), 1e-7),  # the Keras InceptionV3 and the Caffe example
    "notebook": lambda g: g / (np.abs(g).mean(**PICTURE) + 1e-7),  # the feature-visualisation notebook's DeepDream
    "std": lambda g: g / (g.std(**PICTURE) + 1e-8),  # the TensorFlow tutorial, and that notebook from noise
}


class GradientAscentSettings(UpdateRuleSettings):
    """Gradient ascent: a step is `step` times the normalised gradient of the score, which is −loss."""

    name: Literal["gradient_ascent"] = "gradient_ascent"
    """The optimizer."""
    normalise: Literal["mean", "notebook", "std", "none"] = "mean"
    """The divisor of the gradient: mean absolute value (mean, notebook), standard deviation (std), or 1 (none)."""


@optimizer(
    "gradient_ascent",
    settings=GradientAscentSettings,
    title="gradient ascent",
    colour="#0077b6",
    advice="lower optimizer.step",
    searches="step",
    accepts=lambda state, shape: has_first(state, shape) and len(state) == 1,
)
def gradient_ascent(
    objective: "Objective",
    x: np.ndarray,
    settings: GradientAscentSettings,
    start: int,
    state: Mapping[str, np.ndarray],
) -> Iterator[OptimizerResult]:
    """Follow the gradient g of the score, −loss: x += step · g / norm(g), with `settings.step` in pixel values."""
    # As wide as the picture, because NumPy is slow if the last axis has length 3.
    step = np.tile((settings.step / np.array(objective.preprocessing.scale)).astype(np.float32), (x.shape[-2], 1))

    def rule(x: np.ndarray, gradient: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        return x - step * NORMALISE[settings.normalise](gradient), state

    return apply_rule(rule, objective, x.astype(np.float32), settings, start, state)
