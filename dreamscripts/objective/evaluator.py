"""Evaluator: the loss of a picture and its gradient, computed in one pass."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.backends import compiling
from dreamscripts.errors import Diverged, SettingsError
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.losses.regions import WHOLE, Tensor, tile_regions
from dreamscripts.losses.term import Loss, Term, as_loss
from dreamscripts.networks.network import Network
from dreamscripts.objective.exact_tiles import Crop, exact_crops
from dreamscripts.objective.protocol import OnPass
from dreamscripts.objective.random_tiles import cut
from dreamscripts.objective.transforms import IDENTITY, Picture, Transform, draw_transform
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter, Tiles


class Evaluator:
    """Compute loss and gradient for an optimizer.

    Pictures are arrays (H, W, 3) of any size, normalised for the network, or a batch of them (N, H, W, 3). The loss of
    a batch is the sum over its pictures. Gradients are float32 and have the shape of the picture. The loss is that of
    the picture after the transforms of `jitter`, and the gradient is with respect to the picture before them. With
    `tiles`, loss and gradient are summed over the tiles, and this counts as one pass. With exact tiles they equal those
    of the whole picture.

    The result is cached: the same picture with the same random draw needs only one pass.

    A picture may also be a float32 tensor of the backend. The gradient is then also a tensor on the device. Without
    tiles, rotation or scaling, only the loss terms are copied to the host. The cache recognizes a tensor by object
    identity, so do not change it in place.

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
        self._jitter = jitter or Jitter()
        self.exact = tiles if tiles and tiles.kind == "exact" else None
        self._tiles = None if self.exact else tiles
        self.seed = seed
        self.on_pass = on_pass
        self.settings = settings
        self._x: Picture = None  # an array or a tensor, with self._terms and self._gradient
        self._terms = np.zeros(0)
        self._gradient: Picture = None
        self._transform: tuple[tuple, Transform] | None = None  # the last transform, and its draw and shape
        self._crops: dict[tuple[int, int], list[Crop]] = {}  # by the size of the picture
        self._check_layers()
        self._run = self._compiled()

    def _check_layers(self) -> None:
        layers = list(self.network.model.output)
        for _, term in self._loss.terms:
            if missing := [layer for layer in term.layers if layer not in layers]:
                raise SettingsError(
                    f"the term '{term.name}' reads the layer {missing[0]}, but {self.network.name} was opened for "
                    f"{', '.join(layers)}: add the layer to those of the network, or change the layers of the term"
                )

    def _compiled(self) -> compiling.Pass:
        network, loss = self.network, self._loss

        def terms(x: Tensor, bounds: Tensor | None = None, *totals: Tensor) -> Tensor:
            regions = WHOLE if bounds is None else tile_regions(network.model.output, bounds)
            return loss(x, network.features(x), regions, totals)

        return compiling.compile_pass(terms, [*network.model.variables, *loss.variables], self.xla, network.tf32)

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the network: the map from pixel values to values of x."""
        return self.network.preprocessing

    def draw(self, number: int) -> None:
        """Use random draw `number` of the transforms from now on. Without jitter and random tiles, nothing changes."""
        if number != self.drawn and self.is_random:
            self._x = None
        self.drawn = number

    @property
    def is_random(self) -> bool:
        """Whether the loss of a picture depends on the random draw."""
        return self._jitter != Jitter() or self._tiles is not None

    def reset(self) -> None:
        """Reset the counters and clear the cache."""
        self.passes, self.seconds, self.drawn, self._x = 0, 0.0, 0, None

    def is_cached(self, x: Picture) -> bool:
        """Return whether the result for x is cached."""
        if not isinstance(self._x, np.ndarray):
            return x is self._x  # a tensor, which must not be changed in place
        return np.array_equal(ops.convert_to_numpy(x).astype(np.float32, copy=False), self._x)

    def loss(self, x: Picture) -> float:
        """Return the loss at x. Raises Diverged, which names the term, if it is infinite or NaN."""
        self._evaluate(x)
        return float(self._terms.sum())

    def gradient(self, x: Picture) -> Picture:
        """Return the gradient of the loss at x: an array for an array, and a tensor for a tensor.

        If x is a tensor, but the cache holds the result for an array with the same values, the gradient is an array.
        """
        self._evaluate(x)
        return self._gradient

    def terms(self, x: Picture) -> dict[str, float]:
        """Return the weighted terms {name: value} of the loss at x. The loss is their sum."""
        self._evaluate(x)
        return dict(zip(self._loss.names, self._terms.tolist(), strict=True))

    def _evaluate(self, x: Picture) -> None:
        if self.is_cached(x):
            return
        if not ops.is_tensor(x):
            x = x.astype(np.float32)  # a copy, because the caller may change x in place
        self._x = self._gradient = None  # free the old arrays first, because two copies may not fit in memory
        started = time.perf_counter()
        terms, gradient = self._pass(x)
        self.seconds += time.perf_counter() - started
        self.passes += 1
        for name, value in zip(self._loss.names, terms, strict=True):
            if not np.isfinite(value):
                became = "NaN" if np.isnan(value) else "infinite"
                raise Diverged(f"the term '{name}' of the loss became {became} at pass {self.passes}")
        if not np.isfinite(float((ops if ops.is_tensor(gradient) else np).sum(gradient))):  # the fastest check
            raise Diverged(f"the gradient of the loss became infinite or NaN at pass {self.passes}")
        self._x, self._terms, self._gradient = x, terms, gradient
        if self.on_pass:
            self.on_pass(self.passes, float(terms.sum()))

    def _pass(self, x: Picture) -> tuple[np.ndarray, Picture]:
        """Return the terms (float64, an array) and the gradient (float32, of the type of x) for the current draw."""
        transform = self._drawn_transform(tuple(x.shape))
        if self.exact and len(crops := self._crops_of(x.shape[-3], x.shape[-2], self.exact.size)) > 1:
            return self._in_crops(x, transform, crops)
        if self._tiles and ops.is_tensor(x):  # the host adds up the tiles
            terms, gradient = self._pass(ops.convert_to_numpy(x))
            return terms, ops.convert_to_tensor(gradient)
        x = transform(x)
        terms, gradient = self._in_tiles(x) if self._tiles else self._in_one_pass(x)
        return terms, transform.pull_back(gradient)

    def _in_one_pass(self, x: Picture) -> tuple[np.ndarray, Picture]:
        """Return the terms and the gradient of one transformed picture or batch."""
        terms, gradient = self._run(ops.reshape(x, (-1, *x.shape[-3:])))
        gradient = ops.reshape(gradient, x.shape)
        if not ops.is_tensor(x):
            gradient = ops.convert_to_numpy(gradient)
        return ops.convert_to_numpy(terms).astype(float), gradient

    def _in_tiles(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the terms and the gradient, summed over the random tiles."""
        *_, height, width, _ = x.shape
        terms, gradient = np.zeros(len(self._loss.terms)), np.zeros_like(x)
        for rows, columns in cut(height, width, self._tiles):
            of_tile, gradient[..., rows, columns, :] = self._in_one_pass(x[..., rows, columns, :])
            terms += of_tile
        return terms, gradient

    def _in_crops(self, x: Picture, transform: Transform, crops: list[Crop]) -> tuple[np.ndarray, Picture]:
        """Return the terms and the gradient of x, summed over the exact tiles on the host."""
        if transform.warp is not None:  # rotation and scaling need the whole picture
            terms, gradient = self._in_crops(transform(x), IDENTITY, crops)
            return terms, transform.pull_back(gradient)
        totals = self._totals(x, transform, crops)
        terms, gradient = np.zeros(len(self._loss.terms)), np.zeros(tuple(x.shape), np.float32)
        for crop in crops:
            tile = transform.crop(x, crop.rows, crop.columns)
            of_tile, slope = self._run(ops.reshape(tile, (-1, *tile.shape[-3:])), crop.bounds, *totals)
            terms += ops.convert_to_numpy(of_tile)
            transform.pull_back_crop(gradient, ops.convert_to_numpy(slope).reshape(tile.shape), crop.rows, crop.columns)
        return terms, ops.convert_to_tensor(gradient) if ops.is_tensor(x) else gradient

    def _totals(self, x: Picture, transform: Transform, crops: list[Crop]) -> list[np.ndarray]:
        """Return the sums over all crops for the terms `with_sums`. This is an extra pass without gradient."""
        terms = self._loss.with_sums
        totals: list[Any] = [0.0] * len(terms)
        for crop in crops if terms else []:
            tile = ops.convert_to_tensor(transform.crop(x, crop.rows, crop.columns))
            tile = ops.reshape(tile, (-1, *tile.shape[-3:]))
            features = self.network.features(tile)
            regions = tile_regions(self.network.model.output, ops.convert_to_tensor(crop.bounds))
            for i, term in enumerate(terms):
                totals[i] = totals[i] + ops.convert_to_numpy(term.sums(tile, features, regions)).astype(float)
        return [total.astype(np.float32) for total in totals]

    def _crops_of(self, height: int, width: int, size: int | None) -> list[Crop]:
        if (height, width) not in self._crops:
            crops = exact_crops(self.network, height, width, size)
            if len(crops) > 1:
                self._loss.check_tileable()
            self._crops[height, width] = crops
        return self._crops[height, width]

    def _drawn_transform(self, shape: tuple[int, ...]) -> Transform:
        """Return the transform of the current draw. It is cached, because L-BFGS uses each draw for many passes."""
        key = (self.drawn, shape)
        if self._transform is None or self._transform[0] != key:
            # The generator is seeded with the draw number, so a resumed run gets the same transforms.
            rng = np.random.default_rng([self.seed, self.drawn])
            scale = np.array(self.network.preprocessing.scale)
            self._transform = key, draw_transform(rng, self._jitter, self._tiles, scale, shape)
        return self._transform[1]
