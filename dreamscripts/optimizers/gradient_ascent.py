"""Gradient ascent with a fixed step along a normalised gradient, as in every DeepDream but the L-BFGS one."""

from collections.abc import Iterator, Mapping

import numpy as np

from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.step import OptimizerResult, walk
from dreamscripts.settings.schema import Optimizer

PICTURE = {"axis": (-3, -2, -1), "keepdims": True}  # each picture of a batch by itself
NORMALISE = {
    "none": lambda g: g,
    "mean": lambda g: g / np.maximum(np.abs(g).mean(**PICTURE), 1e-7),  # the Keras InceptionV3 and the Caffe example
    "notebook": lambda g: g / (np.abs(g).mean(**PICTURE) + 1e-7),  # the feature-visualisation notebook's DeepDream
    "std": lambda g: g / (g.std(**PICTURE) + 1e-8),  # the TensorFlow tutorial, and that notebook out of noise
}


def gradient_ascent(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    state: Mapping[str, np.ndarray] | None = None,
) -> Iterator[OptimizerResult]:
    """Walk along the gradient g of the score, −loss: x += step · g / norm(g), with `optimizer.step` in pixel values."""
    # As wide as the picture, because NumPy is slow over a last axis of three.
    step = np.tile((optimizer.step / np.array(preprocessing.scale)).astype(np.float32), (x.shape[-2], 1))

    def move(x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        return x - step * NORMALISE[optimizer.normalise](gradient)

    return walk(evaluator, x.astype(np.float32), move, optimizer, preprocessing, start, state)
