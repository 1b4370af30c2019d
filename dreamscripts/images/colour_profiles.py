"""Convert pictures from their ICC profile to sRGB."""

import io
from collections.abc import Callable

from PIL import Image, ImageCms

# Pillow's mode for the pixels that a profile describes, and the modes of the images that can have these pixels.
MODES = {
    "RGB ": ("RGB", {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "L", "LA", "La", "1", "YCbCr", "I;16"}),
    "GRAY": ("L", {"L", "LA", "La", "1", "I", "F"}),
    "CMYK": ("CMYK", {"CMYK"}),
    "Lab ": ("LAB", {"LAB"}),
}


class ProfileError(Exception):
    """A profile that cannot be used. The text continues "the profile …"."""


def to_srgb(profile: object, mode: str) -> Callable[[Image.Image], Image.Image]:
    """Return a function that converts an image to sRGB, in the mode RGB and without transparency.

    Phones save in Display P3. If this is read as sRGB, colours become pale. Raises ProfileError if the profile is
    damaged or is made for another colour mode.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))  # type: ignore[arg-type]
        space = source.profile.xcolor_space
    except Exception:  # of Pillow: the profile may be anything
        raise ProfileError("is damaged") from None
    needed, possible = MODES.get(space, ("", set()))
    if mode not in possible and not (mode.startswith("I;16") and space in ("RGB ", "GRAY")):
        raise ProfileError(f"is made for {space.strip() or 'unknown'} colours")
    try:
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), needed, "RGB")
    except Exception:  # of Pillow
        raise ProfileError("is damaged") from None

    def convert(image: Image.Image) -> Image.Image:
        if image.mode != needed:
            image = image.convert(needed)
        return ImageCms.applyTransform(image, transform) or image  # None only if it works in place

    return convert
