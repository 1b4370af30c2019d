"""Gradient ascent with a fixed step along a normalised gradient, as in every DeepDream but the L-BFGS one."""

from collections.abc import Iterator, Mapping

import numpy as np

from dreamscripts.errors import Diverged
from dreamscripts.evaluator import Evaluator
from dreamscripts.optimizers.step import Step
from dreamscripts.preprocessing import Preprocessing
from dreamscripts.settings import Optimizer

NORMALISE = {
    "none": lambda g: g,
    "mean": lambda g: g / max(float(np.abs(g).mean()), 1e-7),  # the Keras InceptionV3 example, the Caffe notebook
    "std": lambda g: g / (float(g.std()) + 1e-8),  # the TensorFlow tutorial
}
EXPLODED = 100  # times the size of the first loss, above it


def gradient_ascent(
    evaluator: Evaluator,
    x: np.ndarray,
    optimizer: Optimizer,
    preprocessing: Preprocessing,
    start: int = 0,
    memory: Mapping[str, np.ndarray] | None = None,
) -> Iterator[Step]:
    """Yield a Step after every `optimizer.evaluations` steps, each under a draw of the jitter of its own.

    x += step · g / norm(g), g the gradient of the score, −loss; `optimizer.step` is in pixel values. The last step
    is `done` as soon as the score passes `optimizer.max_score`. Raises Diverged where the loss explodes.
    """
    x = x.astype(np.float32)
    # As wide as the picture, because NumPy is slow over a last axis of three.
    step, low, high = (
        np.tile(by_channel.astype(np.float32), (x.shape[1], 1))
        for by_channel in (optimizer.step / np.array(preprocessing.scale), *preprocessing.limits)
    )
    drawn = start * optimizer.evaluations
    evaluator.draw(drawn)
    first = float(memory["first"]) if memory else evaluator.loss(x)
    while True:
        for _ in range(optimizer.evaluations):
            x = x - step * NORMALISE[optimizer.normalise](evaluator.gradient(x))
            if optimizer.clip:
                x = np.clip(x, low, high, out=x)
            drawn += 1
            evaluator.draw(drawn)
            loss = evaluator.loss(x)
            check(first, loss)
            if done := optimizer.max_score is not None and -loss > optimizer.max_score:
                break
        yield Step(x, loss, evaluator.terms(x), {"first": np.array(first)}, done)
        if done:
            return


def check(first: float, loss: float) -> None:
    """Raise Diverged where the loss has left its first value for good: the step is too long for this loss."""
    if loss - first > EXPLODED * max(abs(first), 1):
        raise Diverged(f"the loss exploded, from {first:.4g} to {loss:.4g}")
