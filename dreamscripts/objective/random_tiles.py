"""Random tiles: a large picture is shifted at random with wrap-around and cut into tiles. Each tile is one pass.

There are two kinds: that of the TensorFlow tutorial and that of the feature-visualisation notebook. Both omit some
pixels at the edges of the shifted picture. The shift is part of the random draw, so each draw omits other pixels.
"""

import numpy as np

from dreamscripts.settings.tables import Tiles


def cut(height: int, width: int, tiles: Tiles | None) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each tile. Without `tiles`, the whole picture is the only tile."""
    if tiles is None:
        return [(slice(0, height), slice(0, width))]
    size = _size(tiles)
    return [
        (slice(y, min(y + size, height)), slice(x, min(x + size, width)))
        for y in _starts(height, tiles)
        for x in _starts(width, tiles)
    ]


def smallest_tile(tiles: Tiles) -> int:
    """Return the shortest side, in pixels, that a tile can have. Only a smaller picture has shorter tiles."""
    return _size(tiles) if tiles.kind == "tutorial" else _size(tiles) // 2 + 1


def _starts(side: int, tiles: Tiles) -> range | list[int]:
    size = _size(tiles)
    if tiles.kind == "notebook":
        return range(0, max(side - size // 2, size), size)
    return range(0, side, size)[:-1] or [0]  # without the last start, unless there is only one


def draw_shift(rng: np.random.Generator, tiles: Tiles | None) -> np.ndarray:
    """Draw the shift of the picture before it is cut, in pixels (down, right)."""
    if tiles is None:
        return np.zeros(2, int)
    if tiles.kind == "notebook":
        return rng.integers(0, _size(tiles), 2)
    return rng.integers(-_size(tiles), _size(tiles), 2, endpoint=True)


def _size(tiles: Tiles) -> int:
    assert tiles.size is not None  # only exact tiles can be without a size
    return tiles.size
