"""Pictures that people have: damaged metadata, profiles of every mode, deep pixels, and files that are no pictures."""

import io
import logging
import os
import struct
import time

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image, ImageCms, PngImagePlugin

from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images import forecasting
from dreamscripts.images.files import open_photo, open_picture, read_settings
from dreamscripts.images.pillow import in_a_line
from dreamscripts.images.resizing import as_picture, fit

CASES = SHARED / "cases"
# Beside the orientation 6, it has a wrong type, a value outside, and an unknown type.
BROKEN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x04\0" + b"".join(
    struct.pack("<HHII", tag, kind, number, value)
    for tag, kind, number, value in ((0x0112, 3, 1, 6), (0x010F, 5, 1, 9999), (0x8769, 2, 9, 26), (0x0131, 77, 1, 0))
)


@pytest.fixture
def bright_left() -> np.ndarray:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, :12] = 250
    return pixels


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_of_broken_exif_data_only_the_orientation_is_used(name, bright_left, tmp_path, capfd):
    image = Image.fromarray(bright_left)
    upright = open_picture(saved(tmp_path / name, image, exif=BROKEN_EXIF, quality=95))
    assert upright.shape == (24, 16, 3)
    assert upright[:10].min() > 235
    assert upright[14:].max() < 15
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "lzw.tif"])
@pytest.mark.parametrize("size", [None, 12])
def test_every_orientation_becomes_upright(orientation, name, size, tmp_path, rng):
    coarse = rng.integers(0, 256, (3, 5, 3)).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if name == "lzw.tif" else {"quality": 98, "subsampling": 0}
    path = saved(tmp_path / name, Image.fromarray(coarse), exif=exif, **options)
    expected = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: np.rot90,
    }[orientation](coarse.astype(np.float32))
    upright = open_photo(path, size).pixels
    assert upright.flags.c_contiguous
    np.testing.assert_allclose(upright, fit(np.ascontiguousarray(expected), size), atol=6 if name == "a.jpg" else 1e-3)


