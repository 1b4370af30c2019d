"""Evaluator: the loss of a picture and its gradient, computed together, handed out separately."""

import time
from collections.abc import Callable

import numpy as np

from dreamscripts import backends
from dreamscripts.errors import Diverged
from dreamscripts.jitter import Shake, draw_shake
from dreamscripts.losses import Loss
from dreamscripts.networks import Network
from dreamscripts.settings import Jitter, Tiles
from dreamscripts.tiles import cut


class Evaluator:
    """What an optimizer asks, answered in one pass per distinct picture and draw of the jitter.

    Pictures are arrays (H, W, 3) of any size, in the network's preprocessing, or a batch of them (N, H, W, 3), whose
    loss is the sum of theirs; gradients are float32 of the same shape; on the device everything is float32. The loss
    is that of the picture under the jitter, the gradient is the picture's own. Under `tiles` loss and gradient are
    the sums over the tiles, and all of them together count as one pass.

    `passes` counts the passes so far and `seconds` the time they took; `on_pass(passes, loss)` is called after each.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        *,
        jitter: Jitter | None = None,
        tiles: Tiles | None = None,
        seed: int = 0,
        xla: bool = False,
        on_pass: Callable[[int, float], None] | None = None,
    ):
        self.passes = 0
        self.seconds = 0.0
        self.drawn = 0
        self.xla = xla
        self.network = network
        self._names = loss.names
        self._jitter = jitter or Jitter()
        self._tiles = tiles
        self._seed = seed
        self._on_pass = on_pass
        self._x: np.ndarray | None = None
        self._shake: tuple[tuple, Shake] | None = None  # the last, with what it was drawn for
        variables = [*network.model.variables, *loss.variables]
        self._run = backends.compile_pass(lambda x: loss(x, network.features(x)), variables, xla)

    def draw(self, number: int) -> None:
        """Shake the pictures to come with draw `number` of the seed's jitter; without jitter this changes nothing."""
        if number != self.drawn and (self._jitter != Jitter() or self._tiles):
            self._x = None
        self.drawn = number

    def restart(self) -> None:
        """Count from nothing again, with no answer at hand."""
        self.passes, self.seconds, self.drawn, self._x = 0, 0.0, 0, None

    def knows(self, x: np.ndarray) -> bool:
        """Whether the next question about x is answered without a pass."""
        return self._x is not None and np.array_equal(x.astype(np.float32, copy=False), self._x)

    def loss(self, x: np.ndarray) -> float:
        """The loss at x; raises Diverged, which names the term, where it is not a finite number."""
        self._evaluate(x)
        return float(self._terms.sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the loss at x."""
        self._evaluate(x)
        return self._gradient

    def terms(self, x: np.ndarray) -> dict[str, float]:
        """The weighted terms of the loss at x, by name; the loss is their sum."""
        self._evaluate(x)
        return dict(zip(self._names, self._terms.tolist(), strict=True))

    def _evaluate(self, x: np.ndarray) -> None:
        if self.knows(x):
            return
        x = x.astype(np.float32)  # a copy, as the caller may go on in place
        started = time.perf_counter()
        terms, gradient = self._pass(x)
        self.seconds += time.perf_counter() - started
        self.passes += 1
        for name, value in zip(self._names, terms, strict=True):
            if not np.isfinite(value):
                raise Diverged(f"the term '{name}' of the loss became {_word(value)} at pass {self.passes}")
        if not np.isfinite(gradient).all():
            raise Diverged(f"the gradient of the loss became infinite or NaN at pass {self.passes}")
        self._x, self._terms, self._gradient = x, terms, gradient
        if self._on_pass:
            self._on_pass(self.passes, self.loss(x))

    def _pass(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The terms (float64) and the gradient (float32) of the picture x under the current draw."""
        shake = self._drawn_shake(x.shape)
        x = shake(x)
        *_, height, width, _ = x.shape
        terms, gradient = np.zeros(len(self._names)), np.zeros_like(x)
        for rows, columns in cut(height, width, self._tiles):
            tile = x[..., rows, columns, :]
            answer = self._run(tile.reshape(-1, *tile.shape[-3:]))
            terms += answer[: len(terms)]
            gradient[..., rows, columns, :] = answer[len(terms) :].reshape(tile.shape)
        return terms, shake.back(gradient)

    def _drawn_shake(self, shape: tuple[int, ...]) -> Shake:
        """The shake of the current draw; L-BFGS asks many times for the same."""
        wanted = (self.drawn, shape)
        if self._shake is None or self._shake[0] != wanted:
            # Counted, not running on from draw to draw: a resumed run shakes its pictures as an unbroken one does.
            rng = np.random.default_rng([self._seed, self.drawn])
            scale = np.array(self.network.preprocessing.scale)
            self._shake = wanted, draw_shake(rng, self._jitter, self._tiles, scale, shape)
        return self._shake[1]


def _word(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinite"
