"""Random noise, shift, rotation and scaling of the picture, as part of a pass.

Shift, rotation and scaling wrap around the edges of the picture. They are linear, and computed on the device before the
network. The backend therefore transforms the gradient back, too.

The noise is a hash of the number of the value and of a random key. It is therefore the same on every backend, and a
tile can compute its own part ("Parallel Random Numbers: As Easy as 1, 2, 3", Salmon, Moraes, Dror and Shaw 2011). The
hash is `lowbias32` of C. Wellons (2018, "Prospecting for Hash Functions").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dreamscripts.backends.lazy_keras import keras, ops
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.random_tiles import draw_shift
from dreamscripts.settings.tables import Jitter, Tiles

Tensor = Any
WEYL, FIRST, SECOND = (np.uint32(n).astype(np.int32) for n in (0x9E3779B9, 0x7FEB352D, 0x846CA68B))


class Draw(NamedTuple):
    """One random draw of the transforms, or several of them, stacked. It is the same for a whole batch."""

    noise: Any  # int32: the key of the noise; or the noise itself, float32 (H, W, 3)
    turn: Any  # float32 (2,): the cosine and the sine of the rotation, both divided by the scaling
    shift: Any  # int32 (2,): pixels (down, right)

    def of(self, number: Any) -> "Draw":
        """Return one of several draws."""
        return Draw(*(part[number] for part in self))


@dataclass(frozen=True)
class Transforms:
    """The transforms of an objective: which are in use, and how strong they are.

    `amplitudes` are those of the noise in each channel, in the units of the preprocessed picture, or empty.
    """

    amplitudes: tuple[float, ...]
    turns: bool
    shifts: bool
    jitter: Jitter
    tiles: Tiles | None

    @classmethod
    def of(cls, jitter: Jitter, tiles: Tiles | None, preprocessing: Preprocessing) -> "Transforms":
        """Make the transforms of `jitter`, and the shift of random `tiles`."""
        amplitudes = tuple(jitter.noise / np.array(preprocessing.scale)) if jitter.noise else ()
        turns = bool(jitter.rotate or jitter.scale)
        return cls(amplitudes, turns, bool(jitter.shift or tiles), jitter, tiles)

    @property
    def are_random(self) -> bool:
        """Whether two draws can differ."""
        return bool(self.amplitudes) or self.turns or self.shifts

    def draw(self, seed: int, number: int) -> Draw:
        """Return draw `number`: NumPy arrays. It depends only on `seed` and `number`, so a resumed run repeats it."""
        rng, jitter = np.random.default_rng([seed, number]), self.jitter
        shift = rng.integers(-jitter.shift, jitter.shift, 2, endpoint=True) if jitter.shift else np.zeros(2, int)
        shift = shift + draw_shift(rng, self.tiles)
        degrees, larger = rng.uniform(-1, 1, 2) * (jitter.rotate, jitter.scale)
        turn = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]) / (1 + larger)
        key = rng.integers(-(2**31), 2**31)
        return Draw(key.astype(np.int32), turn.astype(np.float32), shift.astype(np.int32))

    def draws(self, seed: int, numbers: Sequence[int]) -> Draw:
        """Return several draws, stacked."""
        return Draw(*map(np.stack, zip(*(self.draw(seed, number) for number in numbers), strict=True)))

    def __call__(self, x: Tensor, draw: Draw) -> Tensor:
        """Return the transformed pictures (N, H, W, 3)."""
        if self.amplitudes:
            x = x + (draw.noise if len(draw.noise.shape) == 3 else self.noise(draw.noise, *ops.shape(x)[1:3]))
        if self.turns:
            x = turned(x, draw.turn)
        return shifted(x, draw.shift) if self.shifts else x

    def noise(self, key: Tensor, height: Any, width: Any) -> Tensor:
        """Return the noise of a whole picture, a tensor (H, W, 3)."""
        return _noise(ops, key, ops.arange(height, dtype="int32"), (0, width), width, self.amplitudes)

    def crop(self, x: np.ndarray, draw: Draw, rows: slice, columns: slice) -> np.ndarray:
        """Return rows and columns of x (…, H, W, 3) after noise and shift, without copying all of it."""
        *batch, height, width, colours = x.shape
        crop = np.empty((*batch, rows.stop - rows.start, columns.stop - columns.start, colours), np.float32)
        for in_crop, (up, left) in pieces(rows, columns, draw.shift, height, width):
            crop[..., *in_crop, :] = x[..., up, left, :]
            if self.amplitudes:
                numbers = np.arange(up.start, up.stop, dtype=np.int32)
                crop[..., *in_crop, :] += _noise(
                    np, draw.noise, numbers, (left.start, left.stop), width, self.amplitudes
                )
        return crop


def shifted(x: Tensor, shift: Tensor) -> Tensor:
    """Shift pictures (N, H, W, 3) down and to the right by whole pixels, around the edges."""
    if keras.backend.backend() != "torch":
        return ops.roll(x, shift, axis=(1, 2))
    for axis in (1, 2):  # PyTorch's roll takes numbers only
        side = ops.shape(x)[axis]
        x = ops.take(x, ops.mod(ops.arange(side, dtype="int32") - shift[axis - 1], side), axis=axis)
    return x


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Rotate and scale pictures (N, H, W, 3) about their centre, by bilinear interpolation.

    `turn` (2,) is the cosine and the sine of the angle, counter-clockwise, both divided by the factor of the size.
    """
    count, height, width, colours = ops.shape(x)
    rows, columns = (_from_centre(side) for side in (height, width))
    cosine, sine = turn[0], turn[1]
    from_row = cosine * rows[:, None] + sine * columns - rows[0]
    from_column = cosine * columns - sine * rows[:, None] - columns[0]
    first_row, first_column = ops.floor(from_row), ops.floor(from_column)
    flat, result = ops.reshape(x, (count, height * width, colours)), 0.0
    for down in (0, 1):
        for right in (0, 1):
            row = ops.mod(ops.cast(first_row, "int32") + down, height)
            column = ops.mod(ops.cast(first_column, "int32") + right, width)
            weight = ops.abs(1 - down - (from_row - first_row)) * ops.abs(1 - right - (from_column - first_column))
            result = result + weight[..., None] * ops.take(flat, row * width + column, axis=1)
    return result


