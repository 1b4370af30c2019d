"""Pictures in and out: opened upright and in RGB, fitted, resized in float, saved with their settings inside.

Inside the package a picture is float32 (H, W, 3), RGB, 0..255.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.files import write_atomically

SETTINGS_CHUNK = "dreamscripts"
MOST_PIXELS = 200_000_000  # more than any camera makes: a file that claims more is a mistake or an attack
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Photo:
    """A picture as opened: float32 (H, W, 3) RGB in 0..255, and what had to be done to it, in words."""

    path: Path
    pixels: np.ndarray
    notes: tuple[str, ...]


def open_photo(path: str | Path) -> Photo:
    """Open a picture file in any of Pillow's formats and colour modes.

    It comes upright (EXIF), in sRGB, without transparency (laid over white), and as its first frame.
    Raises PictureError, which says what is wrong with the file.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return Photo(path, *_to_rgb(image))
    except FileNotFoundError:
        raise PictureError(f"{path}: there is no such picture") from None
    except IsADirectoryError:
        raise PictureError(f"{path}: is a folder; name one picture in it") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: {_why_unidentified(path)}") from None
    except (Image.DecompressionBombError, MemoryError):
        raise PictureError(f"{path}: is too large to open; make it smaller first") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(f"{path}: is damaged and cannot be read to its end ({error})") from None


def open_picture(path: str | Path) -> np.ndarray:
    """`open_photo` without the words: float32 (H, W, 3) RGB in 0..255."""
    return open_photo(path).pixels


def as_picture(pixels: np.ndarray, batch: bool = False) -> np.ndarray:
    """Pixels that somebody else read, as float32 (H, W, 3), or a `batch` of them; PictureError where they are none."""
    is_array = isinstance(pixels, np.ndarray)
    if not is_array or pixels.ndim not in (3, 3 + batch) or pixels.shape[-1] != 3 or not pixels.size:
        found = f"array {pixels.shape}" if is_array else type(pixels).__name__
        raise PictureError(f"a picture is an array (H, W, 3), RGB in 0..255, as open_picture reads it; got: {found}")
    pixels = pixels.astype(np.float32, copy=False)
    if not np.isfinite(pixels).all():
        raise PictureError("the picture has values that are NaN or infinite")
    return pixels


def _why_unidentified(path: Path) -> str:
    if path.stat().st_size == 0:
        return "is an empty file"
    if path.suffix.lower() in (".heic", ".heif"):
        return "is in Apple's HEIC format; export it as JPEG first"
    return "is not a picture in a format that can be read (JPEG, PNG, TIFF, WebP, …)"


def _to_rgb(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Image.DecompressionBombError
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"the first of its {image.n_frames} frames was taken")
        image.seek(0)
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BIT:
        notes.append("its 16 bits were scaled to 0..255")
        grey = np.asarray(image, np.float32) / 257
        return np.repeat(grey[:, :, None], 3, axis=2).clip(0, 255), tuple(notes)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            notes.append("its transparent parts were laid over white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif profile:
        image = _to_srgb(image, profile)
    return np.asarray(image.convert("RGB"), np.float32), tuple(notes)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    # Telephones save in Display P3: read as sRGB, their colours would come out pale.
    try:
        return ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile, or one for another colour mode: the numbers as they stand


def noise(side: int, seed: int = 0, count: int | None = None) -> np.ndarray:
    """What a picture out of nothing begins with: float32 (side, side, 3), uniform in [100, 101); or `count` of them.

    As in the feature-visualisation notebook (A. Mordvintsev, 2016).
    """
    shape = (side, side, 3) if count is None else (count, side, side, 3)
    return (np.random.default_rng(seed).random(shape) + 100).astype(np.float32)


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resample a float32 (H, W, 3) picture with Lanczos, in float; what rings over is clipped to 0..255."""
    if picture.shape[:2] == (height, width):
        return picture
    channels = [
        Image.fromarray(np.ascontiguousarray(picture[:, :, c])).resize((width, height), Image.Resampling.LANCZOS)
        for c in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2).clip(0, 255)


def fit(picture: np.ndarray, size: int | None) -> np.ndarray:
    """Scale a picture so that its longer side is `size` pixels, keeping its aspect ratio; None leaves it alone."""
    return picture if size is None else resize(picture, *fitted(*picture.shape[:2], size))


def fitted(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The height and width that `fit` scales a picture to."""
    scale = size / max(height, width) if size else 1
    return max(1, round(height * scale)), max(1, round(width * scale))


def save_picture(picture: np.ndarray, path: str | Path, settings: str = "") -> None:
    """Save a (H, W, 3) RGB picture in 0..255 as PNG, rounded to 8 bits, with `settings` (TOML) in a text chunk.

    Raises OutputError where the file cannot be written; a file of that name is then left as it was.
    """
    chunks = PngImagePlugin.PngInfo()
    if settings:
        chunks.add_itxt(SETTINGS_CHUNK, settings)
    buffer = io.BytesIO()
    rounded = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    # The least compression takes half the time, and pictures full of detail are 5 % larger with it.
    Image.fromarray(rounded).save(buffer, "PNG", pnginfo=chunks, compress_level=1)
    write_atomically(path, buffer.getvalue())


def read_settings(path: Path) -> str:
    """The settings (TOML) inside a picture that `save_picture` wrote. Raises SettingsError where there are none."""
    try:
        with Image.open(path) as image:
            image.load()  # the chunk may stand behind the pixels
            text = image.info.get(SETTINGS_CHUNK)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise SettingsError(f"{path}: is not a picture that can be read") from None
    if text is None:
        raise SettingsError(f"{path}: holds no settings; only pictures saved by dreamscripts do")
    return text
