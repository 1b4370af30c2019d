"""Foresee the memory that a picture file needs, from its header, and refuse it if it does not fit."""

import re
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError
from dreamscripts.images.file_kinds import length_of
from dreamscripts.images.pillow import refusals
from dreamscripts.images.resizing import Size

FLOAT_RGB = 12  # bytes per pixel
LEAST = 6_000_000  # bytes, for small things
STRIP = 2**16  # pixels that are converted together
FEWEST_ROWS = 64  # of a strip; with fewer rows, resizing spends its time on the weights
OF_STRIPS = 48  # bytes per pixel of a strip
TILE_WIDTH, TILE_HEIGHT, ROWS_PER_STRIP, BITS, SAMPLES = 322, 323, 278, 258, 277  # tags of TIFF
# Bytes per pixel that decoders need beside the image. They were measured.
OF_DECODERS = {"PNG": 0, "GIF": 2, "TIFF": 0, "WEBP": 16, "AVIF": 14, "MPO": 0}
OF_PYTHON = 8  # for the formats that Pillow decodes in Python
GZIP = 1032  # the most that gzip unpacks from a byte
LARGEST_ICON = 2048  # pixels per side


def refuse_too_large(path: Path, image: Image.Image, size: Size, file: BinaryIO, target: Size) -> None:
    """Raise PictureError if decoding a picture and resizing it to `target` needs more than the free memory.

    `size` is the height and width in the file. `image` has another size if it is a reduced JPEG.
    """
    with refusals(path):  # Pillow reads the tags of TIFF only when they are used
        needed = to_open(image, size, length_of(file), target)
    free = free_memory()
    if needed > free:
        height, width = size
        raise PictureError(
            f"{path}: a picture of {width}×{height} needs about {needed / 1e9:.1f} GB of memory to be opened, "
            f"and {free / 1e9:.1f} GB are free: make it smaller first"
        )


def to_open(image: Image.Image, size: Size, file_length: int, target: Size) -> int:
    """Return the memory in bytes that `open_photo` needs at its peak, from the header of a picture.

    `size`: height and width in the file. `target`: height and width of the result.
    """
    in_file, decoded = size[0] * size[1], image.width * image.height
    held = decoded * _bytes_per_pixel(image.mode)
    decoding = 2 * held + in_file * _of_decoder(image) + _of_blocks(image) + file_length
    if image.format == "FITS":
        decoding += GZIP * file_length
    pixels = target[0] * target[1] * FLOAT_RGB
    if (image.height, image.width) != target:
        # The rows at their new width, and one channel twice while the height changes.
        pixels += image.height * target[1] * (FLOAT_RGB + 4) + target[0] * target[1] * 4
    strips = rows_of_strip(image.width) * image.width * OF_STRIPS
    return LEAST + max(decoding, held + pixels + strips + file_length)


def rows_of_strip(width: int) -> int:
    """Return the number of rows that are converted together, in a picture of this width."""
    return max(FEWEST_ROWS, STRIP // width)


def _bytes_per_pixel(mode: str) -> int:
    """Return the memory of a pixel in Pillow's image."""
    return 1 if mode in ("1", "L", "P") else 2 if mode.startswith("I;16") else 4


def _of_decoder(image: Image.Image) -> int:
    """Return the bytes per pixel of the file that the decoder needs beside the image."""
    channels = len(image.getbands())
    if image.format in ("JPEG", "MPO"):
        return 2 * channels if "progressive" in image.info else 0  # the coefficients of all blocks
    if image.format == "JPEG2000":
        return 6 * channels
    return OF_DECODERS.get(image.format or "", OF_PYTHON)


def _of_blocks(image: Image.Image) -> int:
    """Return the memory of a tile or a strip of a TIFF file, which may be larger than the picture."""
    tags = getattr(image, "tag_v2", {})
    numbers = {tag: tags.get(tag) for tag in (TILE_WIDTH, TILE_HEIGHT, ROWS_PER_STRIP, SAMPLES)}
    width, height, rows, samples = (value if isinstance(value, int) else 0 for value in numbers.values())
    bits = tags.get(BITS, 8)
    depth = max((bit for bit in bits if isinstance(bit, int)), default=8) if isinstance(bits, tuple) else 8
    pixels = width * height if width else min(rows or image.height, image.height) * image.width
    return pixels * max(samples, 1) * max(depth, 8) // 8 if tags else 0


def refuse_large_icon(path: Path, file: BinaryIO) -> None:
    """Raise PictureError if an icon contains a PNG that is larger than icons are.

    The header of the icon does not say its size, and Pillow decodes it at once.
    """
    content = file.read()
    file.seek(0)
    for match in re.finditer(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4})", content, re.DOTALL):
        width, height = (int.from_bytes(side, "big") for side in match.groups())
        if max(width, height) > LARGEST_ICON:
            raise PictureError(f"{path}: contains a picture of {width}×{height}, which is too large for an icon")
