"""Mutated pictures of every format that Pillow writes: each opens, or is refused in a line, within the forecast."""

import io
import random
import struct
from itertools import count

import numpy as np
import pytest
from fuzz.harness import attempt, mutants, mutate
from PIL import Image, ImageCms, PngImagePlugin

from dreamscripts.images import forecasting
from dreamscripts.images.files import open_photo, read_settings

pytestmark = pytest.mark.slow

FORMATS = {  # the modes, and the options of which one is drawn
    "JPEG": (("L", "RGB", "CMYK"), ({}, {"progressive": True}, {"subsampling": 0})),
    "PNG": (("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), ({}, {"animated": True})),
    "TIFF": (
        ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"),
        (
            *({"compression": name} for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")),
            {"animated": True},
            {"tiffinfo": {278: 7}},
        ),
    ),
    "WEBP": (("RGB", "RGBA"), ({}, {"lossless": True}, {"animated": True})),
    "GIF": (("L", "P"), ({}, {"interlace": 1}, {"animated": True})),
    "AVIF": (("L", "RGB", "RGBA"), ({"speed": 10}, {"speed": 10, "animated": True})),
    "JPEG2000": (("L", "LA", "RGB", "RGBA", "I;16"), ({}, {"tile_size": (32, 32)}, {"irreversible": True})),
    "BMP": (("1", "L", "P", "RGB", "RGBA"), ({},)),
    "TGA": (("L", "LA", "P", "RGB", "RGBA"), ({}, {"compression": "tga_rle"})),
    "ICO": (("L", "RGBA"), ({"sizes": [(32, 32)]}, {"sizes": [(16, 16), (32, 32)], "bitmap_format": "bmp"})),
    "ICNS": (("RGBA",), ({},)),
    "PPM": (("1", "L", "RGB", "I;16", "I", "F"), ({},)),
    "DDS": (("L", "LA", "RGB", "RGBA"), ({}, {"pixel_format": "DXT1"}, {"pixel_format": "DXT5"})),
    "PCX": (("1", "L", "P", "RGB"), ({},)),
    "SGI": (("L", "RGB", "RGBA"), ({}, {"bpc": 2})),
    "QOI": (("RGB", "RGBA"), ({},)),
    "IM": (("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"), ({},)),
    "MPO": (("RGB",), ({"animated": True},)),
    "MSP": (("1",), ({},)),
    "XBM": (("1",), ({},)),
    "SPIDER": (("F",), ({},)),
    "BLP": (("P",), ({},)),
    "EPS": (("L", "RGB"), ({},)),
    "PDF": (("RGB",), ({},)),
}
BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x04\0" + b"".join(
    struct.pack("<HHII", tag, kind, number, value)
    for tag, kind, number, value in ((0x0112, 3, 1, 6), (0x010F, 5, 1, 9999), (0x8769, 2, 9, 26), (0x0131, 77, 1, 0))
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawn(mode: str, chance: random.Random) -> Image.Image:
    height, width = chance.choice(((40, 60), (1, 90), (64, 64)))
    pixels = np.random.default_rng(chance.randrange(99)).integers(0, 256, (height, width, 3), np.uint8)
    pixels[::2] = 200  # some of it compresses
    if mode == "I;16":
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(pixels[:, :, 0].astype(np.float32) / chance.choice((1, 255, -1)))
    image = Image.fromarray(pixels)
    if mode == "LAB":
        return ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray(pixels[:, :, 0]))
    return image.convert(mode)


def written(chance: random.Random) -> bytes:
    """Return a valid file. It may have EXIF data, of which only the orientation is good, a profile, and texts."""
    name = chance.choice(list(FORMATS))
    modes, options = FORMATS[name]
    image, chosen = drawn(chance.choice(modes), chance), dict(chance.choice(options))
    if chosen.pop("animated", False):
        chosen |= {"save_all": True, "append_images": [image.transpose(Image.Transpose.ROTATE_180)] * 2}
    if name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO") and chance.random() < 0.5:
        chosen["icc_profile"] = chance.choice((SRGB, b"nonsense"))
    if name in ("JPEG", "PNG", "WEBP", "MPO") and chance.random() < 0.5:
        chosen["exif"] = BROKEN_EXIF
    if name == "PNG" and chance.random() < 0.5:
        chosen["pnginfo"] = texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", "x" * chance.choice((10, 2_000_000)), zip=True)
        texts.add_itxt("dreamscripts", "seed = 1")
    buffer = io.BytesIO()
    try:
        image.save(buffer, name, **chosen)
    except (ValueError, OSError, KeyError, TypeError):  # Pillow cannot write this combination
        image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def with_lengths(data: bytes, chance: random.Random) -> bytes:
    """Overwrite a number of 2 or 4 bytes, which may be a length or a side, or repeat a large part."""
    mutant = bytearray(data)
    position = chance.randrange(max(1, min(len(mutant), chance.choice((64, 256, len(mutant))))))
    if chance.random() < 0.2:
        mutant[position:position] = mutant[position : position + chance.randrange(1, 2000)]
        return bytes(mutant)
    number = chance.choice((0, 1, 255, 4096, 13304, 30000, 65535, 2**31 - 1, 2**32 - 1))
    order, size = chance.choice("<>"), chance.choice("HI")
    mutant[position : position + struct.calcsize(size)] = struct.pack(
        order + size, number % 256 ** struct.calcsize(size)
    )
    return bytes(mutant)


def check(chance: random.Random, folder) -> list[str]:
    """Open a mutant. Return its faults."""
    path = folder / "mutant"
    data = written(chance)
    path.write_bytes(chance.choice((mutate, with_lengths))(data, chance) if chance.random() < 0.97 else data)
    size = chance.choice((None, None, 16, 300))
    forecasts: list[int] = [forecasting.LEAST]

    def action():
        to_open = forecasting.to_open
        forecasting.to_open = lambda *header: forecasts.append(to_open(*header)) or forecasts[-1]
        if chance.random() < 0.1:
            read_settings(path)
        photo = open_photo(path, size)
        assert photo.pixels.shape[2] == 3
        assert photo.pixels.dtype == np.float32
        assert np.isfinite(photo.pixels).all()
        assert 0 <= photo.pixels.min() <= photo.pixels.max() <= 255
        return forecasts[-1]

    outcome = attempt(action, folder)
    # A refused picture must stay within the least forecast, because nothing of it is decoded, or within its own.
    forecast = outcome.result or 2 * forecasting.LEAST
    return outcome.faults(forecast)


def test_mutated_pictures_are_opened_or_refused(tmp_path):
    Image.init()
    Image.new("RGB", (8, 8)).save(tmp_path / "first.png")
    open_photo(tmp_path / "first.png", 4)  # imports
    tried = count()
    for number, chance in zip(tried, mutants(seed=14), strict=False):
        faults = check(chance, tmp_path)
        assert not faults, f"mutant {number}: {faults}"
    assert next(tried) > 10
