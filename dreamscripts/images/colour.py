"""Convert an opened picture file of any colour mode to upright RGB, and its colour profile to sRGB."""

import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

MOST_PIXELS = 200_000_000  # more than nearly all cameras have
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def to_rgb(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels as float32 (H, W, 3) RGB in 0..255, and notes on the conversion.

    A colour profile is ignored if the file has transparency or is grey with 16 bits. Raises DecompressionBombError for
    more than MOST_PIXELS.
    """
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Image.DecompressionBombError
    notes = []
    if (frames := getattr(image, "n_frames", 1)) > 1:
        notes.append(f"the first of its {frames} frames was used")
        image.seek(0)
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BIT:
        notes.append("its 16 bits were scaled to 0..255")
        grey = np.asarray(image, np.float32) / 257
        return np.repeat(grey[:, :, None], 3, axis=2).clip(0, 255), tuple(notes)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            notes.append("its transparent parts became white")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif profile:
        image = _to_srgb(image, profile)
    return np.asarray(image.convert("RGB"), np.float32), tuple(notes)


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    # Phones save in Display P3. If it is read as sRGB, colours become pale.
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image  # a damaged profile, or a profile for another colour mode
