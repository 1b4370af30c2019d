"""What shakes a picture under the network, and what that does to its gradient.

A picture is rolled, turned and enlarged as if its edges were joined, so that nothing is lost beyond them. All of it
is linear, so the gradient comes back through the exact transpose.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dreamscripts.settings import Jitter, Tiles
from dreamscripts.tiles import draw_roll


@dataclass(frozen=True)
class Shake:
    """One draw of the jitter, for pictures (..., H, W, 3) of one size; those of a batch are all shaken alike."""

    noise: np.ndarray | None  # (H, W, 3)
    warp: sparse.csr_array | None  # (H·W, H·W): each pixel of the turned picture as a mixture of the picture's
    roll: tuple[int, int]  # down, right

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The shaken picture."""
        if self.noise is not None:
            x = x + self.noise
        if self.warp is not None:
            x = _mixed(self.warp, x)
        return np.roll(x, self.roll, axis=(-3, -2)) if any(self.roll) else x

    def back(self, g: np.ndarray) -> np.ndarray:
        """The gradient with respect to the picture, from that with respect to the shaken picture."""
        if any(self.roll):
            g = np.roll(g, (-self.roll[0], -self.roll[1]), axis=(-3, -2))
        return g if self.warp is None else _mixed(self.warp.T, g)


def draw_shake(
    rng: np.random.Generator, jitter: Jitter, tiles: Tiles | None, scale: np.ndarray, shape: tuple[int, ...]
) -> Shake:
    """Draw how pictures of that shape are shaken; `scale` is what a pixel value of noise is to the network, by channel.

    The roll is that of the jitter and that of the tiles together.
    """
    noise = (rng.uniform(-1, 1, shape[-3:]) * jitter.noise / scale).astype(np.float32) if jitter.noise else None
    shift = rng.integers(-jitter.shift, jitter.shift, 2, endpoint=True) if jitter.shift else np.zeros(2, int)
    roll = tuple(shift + draw_roll(rng, tiles))
    warp = None
    if jitter.rotate or jitter.scale:
        degrees, larger = rng.uniform(-1, 1, 2) * (jitter.rotate, jitter.scale)
        warp = turn(*shape[-3:-1], np.deg2rad(degrees), 1 + larger)
    return Shake(noise, warp, roll)


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


def _mixed(matrix: sparse.sparray, x: np.ndarray) -> np.ndarray:
    pixels = matrix.shape[0]
    return np.stack([matrix @ one for one in x.reshape(-1, pixels, 3)]).reshape(x.shape)
