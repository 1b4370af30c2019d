"""TiledPass: one pass over a picture that is computed in tiles, exact or random ones."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from dreamscripts.backends import compiling, host
from dreamscripts.losses.regions import WHOLE, Tensor, tile_regions
from dreamscripts.losses.term import Loss
from dreamscripts.networks.network import Network
from dreamscripts.objective.canvas import Canvas, DeviceCanvas, HostCanvas
from dreamscripts.objective.exact_tiles import Crop, exact_crops
from dreamscripts.objective.protocol import with_check
from dreamscripts.objective.random_tiles import cut
from dreamscripts.objective.transforms import Draw, Transforms, turned
from dreamscripts.settings.tables import Tiles


class _Tile(NamedTuple):
    rows: slice
    columns: slice
    others: tuple  # arguments of the compiled pass, for an exact tile


class TiledPass:
    """The loss and the gradient of a picture, summed over its tiles.

    A tile is prepared while the device computes the tile before it.
    """

    def __init__(self, network: Network, loss: Loss, tiles: Tiles, transforms: Transforms, xla: bool):
        self._network, self._loss, self._tiles, self._transforms = network, loss, tiles, transforms
        self._crops: dict[tuple[int, int], list[Crop]] = {}  # by the size of the picture
        variables = [*network.model.variables, *loss.variables]
        self._run = compiling.compile_with_gradient(with_check, self._terms, variables, xla=xla, tf32=network.tf32)
        self._turn = compiling.compile_function(replace(transforms, shifts=False))
        self._turn_back = compiling.compile_pass(lambda x, g, turn: ops.sum(turned(x, turn) * g)[None], [])

    def applies(self, height: int, width: int) -> bool:
        """Return whether a picture of this size needs tiles. Raises SettingsError if it cannot be computed in them."""
        return self._tiles.kind != "exact" or len(self._exact(height, width)) > 1

    def __call__(self, x: Any, draw: Draw) -> tuple[np.ndarray, Any]:
        """Return the numbers of the pass (see protocol.Evaluate), and the gradient: an array or a tensor, as x is."""
        transforms = self._transforms
        if not transforms.turns:
            return self._in_tiles(x, transforms, draw)
        # Rotation and scaling need the whole picture.
        whole = ops.reshape(x, (-1, *x.shape[-3:]))
        rotated = self._turn(whole, draw)
        moved = ops.reshape(rotated, x.shape) if ops.is_tensor(x) else ops.convert_to_numpy(rotated).reshape(x.shape)
        numbers, slope = self._in_tiles(moved, replace(transforms, amplitudes=(), turns=False), draw)
        _, gradient = self._turn_back(whole, ops.reshape(slope, (-1, *x.shape[-3:])), draw.turn)
        gradient = ops.reshape(gradient, x.shape)
        return numbers, gradient if ops.is_tensor(x) else ops.convert_to_numpy(gradient)

    def _in_tiles(self, x: Any, transforms: Transforms, draw: Draw) -> tuple[np.ndarray, Any]:
        is_tensor = ops.is_tensor(x)
        canvas: Canvas = (
            DeviceCanvas(x, transforms, draw)
            if is_tensor and host.on_gpu()
            else HostCanvas(ops.convert_to_numpy(x), transforms, draw)
        )
        numbers: list[Any] = []
        waiting: tuple[Tensor, slice, slice] | None = None
        for tile in self._cut(canvas, *x.shape[-3:-1]):
            of_tile, gradient = self._run(_batch(canvas.tile(tile.rows, tile.columns)), *tile.others)
            numbers.append(of_tile)
            if waiting is not None:
                canvas.add(*waiting)
            waiting = gradient, tile.rows, tile.columns
        assert waiting is not None  # there is at least one tile
        canvas.add(*waiting)
        total = np.sum([ops.convert_to_numpy(of_tile).astype(float) for of_tile in numbers], axis=0)
        gradient = canvas.gradient()
        return total, ops.convert_to_tensor(gradient) if is_tensor else gradient

    def _cut(self, canvas: Canvas, height: int, width: int) -> Iterator[_Tile]:
        """Yield the tiles of a picture of this size."""
        if self._tiles.kind != "exact":
            yield from (_Tile(*place, ()) for place in cut(height, width, self._tiles))
            return
        crops = self._exact(height, width)
        totals = self._totals(canvas, crops)
        yield from (_Tile(crop.rows, crop.columns, (crop.bounds, *totals)) for crop in crops)

    def _exact(self, height: int, width: int) -> list[Crop]:
        if (height, width) not in self._crops:
            crops = exact_crops(self._network, height, width, self._tiles.size)
            if len(crops) > 1:
                self._loss.check_tileable()
            self._crops[height, width] = crops
        return self._crops[height, width]

    def _terms(self, x: Tensor, *others: Tensor) -> Tensor:
        """Return the terms of a tile: a random one, or an exact one with its bounds and the totals of the picture."""
        bounds, totals = others[:1], others[1:]
        regions = tile_regions(self._network.model.output, *bounds) if bounds else WHOLE
        return self._loss(x, self._network.features(x), regions, totals)

    def _totals(self, canvas: Canvas, crops: list[Crop]) -> list[np.ndarray]:
        """Return the sums over all crops for the terms `with_sums`. This is an extra pass without gradient."""
        terms = self._loss.with_sums
        totals: list[Any] = [0.0] * len(terms)
        for crop in crops if terms else []:
            tile = ops.convert_to_tensor(_batch(canvas.tile(crop.rows, crop.columns)))
            features = self._network.features(tile)
            regions = tile_regions(self._network.model.output, ops.convert_to_tensor(crop.bounds))
            for i, term in enumerate(terms):
                totals[i] = totals[i] + ops.convert_to_numpy(term.sums(tile, features, regions)).astype(float)
        return [total.astype(np.float32) for total in totals]


def _batch(tile: Any) -> Any:
    """Give a picture (H, W, 3) a batch axis. A batch is returned as it is."""
    return tile[None] if len(tile.shape) == 3 else tile
