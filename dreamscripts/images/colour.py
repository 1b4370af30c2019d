"""Convert strips of a decoded picture, of any colour mode, to RGB."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from dreamscripts.errors import PictureError
from dreamscripts.images.colour_profiles import ProfileError, to_srgb
from dreamscripts.images.decoding import Source
from dreamscripts.images.pillow import refusals

WHITE = 255
TRANSPARENT = "its transparent parts became white"

Convert = Callable[[Image.Image], np.ndarray]


def converter(source: Source) -> Convert:
    """Return a function that converts a strip of the image to an array (h, W, 3), RGB in 0..255, uint8 or float32.

    Notes on the conversion are added to `source.notes`. Raises PictureError if pixels are NaN or infinite.
    """
    mode = source.image.mode
    profile = None
    if source.image.info.get("icc_profile"):
        try:
            profile = to_srgb(source.image.info["icc_profile"], mode)
        except ProfileError as error:
            source.notes.append(f"its colour profile was ignored: it {error}")
    if mode.startswith("I;16") or mode in ("I", "F"):
        return _Greys(source, profile)
    return _Colours(source, profile)


class _Colours:
    """The conversion of pixels with 8 bits per channel."""

    def __init__(self, source: Source, profile: Callable[[Image.Image], Image.Image] | None):
        self._source = source
        self._profile = profile or (lambda strip: strip if strip.mode == "RGB" else strip.convert("RGB"))
        image = source.image
        if source.rawmode == "RGB;16B" and isinstance(image.info.get("transparency"), tuple):
            image.info["transparency"] = tuple(value >> 8 for value in image.info["transparency"])  # as the pixels
        self._transparent = image.has_transparency_data

    def __call__(self, strip: Image.Image) -> np.ndarray:
        with refusals(self._source.path):
            if not self._transparent:
                return np.asarray(self._profile(strip))
            if strip.mode == "La":
                strip = strip.convert("LA")
            strip = strip if strip.mode == "LA" else strip.convert("RGBA")
            rgb, alpha = self._profile(strip), strip.getchannel("A")
            if alpha.getextrema() != (255, 255):
                if TRANSPARENT not in self._source.notes:
                    self._source.notes.append(TRANSPARENT)
                rgb.putalpha(alpha)
                rgb = Image.alpha_composite(Image.new("RGBA", rgb.size, "white"), rgb).convert("RGB")
            return np.asarray(rgb)


class _Greys:
    """The conversion of grey pixels with 16 or 32 bits, or as floating-point numbers: a linear map to 0..255."""

    def __init__(self, source: Source, profile: Callable[[Image.Image], Image.Image] | None):
        self._source = source
        self._clear = source.image.info.get("transparency") if source.image.mode.startswith("I;16") else None
        self._low, self._high, note = _range(source, *self._extremes())
        source.notes.append(note)
        if isinstance(self._clear, int):
            source.notes.append(TRANSPARENT)
        self._curve = None
        if profile:  # for the 256 greys, between which we interpolate
            with refusals(source.path):
                ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
                self._curve = np.asarray(profile(ramp), np.float32)[0]

    def __call__(self, strip: Image.Image) -> np.ndarray:
        values = self._values(strip)
        grey = ((values - self._low) * (255 / (self._high - self._low))).clip(0, 255)
        if self._curve is None:
            rgb = np.repeat(grey[:, :, None], 3, axis=2)
        else:
            rgb = np.stack([np.interp(grey, np.arange(256), channel) for channel in self._curve.T], axis=2)
        if isinstance(self._clear, int):
            rgb[values == self._clear] = WHITE
        return rgb.astype(np.float32)

    def _values(self, strip: Image.Image) -> np.ndarray:
        with refusals(self._source.path):
            return np.asarray(strip).astype(np.float32 if strip.mode.startswith("I;16") else np.float64)

    def _extremes(self) -> tuple[float, float]:
        values = (self._values(strip) for _, strip in self._source.strips())
        lows, highs = zip(*((v.min(), v.max()) for v in values), strict=True)
        low, high = float(min(lows)), float(max(highs))
        if not np.isfinite([*lows, *highs]).all():
            raise PictureError(f"{self._source.path}: has pixels that are NaN or infinite; repair or export it again")
        return low, high


def _range(source: Source, low: float, high: float) -> tuple[float, float, str]:
    """Return the values that become 0 and 255, and a note. `low` and `high` are the extreme values of the pixels."""
    if source.image.mode.startswith("I;16") or (source.image.format == "PPM" and source.image.mode == "I"):
        most = 4095.0 if source.rawmode == "I;12" else 65535.0
        note = f"its {12 if most < 65535 else 16} bits were scaled to 0..255"
        dark = f"; it is dark: the largest value is {high:g} of {most:g}" if high < most / 16 else ""
        return 0.0, most, note + dark
    if low >= 0:
        for most in (1.0, 255.0, 65535.0):
            if high <= most:
                return 0.0, most, f"its values were read as 0..{most:g}"
    if low == high:
        return low - abs(low), low + abs(low), f"all its values are {low:g}; they became grey"
    return low, high, f"its values {low:g}..{high:g} were scaled to 0..255"
