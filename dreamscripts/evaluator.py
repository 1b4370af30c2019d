"""Evaluator: the loss of a picture and its gradient, computed together, handed out separately."""

import time
from collections.abc import Callable

import numpy as np

from dreamscripts import backends
from dreamscripts.errors import Diverged
from dreamscripts.losses import Loss
from dreamscripts.networks import Network


class Evaluator:
    """What SciPy asks, answered in one pass through the network per distinct picture.

    Pictures and gradients are float64 arrays, as SciPy has them, flat or (H, W, 3), in the network's
    preprocessing; on the device everything is float32. `passes` counts the passes so far and
    `seconds` the time they took; `on_pass(passes, loss)` is called after each.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        shape: tuple[int, int, int],
        *,
        xla: bool = False,
        on_pass: Callable[[int, float], None] | None = None,
    ):
        self.shape = shape
        self.passes = 0
        self.seconds = 0.0
        self._names = loss.names
        self._on_pass = on_pass
        self._x: np.ndarray | None = None
        self._run = backends.compile_pass(
            lambda x: loss(x, network.features(x)), network.model.variables, (1, *shape), xla
        )

    def loss(self, x: np.ndarray) -> float:
        """The loss at x; raises Diverged, which names the term, where it is not a finite number."""
        self._evaluate(x)
        return float(self._terms.sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the loss at x, flat."""
        self._evaluate(x)
        return self._gradient

    def terms(self, x: np.ndarray) -> dict[str, float]:
        """The weighted terms of the loss at x, by name; the loss is their sum."""
        self._evaluate(x)
        return dict(zip(self._names, self._terms.tolist(), strict=True))

    def _evaluate(self, x: np.ndarray) -> None:
        x = x.ravel()
        if self._x is not None and np.array_equal(x, self._x):
            return
        started = time.perf_counter()
        answer = self._run(x.astype(np.float32).reshape(1, *self.shape))
        self.seconds += time.perf_counter() - started
        self.passes += 1
        terms, gradient = np.split(answer.astype(np.float64), [len(self._names)])
        for name, value in zip(self._names, terms, strict=True):
            if not np.isfinite(value):
                raise Diverged(f"the term '{name}' of the loss became {_word(value)} at pass {self.passes}")
        if not np.isfinite(gradient).all():
            raise Diverged(f"the gradient of the loss became infinite or NaN at pass {self.passes}")
        self._x, self._terms, self._gradient = x.copy(), terms, gradient
        if self._on_pass:
            self._on_pass(self.passes, self.loss(x))


def _word(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinite"
