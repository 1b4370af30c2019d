"""Evaluator: the loss of a picture and its gradient, computed in one pass."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.backends import compiling, host
from dreamscripts.errors import Diverged, SettingsError
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.losses.regions import Tensor
from dreamscripts.losses.term import Loss, Term, as_loss
from dreamscripts.networks.network import Network
from dreamscripts.objective.protocol import Evaluate, OnPass, evaluate_at, loss_of, with_check
from dreamscripts.objective.tiled_pass import TiledPass
from dreamscripts.objective.transforms import Draw, Transforms
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter, Tiles

Picture = Any  # an array or a tensor of the Keras backend
AT_ONCE = 8  # passes in one call on a GPU


class Evaluator:
    """Compute loss and gradient for an optimizer.

    Pictures are arrays (H, W, 3) of any size, normalised for the network, or a batch of them (N, H, W, 3). The loss of
    a batch is the sum over its pictures. Gradients are float32 and have the shape of the picture. The loss is that of
    the picture after the transforms of `jitter`, and the gradient is with respect to the picture before them. With
    `tiles`, loss and gradient are summed over the tiles, and this counts as one pass. With exact tiles they equal those
    of the whole picture.

    The result is cached: the same picture with the same random draw needs only one pass.

    A picture may also be a float32 tensor of the backend. The gradient is then also a tensor. On a GPU, only the loss
    terms are copied to the host. Do not change a tensor in place, because it is not copied.

    `loss` is a Loss, a Term or a function (x, features, regions). `exact` are the tiles, if they are exact tiles.
    `seed` is that of the random draws. `passes` is the number of passes so far and `seconds` their time.
    `on_pass(passes, loss)` is called after each pass. `settings` are those that the evaluator was built from, if any.
    Two threads can compute at the same time if each has a separate evaluator.

    Raises SettingsError if a term reads a layer that the network does not output. The first pass raises SettingsError
    if exact tiles do not support a term or the network.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss | Term | Callable[..., Tensor],
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
        self._loss = as_loss(loss)
        self.exact = tiles if tiles and tiles.kind == "exact" else None
        self._seed = seed
        self.on_pass = on_pass
        self.settings = settings
        self._transforms = Transforms.of(jitter or Jitter(), None if self.exact else tiles, network.preprocessing)
        self._in_tiles = TiledPass(network, self._loss, tiles, self._transforms, xla) if tiles else None
        self._functions: dict[Callable[..., Any], Callable[..., Any]] = {}  # compiled, by what they were compiled from
        self._noises: dict[tuple[int, ...], Callable[..., Tensor]] = {}  # of a key, by the picture's size
        self._draw: tuple[tuple, Draw] | None = None  # the current draw, its number and the size of the picture
        self._x: Picture = None  # an array or a tensor, with self._numbers and self._gradient
        self._numbers = np.zeros(0)
        self._gradient: Picture = None
        self._started = 0.0  # when the last compiled function was called
        self._recorded = 0.0  # when the last result was recorded
        self._check_layers()

    def _check_layers(self) -> None:
        layers = list(self.network.model.output)
        for _, term in self._loss.terms:
            if missing := [layer for layer in term.layers if layer not in layers]:
                raise SettingsError(
                    f"the term '{term.name}' reads the layer {missing[0]}, but {self.network.name} was opened for "
                    f"{', '.join(layers)}: add the layer to those of the network, or change the layers of the term"
                )

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the network: the map from pixel values to values of x."""
        return self.network.preprocessing

    @property
    def seed(self) -> int:
        """The seed of the random draws."""
        return self._seed

    @seed.setter
    def seed(self, seed: int) -> None:
        if seed != self._seed and self.is_random:
            self._x = None
        self._seed = seed

    @property
    def names(self) -> list[str]:
        """The names of the terms of the loss."""
        return self._loss.names

    @property
    def is_random(self) -> bool:
        """Whether the loss of a picture depends on the random draw."""
        return self._transforms.are_random

    @property
    def passes_at_once(self) -> int:
        """The largest number of passes in one call: on a CPU one, because it can then be stopped after each pass."""
        return AT_ONCE if host.on_gpu() and not self._in_tiles else 1

    def draw(self, number: int) -> None:
        """Use random draw `number` of the transforms from now on. Without jitter and random tiles, nothing changes."""
        if number != self.drawn and self.is_random:
            self._x = None
        self.drawn = number

    def draws(self, numbers: Sequence[int]) -> Draw:
        """Return the draws of these numbers, stacked. The noise is a key, from which each pass computes it."""
        return self._transforms.draws(self.seed, numbers)

    def current_draw(self, shape: tuple[int, ...]) -> Draw:
        """Return the current draw for pictures (..., H, W, 3). The noise is computed once, for many passes."""
        key = self.drawn, self.seed, shape[-3:-1]
        if self._draw is None or self._draw[0] != key:
            draw = self._transforms.draw(self.seed, self.drawn)
            if self._transforms.amplitudes and not self._tiled(shape):
                draw = draw._replace(noise=self._noise_of_size(*shape[-3:-1])(draw.noise))
            self._draw = key, draw
        return self._draw[1]

    def _noise_of_size(self, height: int, width: int) -> Callable[..., Tensor]:
        if (height, width) not in self._noises:
            self._noises[height, width] = compiling.compile_function(
                lambda key: self._transforms.noise(key, height, width)
            )
        return self._noises[height, width]

    def reset(self) -> None:
        """Reset the counters and clear the cache."""
        self.passes, self.seconds, self.drawn, self._x = 0, 0.0, 0, None

    def is_cached(self, x: Picture) -> bool:
        """Return whether the result for x is cached. An array and a tensor with the same values are the same."""
        if self._x is None or tuple(x.shape) != tuple(self._x.shape):
            return False
        if ops.is_tensor(x) and ops.is_tensor(self._x):
            return x is self._x or bool(ops.all(x == self._x))
        return np.array_equal(ops.convert_to_numpy(x).astype(np.float32, copy=False), ops.convert_to_numpy(self._x))

    def loss(self, x: Picture) -> float:
        """Return the loss at x. Raises Diverged, which names the term, if it is infinite or NaN."""
        self._evaluate(x)
        return loss_of(self._numbers)

    def gradient(self, x: Picture) -> Picture:
        """Return the gradient of the loss at x: an array for an array, and a tensor for a tensor."""
        self._evaluate(x)
        return ops.convert_to_tensor(self._gradient) if ops.is_tensor(x) else ops.convert_to_numpy(self._gradient)

    def terms(self, x: Picture) -> dict[str, float]:
        """Return the weighted terms {name: value} of the loss at x. The loss is their sum."""
        self._evaluate(x)
        return dict(zip(self.names, self._numbers[:-1].tolist(), strict=True))

    def _evaluate(self, x: Picture) -> None:
        if self.is_cached(x):
            return
        if not ops.is_tensor(x):
            x = x.astype(np.float32)  # a copy, because the caller may change x in place
        shape = tuple(x.shape)
        numbers, gradient = self.compiled(evaluate_at, shape)(x, self.current_draw(shape))
        self.record(x, numbers, gradient, self.drawn)

    def compiled(self, function: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        """Compile `function(evaluate, *arguments)` for pictures of this shape, as described in protocol.Objective.

        While it computes, no result is cached, because two copies may not fit in memory.
        """
        run: Callable[..., Any]
        if self._in_tiles and self._tiled(shape):
            run = partial(function, self._in_tiles)
        elif function in self._functions:
            run = self._functions[function]
        else:
            run = self._functions[function] = self._compile(function)

        def timed(*arguments: Any) -> Any:
            self._x = self._gradient = None
            self._started = time.perf_counter()
            return run(*arguments)

        return timed

    def _compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        network, loss, transforms = self.network, self._loss, self._transforms

        def terms(x: Tensor, draw: Draw) -> Tensor:
            transformed = transforms(x, draw)
            return loss(transformed, network.features(transformed))

        def of_any_rank(evaluate: Evaluate, *arguments: Any) -> Any:
            def numbers_and_gradient(x: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
                if len(x.shape) == 4:
                    return with_check(evaluate, x, draw)
                numbers, gradient = with_check(evaluate, x[None], draw)
                return numbers, gradient[0]

            return function(numbers_and_gradient, *arguments)

        variables = [*network.model.variables, *loss.variables]
        return compiling.compile_with_gradient(of_any_rank, terms, variables, xla=self.xla, tf32=network.tf32)

    def record(self, x: Picture, numbers: Any, gradient: Picture, drawn: int) -> list[float]:
        """Count the passes of a compiled function and cache the result of the last (see protocol.Objective)."""
        passes = np.atleast_2d(ops.convert_to_numpy(numbers)).astype(float)  # waits for the device
        before, self._recorded = max(self._started, self._recorded), time.perf_counter()
        self.seconds += self._recorded - before
        for each in passes:
            self.passes += 1
            self._check(each)
            if self.on_pass:
                self.on_pass(self.passes, loss_of(each))
        self.drawn, self._x, self._numbers, self._gradient = drawn, x, passes[-1], gradient
        return [loss_of(each) for each in passes]

    def _check(self, numbers: np.ndarray) -> None:
        """Raise Diverged if a term or the gradient of a pass is not finite."""
        *terms, of_gradient = numbers
        for name, value in zip(self.names, terms, strict=True):
            if not np.isfinite(value):
                became = "NaN" if np.isnan(value) else "infinite"
                raise Diverged(f"the term '{name}' of the loss became {became} at pass {self.passes}")
        if not np.isfinite(of_gradient):
            raise Diverged(f"the gradient of the loss became infinite or NaN at pass {self.passes}")

    def _tiled(self, shape: tuple[int, ...]) -> bool:
        return self._in_tiles is not None and self._in_tiles.applies(*shape[-3:-1])
