"""Random noise, shift, rotation and scaling of the picture, and the matching transformation of the gradient.

Shift, rotation and scaling wrap around the edges of the picture. They are linear, so the gradient is transformed back
by the exact transpose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops
from scipy import sparse

from dreamscripts.objective.random_tiles import draw_shift
from dreamscripts.settings.tables import Jitter, Tiles

Picture = Any  # an array or a tensor of the Keras backend


@dataclass(frozen=True)
class Transform:
    """One random draw of the transforms, for pictures (..., H, W, 3) of one size. It is the same for a whole batch.

    Pictures are arrays or tensors. For tensors, noise and shift are computed on the device, and rotation and scaling on
    the host.
    """

    noise: np.ndarray | None  # (H, W, 3)
    warp: sparse.csr_array | None  # (H·W, H·W), rotation and scaling: each output pixel is a mixture of input pixels
    shift: tuple[int, int]  # pixels (down, right), with wrap-around

    def __call__(self, x: Picture) -> Picture:
        """Return the transformed picture."""
        if self.noise is not None:
            x = x + (self._noise_on_device if ops.is_tensor(x) else self.noise)
        if self.warp is not None:
            x = _mixed(self.warp, x)
        return _shifted(x, self.shift)

    def pull_back(self, g: Picture) -> Picture:
        """Convert g, the gradient for the transformed picture, to the gradient for the original picture."""
        g = _shifted(g, (-self.shift[0], -self.shift[1]))
        return g if self.warp is None else _mixed(self.warp.T, g)

    def crop(self, x: Picture, rows: slice, columns: slice) -> np.ndarray:
        """Return rows and columns of the transformed picture, without copying all of it. `warp` must be None."""
        crop = np.empty((*x.shape[:-3], rows.stop - rows.start, columns.stop - columns.start, 3), np.float32)
        for in_crop, in_picture in self._pieces(x.shape, rows, columns):
            piece = x[..., *in_picture, :]
            crop[..., *in_crop, :] = ops.convert_to_numpy(piece) if ops.is_tensor(x) else piece
            if self.noise is not None:
                crop[..., *in_crop, :] += self.noise[in_picture]
        return crop

    def pull_back_crop(self, total: np.ndarray, g: np.ndarray, rows: slice, columns: slice) -> None:
        """Add g, the gradient for rows and columns of the transformed picture, to the gradient `total`, in place."""
        for in_crop, in_picture in self._pieces(total.shape, rows, columns):
            total[..., *in_picture, :] += g[..., *in_crop, :]

    def _pieces(self, shape: tuple[int, ...], rows: slice, columns: slice) -> Iterator[tuple]:
        """Yield the contiguous pieces of a crop: rows and columns in the crop, and in the picture before the shift."""
        *_, height, width, _ = shape
        for down, up in _pieces_along(rows, self.shift[0], height):
            for right, left in _pieces_along(columns, self.shift[1], width):
                yield (down, right), (up, left)

    @cached_property
    def _noise_on_device(self) -> Picture:
        return ops.convert_to_tensor(self.noise)  # L-BFGS uses each draw for many passes


IDENTITY = Transform(noise=None, warp=None, shift=(0, 0))


def draw_transform(
    rng: np.random.Generator, jitter: Jitter, tiles: Tiles | None, scale: np.ndarray, shape: tuple[int, ...]
) -> Transform:
    """Draw the transforms of pictures of this shape.

    `scale` (3,) is the number of pixel values in a unit of each channel of the normalised picture. The shift is the sum
    of the jitter's shift and the shift of random tiles.
    """
    noise = _draw_noise(rng, jitter.noise, scale, shape[-3:]) if jitter.noise else None
    shift = rng.integers(-jitter.shift, jitter.shift, 2, endpoint=True) if jitter.shift else np.zeros(2, int)
    down, right = (shift + draw_shift(rng, tiles)).tolist()
    warp = None
    if jitter.rotate or jitter.scale:
        degrees, larger = rng.uniform(-1, 1, 2) * (jitter.rotate, jitter.scale)
        warp = warp_matrix(shape[-3], shape[-2], np.deg2rad(degrees), 1 + larger)
    return Transform(noise, warp, (down, right))


def _draw_noise(rng: np.random.Generator, amplitude: float, scale: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform noise in float32. It is drawn in float64, but only a block of rows at a time, to save memory."""
    noise = np.empty(shape, np.float32)
    for rows in range(0, len(noise), 256):
        block = noise[rows : rows + 256]
        block[...] = rng.uniform(-1, 1, block.shape) * amplitude / scale
    return noise


def warp_matrix(height: int, width: int, angle: float, scale: float) -> sparse.csr_array:
    """Return the matrix (H·W, H·W) that rotates a picture about its centre and scales it, by bilinear interpolation.

    `angle` is in radians, counter-clockwise. `scale` is a factor: a picture is enlarged by a factor above 1.
    """
    centre = np.array([height - 1, width - 1])[:, None] / 2
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    sources = back @ (np.indices((height, width)).reshape(2, -1) - centre) + centre
    first = np.floor(sources).astype(int)
    fraction = sources - first
    weights, columns = [], []
    for down in (0, 1):
        for right in (0, 1):
            row, column = first[0] + down, first[1] + right
            columns.append(row % height * width + column % width)
            weights.append(np.abs(1 - down - fraction[0]) * np.abs(1 - right - fraction[1]))
    pixels = height * width
    stacked = np.stack(weights, 1).ravel().astype(np.float32), np.stack(columns, 1).ravel()
    return sparse.csr_array((*stacked, np.arange(0, 4 * pixels + 1, 4)), shape=(pixels, pixels))


def _shifted(x: Picture, shift: tuple[int, int]) -> Picture:
    if not any(shift):
        return x
    return (ops if ops.is_tensor(x) else np).roll(x, shift, axis=(-3, -2))


def _pieces_along(part: slice, shift: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Split a slice of the shifted axis into its one or two contiguous pieces: in the slice, and on the axis."""
    first, length = (part.start - shift) % side, part.stop - part.start
    contiguous = min(length, side - first)
    yield slice(0, contiguous), slice(first, first + contiguous)
    if contiguous < length:
        yield slice(contiguous, length), slice(0, length - contiguous)


def _mixed(matrix: sparse.sparray, x: Picture) -> Picture:
    if ops.is_tensor(x):
        return ops.convert_to_tensor(_mixed(matrix, ops.convert_to_numpy(x)))
    pixels = matrix.shape[0]
    return np.stack([matrix @ picture for picture in x.reshape(-1, pixels, 3)]).reshape(x.shape)
