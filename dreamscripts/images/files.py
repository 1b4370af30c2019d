"""Open picture files, upright and in RGB, and save PNG files with settings inside.

Inside the package a picture is float32 (H, W, 3), RGB, 0..255.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.colour import to_rgb

SETTINGS_CHUNK = "dreamscripts"


@dataclass(frozen=True)
class Photo:
    """An opened picture: float32 (H, W, 3) RGB in 0..255, and notes on its conversion."""

    path: Path
    pixels: np.ndarray
    notes: tuple[str, ...]


def open_photo(path: str | Path) -> Photo:
    """Open a picture file in any of Pillow's formats and colour modes.

    It is rotated according to its EXIF data. A colour profile is converted to sRGB, but it is ignored if the file has
    transparency or is grey with 16 bits. Transparent areas become white. From an animation, the first frame is used.
    Raises PictureError, which names the problem.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return Photo(path, *to_rgb(image))
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such picture") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder; give one picture in it") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: {_why_unidentified(path)}") from None
    except (Image.DecompressionBombError, MemoryError):
        raise PictureError(f"{path}: is too large to open; make it smaller first") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"{path}: is damaged and cannot be read completely ({error})") from None


def open_picture(path: str | Path) -> np.ndarray:
    """Open a picture file as float32 (H, W, 3) RGB in 0..255. Raises PictureError."""
    return open_photo(path).pixels


def _why_unidentified(path: Path) -> str:
    if path.stat().st_size == 0:
        return "is an empty file"
    if path.suffix.lower() in (".heic", ".heif"):
        return "is in Apple's HEIC format; export it as JPEG first"
    return "is not a picture in a format that can be read (JPEG, PNG, TIFF, WebP, …)"


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
    """Read the settings (TOML) in a picture that `save_picture` wrote. Raises SettingsError if they are missing."""
    try:
        with Image.open(path) as image:
            image.load()  # the chunk may come after the pixels
            text = image.info.get(SETTINGS_CHUNK)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise SettingsError(f"{path}: is not a picture that can be read") from None
    if text is None:
        raise SettingsError(f"{path}: contains no settings; use a picture that dreamscripts saved")
    return text