def wide_profile() -> bytes:
    """Return a profile in which red, green and blue are other colours than in sRGB: red and blue are swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    start = profile.index(b"rXYZ")
    red, blue = profile[start + 4 : start + 8], profile[(blue_at := profile.index(b"bXYZ")) + 4 : blue_at + 8]
    profile[start + 4 : start + 8], profile[blue_at + 4 : blue_at + 8] = blue, red
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L"])
def test_a_profile_is_used_for_every_mode_as_for_rgb(mode, tmp_path, rng):
    pixels = rng.integers(0, 256, (8, 12, 3)).astype(np.uint8)
    image = Image.fromarray(pixels).quantize(16).convert("RGB") if mode == "P" else Image.fromarray(pixels)
    image = image.convert("L").convert("RGB") if mode in ("L", "LA") else image
    as_rgb = open_picture(saved(tmp_path / "rgb.png", image, icc_profile=wide_profile()))
    converted = image.quantize(16) if mode == "P" else image.convert(mode)
    path = saved(tmp_path / "other.png", converted, icc_profile=wide_profile())
    np.testing.assert_array_equal(open_picture(path), as_rgb)
    if mode in ("RGBA", "P"):
        np.testing.assert_allclose(as_rgb, np.asarray(image)[:, :, ::-1], atol=2)


@pytest.mark.parametrize("profile", [b"nonsense", wide_profile()])
def test_a_profile_that_does_not_fit_is_ignored_and_said(profile, tmp_path):
    photo = open_photo(saved(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), icc_profile=profile))
    np.testing.assert_allclose(photo.pixels, np.broadcast_to([255, 0, 0], (8, 8, 3)), atol=6)
    assert any("colour profile was ignored" in note for note in photo.notes)


@pytest.mark.parametrize(
    ("values", "expected", "says"),
    [
        (np.linspace(0, 1, 96, dtype=np.float32), np.linspace(0, 255, 96), "0..1"),
        (np.linspace(0, 240, 96, dtype=np.float32), np.linspace(0, 240, 96), "0..255"),
        (np.linspace(0, 60000, 96, dtype=np.float32), np.linspace(0, 60000, 96) / 257, "0..65535"),
        (np.linspace(-2, 2, 96, dtype=np.float32), np.linspace(0, 255, 96), "-2..2"),
        (np.full(96, 1e6, np.float32), np.full(96, 127.5), "1e+06"),
        (np.full(96, -1e30, np.float32), np.full(96, 127.5), "-1e+30"),
        (np.arange(96, dtype=np.int32), np.arange(96), "0..255"),
        (np.arange(96, dtype=np.int32) % 2, np.arange(96) % 2 * 255, "0..1"),
        (np.arange(96, dtype=np.int32) * 600, np.arange(96) * 600 / 257, "0..65535"),
    ],
)
def test_deep_pictures_are_scaled_by_their_values_and_it_is_said(values, expected, says, tmp_path):
    photo = open_photo(saved(tmp_path / "a.tif", Image.fromarray(values.reshape(8, 12))))
    np.testing.assert_allclose(photo.pixels, np.repeat(expected.reshape(8, 12, 1), 3, axis=2), atol=1e-2)
    assert any(says in note for note in photo.notes)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(bad, tmp_path):
    values = np.zeros((8, 12), np.float32)
    values[3, 3] = bad
    with pytest.raises(PictureError, match="NaN or infinite"):
        open_photo(saved(tmp_path / "a.tif", Image.fromarray(values)))


def test_the_transparent_grey_of_sixteen_bits_becomes_white(tmp_path):
    values = np.linspace(0, 65535, 96).reshape(8, 12).astype(np.uint16)
    values[2:4] = 12345
    photo = open_photo(saved(tmp_path / "a.png", Image.fromarray(values), transparency=12345))
    assert (photo.pixels[2:4] == 255).all()
    np.testing.assert_allclose(photo.pixels[5:, :, 0], values[5:] / 257, atol=1e-2)
    assert any("white" in note for note in photo.notes)


def test_a_dark_picture_of_sixteen_bits_is_said(tmp_path):
    photo = open_photo(saved(tmp_path / "a.png", Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12))))
    assert any("is dark: the largest value is 95 of 65535" in note for note in photo.notes)


def test_long_texts_are_no_damage_and_settings_beside_them_are_read(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x" * 5_000_000, zip=True)
    texts.add_itxt("dreamscripts", "seed = 1  # ü", zip=True)
    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8), (1, 2, 3)), pnginfo=texts)
    np.testing.assert_array_equal(open_picture(path)[0, 0], [1, 2, 3])
    assert read_settings(path) == "seed = 1  # ü"


def test_many_short_texts_are_omitted_at_once(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x", zip=True)
    for _ in range(50_000):
        texts.add_text("a", "b")
    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8), (1, 2, 3)), pnginfo=texts)
    start = time.perf_counter()
    np.testing.assert_array_equal(open_picture(path)[0, 0], [1, 2, 3])
    assert time.perf_counter() - start < 10  # comparing each text with every other takes 30 s


def test_an_error_of_one_word_is_preceded_by_its_class():
    assert in_a_line(KeyError("x")) == "KeyError: 'x'"
    assert in_a_line(ValueError()) == "ValueError"
    assert in_a_line(ValueError("two  words\n")) == "two words"


def test_a_text_that_unpacks_to_much_more_is_refused(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("dreamscripts", "x" * 20_000_000, zip=True)
    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8)), pnginfo=texts)
    assert path.stat().st_size < 50_000
    with pytest.raises(SettingsError, match="too long"):
        read_settings(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "Windows Metafile"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\x89PNG\r\n\x1a\n nonsense", "damaged"),
    ],
)
def test_other_formats_are_named_whatever_the_name_of_the_file(content, says, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError, match=says):
        open_photo(tmp_path / "a.jpg")


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(PictureError, match="is a pipe"):
        open_photo(tmp_path / "a.png")
    with pytest.raises(SettingsError, match="is a pipe"):
        read_settings(tmp_path / "a.png")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "group4", "raw"])
def test_damaged_tiffs_print_nothing(compression, tmp_path, capfd, rng):
    image = Image.fromarray(rng.integers(0, 256, (40, 60), np.uint8))
    path = saved(tmp_path / "a.tif", image.convert("1" if compression == "group4" else "L"), compression=compression)
    content = path.read_bytes()
    for start in range(8, len(content), 97):
        path.write_bytes(content[:start] + b"\xff\x00\xff" + content[start + 3 :])
        try:
            open_photo(path)
        except PictureError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr().err == ""


def test_memory_is_compared_before_a_pixel_is_decoded(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.png", Image.new("1", (4000, 3000)))
    monkeypatch.setattr(forecasting, "free_memory", lambda: 100_000_000)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PictureError, match=r"4000×3000 needs about 0\.2 GB .* 0\.1 GB are free"):
        open_photo(path)


def test_a_small_size_needs_less_memory(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.jpg", Image.new("RGB", (4000, 3000)))
    monkeypatch.setattr(forecasting, "free_memory", lambda: 100_000_000)
    with pytest.raises(PictureError, match="make it smaller"):
        open_photo(path)
    assert open_photo(path, 400).pixels.shape == (300, 400, 3)


def test_a_large_picture_in_an_icon_is_refused(tmp_path):
    inner = io.BytesIO()
    Image.new("1", (9000, 9000)).save(inner, "PNG")
    header = struct.pack("<HHHBBBBHHII", 0, 1, 1, 32, 32, 0, 0, 1, 32, len(inner.getvalue()), 22)
    (tmp_path / "a.ico").write_bytes(header + inner.getvalue())
    with pytest.raises(PictureError, match="9000×9000, which is too large for an icon"):
        open_photo(tmp_path / "a.ico")


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("size", [1, 17, 60, 75])
def test_a_picture_opened_at_a_size_is_the_fitted_picture(name, size, tmp_path, picture):
    path = saved(tmp_path / name, Image.fromarray(picture.astype(np.uint8)), lossless=True)
    np.testing.assert_array_equal(open_photo(path, size).pixels, fit(open_picture(path), size))


@pytest.mark.parametrize(("size", "factor"), [(64, 8), (100, 4), (300, 1)])
def test_a_jpeg_is_reduced_only_to_twice_the_size(size, factor, tmp_path, picture, monkeypatch):
    path = saved(tmp_path / "a.jpg", Image.fromarray(picture.astype(np.uint8)).resize((1031, 773)), quality=95)
    decoded = []
    load = Image.Image.load
    monkeypatch.setattr(Image.Image, "load", lambda self: decoded.append(self.width) or load(self))
    reduced = open_photo(path, size).pixels
    assert decoded[0] == -(-1031 // factor)
    monkeypatch.undo()
    whole = fit(open_picture(path), size)
    assert reduced.shape == whole.shape
    assert np.abs(reduced - whole).mean() < 1


def test_values_in_0_to_1_are_said(picture, caplog):
    with caplog.at_level(logging.WARNING):
        as_picture(picture)
        as_picture(np.zeros((4, 4, 3)))
        assert not caplog.records
        as_picture(picture / 255)
    assert "multiply it by 255" in caplog.text


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are only on some machines")
def test_cases_open_with_the_right_values():
    folder = CASES / "pictures"
    np.testing.assert_array_equal(open_picture(folder / "icc_rgba_opaque.png"), open_picture(folder / "icc_rgb.png"))
    assert open_picture(folder / "exif_wrongtype.jpg").shape == (120, 80, 3)
    for name in ("float01.tif", "int32_255.tif"):
        assert 120 < open_picture(folder / name).mean() < 135
    assert (open_picture(folder / "grey16_trns.png") == 255).any()
    assert open_picture(folder / "bigtext.png").std() > 20
    for name in ("missing_dimensions.tif", "no_item.avif"):
        with pytest.raises(PictureError, match="is damaged"):
            open_picture(CASES / "reliability" / name)
