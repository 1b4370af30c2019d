"""Evaluator: the loss of a picture and its gradient, computed together, handed out separately."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.backends import compiling
from dreamscripts.errors import Diverged
from dreamscripts.losses.build import Loss
from dreamscripts.losses.regions import parts_of
from dreamscripts.networks.network import Network
from dreamscripts.objective.exact_tiles import Crop, exact_crops
from dreamscripts.objective.random_tiles import cut
from dreamscripts.objective.transforms import IDENTITY, Transform, draw_transform
from dreamscripts.settings.schema import Jitter, Settings, Tiles

OnPass = Callable[[int, float], None]  # (passes, loss)


class Evaluator:
    """What an optimizer asks, answered in one pass per distinct picture and draw of the jitter.

    Pictures are arrays (H, W, 3) of any size, in the network's preprocessing, or a batch of them (N, H, W, 3), whose
    loss is the sum of theirs; gradients are float32 of the same shape; on the device everything is float32. The loss
    is that of the picture under the jitter, the gradient is the picture's own. Under `tiles` loss and gradient are
    the sums over the tiles, and all of them together count as one pass; those of exact tiles are the picture's.

    A picture may also be a float32 tensor of the backend. Its gradient is one, too, and stays on the device with it:
    of a pass without tiles, rotation or scaling nothing but the terms comes to the host. It is known again by being
    the same object, or by an array that was asked for last; it must not be changed in place.

    `exact` are the tiles, where they are exact ones. `passes` counts the passes so far and `seconds` the time they
    took; `on_pass(passes, loss)` is called after each. `settings` are those that it was built for, if any.
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
        on_pass: OnPass | None = None,
        settings: Settings | None = None,
    ):
        self.passes = 0
        self.seconds = 0.0
        self.drawn = 0
        self.xla = xla
        self.network = network
        self._loss = loss
        self._jitter = jitter or Jitter()
        self.exact = tiles if tiles and tiles.kind == "exact" else None
        self._tiles = None if self.exact else tiles
        self._seed = seed
        self.on_pass = on_pass
        self.settings = settings
        self._x = None  # an array or a tensor, with self._terms and self._gradient
        self._transform: tuple[tuple, Transform] | None = None  # the last, with what it was drawn for
        variables = [*network.model.variables, *loss.variables]

        def terms(x, numbers=None, *sums):
            parts = {}
            if numbers is not None:
                summed = (undivided.term.layer for undivided in loss.undivided)
                parts = parts_of(network.model.output, numbers, dict(zip(summed, sums, strict=True)))
            return loss(x, network.features(x), parts)

        self._run = compiling.compile_pass(terms, variables, xla)
        self._crops: dict[tuple[int, int], list[Crop]] = {}  # of pictures of the sizes met so far

    def draw(self, number: int) -> None:
        """Use draw `number` of the jitter from now on; without jitter this changes nothing."""
        if number != self.drawn and self.is_random:
            self._x = None
        self.drawn = number

    @property
    def is_random(self) -> bool:
        """Whether another draw gives another loss of the same picture."""
        return self._jitter != Jitter() or self._tiles is not None

    def restart(self) -> None:
        """Count from nothing again, with no answer at hand."""
        self.passes, self.seconds, self.drawn, self._x = 0, 0.0, 0, None

    def knows(self, x) -> bool:
        """Whether the next question about x is answered without a pass."""
        if not isinstance(self._x, np.ndarray):
            return x is self._x  # a tensor, which nobody changes in place
        return np.array_equal(ops.convert_to_numpy(x).astype(np.float32, copy=False), self._x)

    def loss(self, x) -> float:
        """The loss at x; raises Diverged, which names the term, where it is not a finite number."""
        self._evaluate(x)
        return float(self._terms.sum())

    def gradient(self, x):
        """The gradient of the loss at x: an array, or a tensor for a tensor that is not known as an array."""
        self._evaluate(x)
        return self._gradient

    def terms(self, x) -> dict[str, float]:
        """The weighted terms of the loss at x, by name; the loss is their sum."""
        self._evaluate(x)
        return dict(zip(self._loss.names, self._terms.tolist(), strict=True))

    def _evaluate(self, x) -> None:
        if self.knows(x):
            return
        if not ops.is_tensor(x):
            x = x.astype(np.float32)  # a copy, as the caller may go on in place
        self._x = self._gradient = None  # before there are others: of a large picture there may not be room for both
        started = time.perf_counter()
        terms, gradient = self._pass(x)
        self.seconds += time.perf_counter() - started
        self.passes += 1
        for name, value in zip(self._loss.names, terms, strict=True):
            if not np.isfinite(value):
                raise Diverged(f"the term '{name}' of the loss became {_word(value)} at pass {self.passes}")
        if not np.isfinite(float((ops if ops.is_tensor(gradient) else np).sum(gradient))):  # as quick as can be
            raise Diverged(f"the gradient of the loss became infinite or NaN at pass {self.passes}")
        self._x, self._terms, self._gradient = x, terms, gradient
        if self.on_pass:
            self.on_pass(self.passes, self.loss(x))

    def _pass(self, x) -> tuple[np.ndarray, Any]:
        """The terms (float64, an array) and the gradient (float32, what x is) of x under the current draw."""
        transform = self._drawn_transform(tuple(x.shape))
        if self.exact and len(crops := self._crops_of(*x.shape[-3:-1])) > 1:
            return self._in_crops(x, transform, crops)
        if self._tiles and ops.is_tensor(x):  # tiles are put together on the host
            terms, gradient = self._pass(ops.convert_to_numpy(x))
            return terms, ops.convert_to_tensor(gradient)
        x = transform(x)
        terms, gradient = self._in_tiles(x) if self._tiles else self._at_once(x)
        return terms, transform.back(gradient)

    def _at_once(self, x) -> tuple[np.ndarray, Any]:
        """The terms and the gradient of one shaken picture or batch that fits."""
        terms, gradient = self._run(ops.reshape(x, (-1, *x.shape[-3:])))
        gradient = ops.reshape(gradient, x.shape)
        if not ops.is_tensor(x):
            gradient = ops.convert_to_numpy(gradient)
        return ops.convert_to_numpy(terms).astype(float), gradient

    def _in_tiles(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, summed over the tiles."""
        *_, height, width, _ = x.shape
        terms, gradient = np.zeros(len(self._loss.names)), np.zeros_like(x)
        for rows, columns in cut(height, width, self._tiles):
            some, gradient[..., rows, columns, :] = self._at_once(x[..., rows, columns, :])
            terms += some
        return terms, gradient

    def _in_crops(self, x, transform: Transform, crops: list[Crop]) -> tuple[np.ndarray, Any]:
        """The terms and the gradient of x by exact tiles, put together on the host."""
        if transform.warp is not None:  # it takes the whole picture
            terms, gradient = self._in_crops(transform(x), IDENTITY, crops)
            return terms, transform.back(gradient)
        sums = self._sums(x, transform, crops)
        terms, gradient = np.zeros(len(self._loss.names)), np.zeros(tuple(x.shape), np.float32)
        for crop in crops:
            part = transform.crop(x, crop.rows, crop.columns)
            some, slope = self._run(ops.reshape(part, (-1, *part.shape[-3:])), crop.numbers, *sums)
            terms += ops.convert_to_numpy(some)
            transform.add_back(gradient, ops.convert_to_numpy(slope).reshape(part.shape), crop.rows, crop.columns)
        return terms, ops.convert_to_tensor(gradient) if ops.is_tensor(x) else gradient

    def _sums(self, x, transform: Transform, crops: list[Crop]) -> list[np.ndarray]:
        """Over all crops, what each of the terms is made of that are no sums over positions: a sweep of their own."""
        sums = [0.0] * len(self._loss.undivided)
        for crop in crops if sums else []:
            part = ops.convert_to_tensor(transform.crop(x, crop.rows, crop.columns))
            features = self.network.features(ops.reshape(part, (-1, *part.shape[-3:])))
            parts = parts_of(self.network.model.output, ops.convert_to_tensor(crop.numbers))
            for i, term in enumerate(self._loss.undivided):
                sums[i] = sums[i] + ops.convert_to_numpy(term.sums(features, parts)).astype(float)
        return [total.astype(np.float32) for total in sums]

    def _crops_of(self, height: int, width: int) -> list[Crop]:
        if (height, width) not in self._crops:
            self._crops[height, width] = exact_crops(self.network, height, width, self.exact.size)
        return self._crops[height, width]

    def _drawn_transform(self, shape: tuple[int, ...]) -> Transform:
        """The shake of the current draw; L-BFGS asks many times for the same."""
        wanted = (self.drawn, shape)
        if self._transform is None or self._transform[0] != wanted:
            # Counted, not running on from draw to draw: a resumed run shakes its pictures as an unbroken one does.
            rng = np.random.default_rng([self._seed, self.drawn])
            scale = np.array(self.network.preprocessing.scale)
            self._transform = wanted, draw_transform(rng, self._jitter, self._tiles, scale, shape)
        return self._transform[1]


def _word(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinite"