def pieces(
    rows: slice, columns: slice, shift: np.ndarray, height: int, width: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield the contiguous pieces of a crop after the shift: in the crop, and in the picture before the shift."""
    for down, up in _pieces_along(rows, int(shift[0]), height):
        for right, left in _pieces_along(columns, int(shift[1]), width):
            yield (down, right), (up, left)


def _from_centre(side: Any) -> Tensor:
    """Return the positions along a side, measured from its middle."""
    return ops.arange(side, dtype="float32") - (ops.cast(side, "float32") - 1) / 2


def _noise(xp: Any, key: Any, rows: Any, columns: tuple, width: Any, amplitudes: Sequence[float]) -> Any:
    """Return uniform noise (rows, columns, 3) of these amplitudes, by NumPy or by keras.ops."""
    channels = len(amplitudes)
    values = xp.arange(channels * columns[0], channels * columns[1], dtype="int32")
    hashed = (rows[:, None] * (channels * width) + values) * WEYL
    hashed = xp.bitwise_xor(hashed, key)
    hashed = xp.bitwise_xor(hashed, _without_sign(xp, hashed, 16)) * FIRST
    hashed = xp.bitwise_xor(hashed, _without_sign(xp, hashed, 15)) * SECOND
    hashed = xp.bitwise_xor(hashed, _without_sign(xp, hashed, 16))
    number = xp.right_shift(hashed, 8)  # -2²³ to 2²³ - 1: a float32 is exact
    number = number.astype(np.float32) if xp is np else ops.cast(number, "float32")
    largest = xp.take(np.array(amplitudes, np.float32) / np.float32(2**23), xp.mod(values, channels))
    return xp.reshape(number * largest, (rows.shape[0] if xp is np else ops.shape(rows)[0], -1, channels))


def _without_sign(xp: Any, number: Any, bits: int) -> Any:
    """Shift int32 to the right as if it had no sign."""
    return xp.bitwise_and(xp.right_shift(number, bits), (1 << (32 - bits)) - 1)


def _pieces_along(part: slice, shift: int, side: int) -> Iterator[tuple[slice, slice]]:
    """Split a slice of the shifted axis into its one or two contiguous pieces: in the slice, and on the axis."""
    first, length = (part.start - shift) % side, part.stop - part.start
    contiguous = min(length, side - first)
    yield slice(0, contiguous), slice(first, first + contiguous)
    if contiguous < length:
        yield slice(contiguous, length), slice(0, length - contiguous)
