"""Decode a picture file with Pillow, after its header has shown that the picture fits in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from dreamscripts.errors import PictureError
from dreamscripts.images.file_kinds import kind_of
from dreamscripts.images.forecasting import refuse_large_icon, refuse_too_large, rows_of_strip
from dreamscripts.images.pillow import in_a_line, quiet, refusals
from dreamscripts.images.png_chunks import without_long_texts
from dreamscripts.images.resizing import Size, fitted
from dreamscripts.regular_files import open_regular

COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")  # Pillow imports these in any case
# Pillow's other formats of pixels. EPS and WMF start other programs, and the rest cannot be read without a plug-in.
OTHERS = (
    *("WEBP", "TIFF", "AVIF", "JPEG2000", "MPO", "DIB", "ICO", "CUR", "ICNS", "DDS", "PCX", "DCX", "SGI", "PSD", "QOI"),
    *("SUN", "IM", "MSP", "XBM", "XPM", "PIXAR", "PCD", "FITS", "FLI", "GBR", "BLP", "FTEX", "MCIDAS", "SPIDER", "IMT"),
    *("XVTHUMB", "TGA"),
)
ORIENTATION = 0x0112  # the tag of EXIF
QUALITY = 2  # a reduced JPEG is at least this many times as large as the requested picture


@dataclass
class Source:
    """A decoded picture, in the orientation and colours of its file."""

    path: Path
    image: Image.Image
    size: Size
    """Height and width in the file. The image is smaller if it is a reduced JPEG."""
    rawmode: str
    """Pillow's name for the layout of the pixels in the file."""
    reduction: int = 1
    """The factor of a reduced JPEG: 1, 2, 4 or 8."""
    orientation: int = 1
    """The orientation in the EXIF data, 1 to 8."""
    notes: list[str] = field(default_factory=list)

    def strips(self) -> Iterator[tuple[slice, Image.Image]]:
        """Yield slices of rows, and the part of the image with these rows."""
        width, height = self.image.size
        rows = rows_of_strip(width)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            yield slice(top, bottom), self.image.crop((0, top, width, bottom))


def decode(path: Path, size: int | None) -> Source:
    """Decode the first frame of a picture file.

    If the longer side is only needed with `size` pixels, a JPEG is decoded at a half, a fourth or an eighth of its
    size, but with at least QUALITY times the requested pixels per side. Raises PictureError, also if the picture does
    not fit in the free memory.
    """
    with open_regular(path, PictureError, "picture") as file:
        image = _open(path, file)
        width, height = image.size
        source = Source(path, image, (height, width), _rawmode(image))
        with refusals(path):
            if size and image.format in ("JPEG", "MPO"):
                source.reduction = _reduce(image, fitted(height, width, size))
        refuse_too_large(path, image, source.size, file, fitted(height, width, size))
        with refusals(path):
            image.load()
        source.orientation = _orientation(source)
        if _is_animated(image):
            source.notes.append("only its first frame was used")
        with refusals(path):
            if image.format not in ("JPEG", "PNG") or _is_animated(image):
                source.image = image.copy()  # without the decoder, which keeps memory and needs the file
    return source


def fitted_size(path: Path, size: int | None) -> Size:
    """Return the height and width with which `decode` would return a picture in the end, without decoding it.

    Raises PictureError if the picture does not fit in the free memory, or if its header cannot be read.
    """
    with open_regular(path, PictureError, "picture") as file, quiet():
        image = _open(path, file)
        target = fitted(image.height, image.width, size)
        refuse_too_large(path, image, (image.height, image.width), file, target)
    return target


def _open(path: Path, file: BinaryIO) -> Image.Image:
    """Read the header of a picture. Raises PictureError."""
    kind = kind_of(file)
    if kind.refusal:
        raise PictureError(f"{path}: {kind.refusal}")
    if kind.name == "PNG":
        file = without_long_texts(file)
    if kind.name in ("ICO", "ICNS"):
        refuse_large_icon(path, file)
    with refusals(path):
        try:
            return Image.open(file, formats=(kind.name,) if kind.name else COMMON)
        except UnidentifiedImageError:
            if kind.name:
                raise PictureError(f"{path}: is damaged and cannot be read") from None
        Image.init()  # imports all plug-ins
        try:
            return Image.open(file, formats=[name for name in OTHERS if name in Image.OPEN])
        except UnidentifiedImageError:
            raise PictureError(
                f"{path}: is not a picture in a format that can be read (JPEG, PNG, TIFF, WebP, …)"
            ) from None


def _rawmode(image: Image.Image) -> str:
    """Return the layout of the pixels in the file, such as "RGB;16B"."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else None
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _reduce(image: Image.Image, target: Size) -> int:
    """Let a JPEG be decoded at a reduced size for a picture of the size `target`. Return the factor."""
    width = image.width
    image.draft(None, (QUALITY * target[1], QUALITY * target[0]))
    return next(factor for factor in (1, 2, 4, 8) if -(-width // factor) == image.width)


def _orientation(source: Source) -> int:
    """Return the orientation in the EXIF data, whatever else the EXIF data contains."""
    try:
        value = source.image.getexif().get(ORIENTATION, 1)
    except Exception as error:  # of Pillow, for damaged EXIF data
        source.notes.append(f"its EXIF data is damaged, so the picture may not be upright ({in_a_line(error)})")
        return 1
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # of Pillow, for a damaged second frame, which is not needed
        return True
