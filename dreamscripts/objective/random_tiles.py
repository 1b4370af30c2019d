"""Where a picture too large for one pass is cut into tiles: the two ways in use, each with its random roll.

The TensorFlow tutorial's and the feature-visualisation notebook's. Both leave some edges of the rolled picture out
of a pass; the roll, another one for every pass, sees to it that no pixel is left out for long.
"""

import numpy as np

from dreamscripts.settings.schema import Tiles


def cut(height: int, width: int, tiles: Tiles | None) -> list[tuple[slice, slice]]:
    """The rows and columns of each tile; without `tiles` the whole picture is one."""
    if tiles is None:
        return [(slice(0, height), slice(0, width))]
    return [
        (slice(y, min(y + tiles.size, height)), slice(x, min(x + tiles.size, width)))
        for y in _starts(height, tiles)
        for x in _starts(width, tiles)
    ]


def smallest_tile(tiles: Tiles) -> int:
    """The shortest side that a tile can have, of a picture that is not smaller itself."""
    return tiles.size if tiles.kind == "tutorial" else tiles.size // 2 + 1


def _starts(side: int, tiles: Tiles) -> range | list[int]:
    size = tiles.size
    if tiles.kind == "notebook":
        return range(0, max(side - size // 2, size), size)
    return range(0, side, size)[:-1] or [0]  # the last start is dropped unless it is the only one


def draw_roll(rng: np.random.Generator, tiles: Tiles | None) -> np.ndarray:
    """By how many pixels (down, right) the picture is rolled before it is cut."""
    if tiles is None:
        return np.zeros(2, int)
    if tiles.kind == "notebook":
        return rng.integers(0, tiles.size, 2)
    return rng.integers(-tiles.size, tiles.size, 2, endpoint=True)
