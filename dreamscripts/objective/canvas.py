"""A picture that is computed in tiles: give out its tiles, and add up the gradients of the tiles.

Pictures of tiles can be too large for a GPU. They are then in main memory, and only the tiles are on the device. If the
optimizer keeps its picture on a GPU, the tiles are cut there, and nothing is copied.
"""

from typing import Any, Protocol

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.objective.transforms import Draw, Transforms, pieces

Tensor = Any


class Canvas(Protocol):
    """A picture x (…, H, W, 3) after its transforms, without rotation and scaling."""

    def tile(self, rows: slice, columns: slice) -> Any:
        """Return a tile of the transformed picture."""

    def add(self, gradient: Tensor, rows: slice, columns: slice) -> None:
        """Add the gradient for a tile, a tensor (N, h, w, 3)."""

    def gradient(self) -> Any:
        """Return the sum of the gradients, for the picture before its transforms."""


class HostCanvas:
    """A picture in main memory, an array. Only its tiles are transformed."""

    def __init__(self, x: np.ndarray, transforms: Transforms, draw: Draw):
        self._x, self._transforms, self._draw = x, transforms, draw
        self._total = np.zeros(x.shape, np.float32)

    def tile(self, rows: slice, columns: slice) -> np.ndarray:
        return self._transforms.crop(self._x, self._draw, rows, columns)

    def add(self, gradient: Tensor, rows: slice, columns: slice) -> None:
        height, width = self._x.shape[-3:-1]
        slope = ops.convert_to_numpy(gradient)
        for in_tile, in_picture in pieces(rows, columns, self._draw.shift, height, width):
            total = self._total[..., *in_picture, :]
            total += slope[:, *in_tile, :].reshape(total.shape)

    def gradient(self) -> np.ndarray:
        return self._total


class DeviceCanvas:
    """A picture on a GPU, a tensor."""

    def __init__(self, x: Tensor, transforms: Transforms, draw: Draw):
        self._shape = x.shape
        self._shift = draw.shift.tolist()
        self._x = transforms(ops.reshape(x, (-1, *x.shape[-3:])), draw)
        self._total = ops.zeros(self._x.shape, "float32")

    def tile(self, rows: slice, columns: slice) -> Tensor:
        return self._x[:, rows, columns]

    def add(self, gradient: Tensor, rows: slice, columns: slice) -> None:
        start = (0, rows.start, columns.start, 0)
        total = self._total[:, rows, columns] + gradient
        self._total = ops.slice_update(self._total, start, total)

    def gradient(self) -> Tensor:
        down, right = self._shift
        return ops.reshape(ops.roll(self._total, (-down, -right), axis=(1, 2)), self._shape)
