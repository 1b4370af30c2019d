"""What shakes a picture under the network, and what that does to its gradient.

A picture is rolled, turned and enlarged as if its edges were joined, so that nothing is lost beyond them. All of it
is linear, so the gradient comes back through the exact transpose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from keras import ops
from scipy import sparse

from dreamscripts.objective.random_tiles import draw_roll
from dreamscripts.settings.schema import Jitter, Tiles


@dataclass(frozen=True)
class Transform:
    """One draw of the jitter, for pictures (..., H, W, 3) of one size; those of a batch are all shaken alike.

    Pictures are arrays, or tensors, whose noise and roll stay on the device; only a warp takes them to the host.
    """

    noise: np.ndarray | None  # (H, W, 3)
    warp: sparse.csr_array | None  # (H·W, H·W): each pixel of the turned picture as a mixture of the picture's
    roll: tuple[int, int]  # down, right

    def __call__(self, x):
        """The shaken picture."""
        if self.noise is not None:
            x = x + (self._noise_on_device if ops.is_tensor(x) else self.noise)
        if self.warp is not None:
            x = _mixed(self.warp, x)
        return _rolled(x, self.roll)

    def back(self, g):
        """The gradient with respect to the picture, from that with respect to the shaken picture."""
        g = _rolled(g, (-self.roll[0], -self.roll[1]))
        return g if self.warp is None else _mixed(self.warp.T, g)

    def crop(self, x, rows: slice, columns: slice) -> np.ndarray:
        """Those rows and columns of the shaken picture, without a copy of the whole; of a shake without a warp."""
        crop = np.empty((*x.shape[:-3], rows.stop - rows.start, columns.stop - columns.start, 3), np.float32)
        for here, there in self._pieces(x.shape, rows, columns):
            piece = x[..., *there, :]
            crop[..., *here, :] = ops.convert_to_numpy(piece) if ops.is_tensor(x) else piece
            if self.noise is not None:
                crop[..., *here, :] += self.noise[there]
        return crop

    def add_back(self, total: np.ndarray, g: np.ndarray, rows: slice, columns: slice) -> None:
        """Add the gradient with respect to those rows and columns of the shaken picture to the picture's, in place."""
        for here, there in self._pieces(total.shape, rows, columns):
            total[..., *there, :] += g[..., *here, :]

    def _pieces(self, shape: tuple[int, ...], rows: slice, columns: slice) -> Iterator[tuple]:
        """The rows and columns of each unbroken piece of a crop: in the crop, and in the picture before the roll."""
        *_, height, width, _ = shape
        for down, up in _stretches(rows, self.roll[0], height):
            for right, left in _stretches(columns, self.roll[1], width):
                yield (down, right), (up, left)

    @cached_property
    def _noise_on_device(self):
        return ops.convert_to_tensor(self.noise)  # L-BFGS asks many times under one draw


IDENTITY = Transform(noise=None, warp=None, roll=(0, 0))


def draw_transform(
    rng: np.random.Generator, jitter: Jitter, tiles: Tiles | None, scale: np.ndarray, shape: tuple[int, ...]
) -> Transform:
    """Draw how pictures of that shape are shaken; `scale` is what a pixel value of noise is to the network, by channel.

    The roll is that of the jitter and that of the tiles together.
    """
    noise = _draw_noise(rng, jitter.noise, scale, shape[-3:]) if jitter.noise else None
    shift = rng.integers(-jitter.shift, jitter.shift, 2, endpoint=True) if jitter.shift else np.zeros(2, int)
    roll = tuple((shift + draw_roll(rng, tiles)).tolist())
    warp = None
    if jitter.rotate or jitter.scale:
        degrees, larger = rng.uniform(-1, 1, 2) * (jitter.rotate, jitter.scale)
        warp = turn(*shape[-3:-1], np.deg2rad(degrees), 1 + larger)
    return Transform(noise, warp, roll)


def _draw_noise(rng: np.random.Generator, amplitude: float, scale: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform noise in float32; in double precision, as it is drawn, are only some rows at a time."""
    noise = np.empty(shape, np.float32)
    for rows in range(0, len(noise), 256):
        block = noise[rows : rows + 256]
        block[...] = rng.uniform(-1, 1, block.shape) * amplitude / scale
    return noise


def turn(height: int, width: int, angle: float, scale: float) -> sparse.csr_array:
    """The matrix that turns a picture about its centre, counter-clockwise, and enlarges it; bilinear."""
    centre = np.array([height - 1, width - 1])[:, None] / 2
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    places = back @ (np.indices((height, width)).reshape(2, -1) - centre) + centre
    first = np.floor(places).astype(int)
    beyond = places - first
    weights, columns = [], []
    for down in (0, 1):
        for right in (0, 1):
            row, column = first[0] + down, first[1] + right
            columns.append(row % height * width + column % width)
            weights.append(np.abs(1 - down - beyond[0]) * np.abs(1 - right - beyond[1]))
    pixels = height * width
    stacked = np.stack(weights, 1).ravel().astype(np.float32), np.stack(columns, 1).ravel()
    return sparse.csr_array((*stacked, np.arange(0, 4 * pixels + 1, 4)), shape=(pixels, pixels))


def _rolled(x, roll: tuple[int, int]):
    if not any(roll):
        return x
    return ops.roll(x, roll, axis=(-3, -2)) if ops.is_tensor(x) else np.roll(x, roll, axis=(-3, -2))


def _stretches(part: slice, roll: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Where that part of a rolled side, or each half that the roll broke it into, is in itself and in the side."""
    first, length = (part.start - roll) % side, part.stop - part.start
    unbroken = min(length, side - first)
    yield slice(0, unbroken), slice(first, first + unbroken)
    if unbroken < length:
        yield slice(unbroken, length), slice(0, length - unbroken)


def _mixed(matrix: sparse.sparray, x):
    if ops.is_tensor(x):
        return ops.convert_to_tensor(_mixed(matrix, ops.convert_to_numpy(x)))
    pixels = matrix.shape[0]
    return np.stack([matrix @ one for one in x.reshape(-1, pixels, 3)]).reshape(x.shape)
