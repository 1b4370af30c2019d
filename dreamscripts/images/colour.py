"""An opened picture file upright and in sRGB, whatever its colour mode."""

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

MOST_PIXELS = 200_000_000  # more than any camera makes: a file that claims more is a mistake or an attack
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def to_rgb(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
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
