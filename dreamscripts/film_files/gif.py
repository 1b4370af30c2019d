"""Write a GIF frame by frame. Pillow encodes the frames. It could also write the file, with all frames in memory."""

from typing import BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

UNCHANGED = 255  # the index that leaves a pixel as it was
SAMPLE = 20_000  # pixels of a frame from which colours are chosen
WORSE = 1.25  # the error of colours, as a multiple of that of their own frame, at which new colours are chosen
TOLERATED = 0.5  # a difference of errors that never matters, in pixel values
LONGEST = 65535  # hundredths of a second


class GifWriter:
    """Writes frames of one size to a GIF.

    The colours of a frame are used for the following ones, until they no longer fit. With other colours in each frame,
    a GIF is larger, and what stands still flickers. Dithering (Floyd-Steinberg) keeps skies of photographs smooth. It
    makes files of dreams 4 % larger. Only pixels that change are written.
    """

    def __init__(self, file: BinaryIO, comment: bytes, loop: bool) -> None:
        """Prepare to write to a file. With `loop`, players repeat the film without end."""
        self._file = file
        self._info = {"comment": comment, "loop": 0 if loop else None}
        self._before: np.ndarray | None = None
        self._first_colours = b""
        self._colours = b""
        self._error = 0.0

    def write(self, pixels: np.ndarray, duration: int) -> None:
        """Write a frame: uint8 (H, W, 3) RGB, shown for `duration` hundredths of a second."""
        changed = np.ones(pixels.shape[:2], bool)
        if self._before is not None:
            changed[:] = (pixels != self._before).any(axis=2)
        rows, columns = _extent(changed, axis=0), _extent(changed, axis=1)
        self._choose_colours(pixels)
        indices = _indices(pixels[rows, columns], self._colours, Image.Dither.FLOYDSTEINBERG)
        self._add(np.where(changed[rows, columns], indices, UNCHANGED), (columns.start, rows.start), duration)
        self._before = pixels

    def finish(self) -> None:
        """Write the end of the file."""
        self._file.write(b";")

    def _choose_colours(self, pixels: np.ndarray) -> None:
        """Choose new colours if the last ones do not fit to a frame."""
        step = max(1, round((pixels[..., 0].size / SAMPLE) ** 0.5))
        sample = pixels[::step, ::step]
        if self._colours and _error(sample, self._colours) <= WORSE * self._error + TOLERATED:
            return
        chosen = Image.fromarray(sample).quantize(UNCHANGED, Image.Quantize.MEDIANCUT, kmeans=1)
        self._colours = bytes(chosen.getpalette() or ()).ljust(768, b"\0")
        self._error = _error(sample, self._colours)

    def _add(self, indices: np.ndarray, offset: tuple[int, int], duration: int) -> None:
        """Write a part of a frame."""
        image = _image(indices, self._colours)
        if not self._first_colours:
            self._first_colours = self._colours
            self._file.writelines(GifImagePlugin.getheader(image, info=self._info)[0])
        self._file.writelines(
            GifImagePlugin.getdata(
                image,
                offset,
                duration=10 * min(duration, LONGEST),  # in milliseconds
                transparency=UNCHANGED,
                disposal=1,
                include_color_table=self._colours != self._first_colours,
            )
        )
        if duration > LONGEST:
            self._add(np.full((1, 1), UNCHANGED, np.uint8), (0, 0), duration - LONGEST)


def _image(indices: np.ndarray, colours: bytes) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(colours)
    return image


def _indices(pixels: np.ndarray, colours: bytes, dither: Image.Dither) -> np.ndarray:
    """Return the index of a near colour for every pixel."""
    palette = _image(np.zeros((1, 1), np.uint8), colours[: 3 * UNCHANGED])
    return np.asarray(Image.fromarray(pixels).quantize(palette=palette, dither=dither))


def _error(pixels: np.ndarray, colours: bytes) -> float:
    """Return the mean absolute difference of pixels to the nearest colours."""
    nearest = np.frombuffer(colours, np.uint8).reshape(-1, 3)[_indices(pixels, colours, Image.Dither.NONE)]
    return float(np.abs(nearest.astype(np.int16) - pixels).mean())


def _extent(changed: np.ndarray, axis: int) -> slice:
    """Return the part of an axis from the first to the last change, or its first element if there is none."""
    where = np.flatnonzero(changed.any(axis=1 - axis))
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 1)
