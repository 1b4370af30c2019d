"""Keras's own Adam on the pixels."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers.gradient_ascent import check
from dreamscripts.optimizers.step import Step
from dreamscripts.preprocessing import Preprocessing
from dreamscripts.settings import Optimizer


def adam(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    memory: Mapping[str, np.ndarray] | None = None,
) -> Iterator[Step]:
    """Yield a Step after every `optimizer.evaluations` steps, each under a draw of the jitter of its own.

    Adam moves the picture in pixel values, so that `optimizer.step`, its learning rate, means the same for every
    network; it remembers its moments. Raises Diverged where the loss explodes.
    """
    scale, mean = np.array(preprocessing.scale), np.array(preprocessing.mean)
    pixels = keras.Variable((x * scale + mean).astype(np.float32))
    rule = keras.optimizers.Adam(optimizer.step)
    rule.build([pixels])
    if memory:
        for number, variable in enumerate(rule.variables):
            variable.assign(memory[str(number)])
    drawn = start * optimizer.evaluations
    evaluator.draw(drawn)
    first = float(memory["first"]) if memory else evaluator.loss(x)
    while True:
        for _ in range(optimizer.evaluations):
            rule.apply([keras.ops.convert_to_tensor((evaluator.gradient(x) / scale).astype(np.float32))])
            if optimizer.clip:
                pixels.assign(keras.ops.clip(pixels, 0, 255))
            x = (keras.ops.convert_to_numpy(pixels) - mean) / scale
            drawn += 1
            evaluator.draw(drawn)
            loss = evaluator.loss(x)
            check(first, loss)
        moments = {str(number): keras.ops.convert_to_numpy(v) for number, v in enumerate(rule.variables)}
        yield Step(x, loss, evaluator.terms(x), moments | {"first": np.array(first)})
