"""Open picture files, upright and in RGB, and save PNG files with settings inside.

Inside the package a picture is float32 (H, W, 3), RGB, 0..255.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.colour import converter
from dreamscripts.images.decoding import Source, decode
from dreamscripts.images.file_kinds import kind_of
from dreamscripts.images.pillow import quiet
from dreamscripts.images.png_chunks import read_text
from dreamscripts.images.resizing import fitted, resize_height, resize_width
from dreamscripts.regular_files import open_regular

SETTINGS_CHUNK = "dreamscripts"
# For each orientation of EXIF: whether rows are columns, and the directions of the upright rows and columns.
ORIENTATIONS = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


@dataclass(frozen=True)
class Photo:
    """An opened picture: float32 (H, W, 3) RGB in 0..255, and notes on its conversion."""

    path: Path
    pixels: np.ndarray
    notes: tuple[str, ...]


def open_photo(path: str | Path, size: int | None = None) -> Photo:
    """Open a picture file in Pillow's formats and colour modes.

    With `size`, its longer side is scaled to `size` pixels. Large JPEGs are then decoded at a reduced size, which is
    faster. Otherwise, the result is that of `fit`.

    The picture is rotated according to its EXIF data, and its colour profile is converted to sRGB. Transparent areas
    become white. From an animation, the first frame is used. Numbers of 16 bits, 32 bits or in floating point are
    scaled to 0..255. Raises PictureError, which names the problem, also if the memory is too small.
    """
    path = Path(path)
    with quiet() as complaints:
        source = decode(path, size)
        try:
            pixels = _read(source, size)
        except MemoryError:  # also of Pillow, for a side of millions of pixels
            raise PictureError(f"{path}: is too large to open; make it smaller first") from None
    notes = source.notes + [f"it may be damaged: {complaint}" for complaint in complaints]
    return Photo(path, pixels, tuple(notes))


def open_picture(path: str | Path) -> np.ndarray:
    """Open a picture file as float32 (H, W, 3) RGB in 0..255. Raises PictureError."""
    return open_photo(path).pixels


def _read(source: Source, size: int | None) -> np.ndarray:
    """Convert the image to RGB and to its size, strip by strip, because a copy of a large picture needs much memory."""
    convert = converter(source)
    height, width = fitted(*source.size, size)
    columns_are_rows, *directions = ORIENTATIONS[source.orientation]
    upright = np.empty((width, height, 3) if columns_are_rows else (height, width, 3), np.float32)
    pixels = upright[:: directions[0], :: directions[1]]
    pixels = pixels.swapaxes(0, 1) if columns_are_rows else pixels  # the same memory, in the order of the file
    if (source.image.height, source.image.width) == (height, width):
        for rows, strip in source.strips():
            pixels[rows] = convert(strip)
    else:
        narrow = np.empty((source.image.height, width, 3), np.float32)
        for rows, strip in source.strips():
            narrow[rows] = resize_width(convert(strip), width, source.size[1] / source.reduction)
        resize_height(narrow, height, source.size[0] / source.reduction, pixels)
    return upright


def save_picture(picture: np.ndarray, path: str | Path, settings: str = "", *, durable: bool = True) -> None:
    """Save a (H, W, 3) RGB picture in 0..255 as PNG, rounded to 8 bits, with `settings` (TOML) in a text chunk.

    `durable` is as in `write_atomically`. Raises OutputError if the file cannot be written. An existing file is then
    unchanged.
    """
    chunks = PngImagePlugin.PngInfo()
    if settings:
        chunks.add_itxt(SETTINGS_CHUNK, settings)
    buffer = io.BytesIO()
    rounded = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    # With the weakest compression, saving takes half as long. Files of pictures with much detail become 5 % larger.
    Image.fromarray(rounded).save(buffer, "PNG", pnginfo=chunks, compress_level=1)
    write_atomically(path, buffer.getvalue(), durable=durable)


def read_settings(path: Path) -> str:
    """Read the settings (TOML) in a picture that `save_picture` wrote. Raises SettingsError if they are missing.

    The pixels are not decoded.
    """
    with open_regular(path, SettingsError, "picture") as file:
        if kind_of(file).name != "PNG":
            raise SettingsError(f"{path}: is not a PNG file; use a picture that dreamscripts saved")
        try:
            text = read_text(file, SETTINGS_CHUNK)
        except ValueError as error:
            raise SettingsError(f"{path}: the settings in it are damaged: {error}") from None
    if text is None:
        raise SettingsError(f"{path}: contains no settings; use a picture that dreamscripts saved")
    return text
