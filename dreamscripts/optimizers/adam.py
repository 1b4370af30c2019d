"""Keras's own Adam on the pixels."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.optimizers.step import OptimizerResult, walk
from dreamscripts.settings.schema import Optimizer


def adam(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    state: Mapping[str, np.ndarray] | None = None,
) -> Iterator[OptimizerResult]:
    """Walk as Adam does, in pixel values, so that `optimizer.step`, its rate, means the same for every network.

    It remembers its moments.
    """
    scale, mean = np.array(preprocessing.scale), np.array(preprocessing.mean)
    pixels = keras.Variable((x * scale + mean).astype(np.float32))
    rule = keras.optimizers.Adam(optimizer.step)
    rule.build([pixels])
    if state:
        for number, variable in enumerate(rule.variables):
            variable.assign(state[str(number)])

    def move(x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        pixels.assign((x * scale + mean).astype(np.float32))
        rule.apply([keras.ops.convert_to_tensor((gradient / scale).astype(np.float32))])
        return (keras.ops.convert_to_numpy(pixels) - mean) / scale

    def remember() -> dict[str, np.ndarray]:
        return {str(number): keras.ops.convert_to_numpy(v) for number, v in enumerate(rule.variables)}

    return walk(evaluator, x, move, optimizer, preprocessing, start, state, remember)
