import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dreamscripts.errors import OutputError, PictureError
from dreamscripts.images.files import open_photo, open_picture, read_settings, save_picture
from dreamscripts.images.resizing import as_picture, fit, noise, resize

RGB = np.array([200, 100, 50], np.uint8)


def write(folder, name, image, **options):
    image.save(folder / name, **options)
    return folder / name


def plain(mode="RGB", size=(12, 8)):
    image = Image.new("RGB", size, tuple(RGB.tolist()))
    return image.quantize(2) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "name", "expected", "within"),
    [
        ("RGB", "a.png", RGB, 0),
        ("RGB", "a.jpg", RGB, 3),
        ("L", "a.png", [124.0] * 3, 1),
        ("P", "a.png", RGB, 0),
        ("P", "a.gif", RGB, 0),
        ("1", "a.png", None, 0),
        ("CMYK", "a.tif", RGB, 2),
        ("CMYK", "a.jpg", RGB, 6),
        ("RGBA", "a.png", RGB, 0),
        ("LA", "a.png", [124.0] * 3, 1),
        ("YCbCr", "a.jpg", RGB, 4),
        ("RGB", "a.webp", RGB, 8),
    ],
)
def test_every_colour_mode_comes_as_float_rgb(mode, name, expected, within, tmp_path):
    opened = open_photo(write(tmp_path, name, plain(mode)))
    assert opened.pixels.shape == (8, 12, 3)
    assert opened.pixels.dtype == np.float32
    assert opened.notes == ()
    if expected is not None:
        np.testing.assert_allclose(opened.pixels, np.broadcast_to(expected, (8, 12, 3)), atol=within)


def test_sixteen_bits_are_scaled_and_said(tmp_path):
    values = np.linspace(0, 65535, 96).reshape(8, 12).astype(np.uint16)
    opened = open_photo(write(tmp_path, "deep.png", Image.fromarray(values)))
    np.testing.assert_allclose(opened.pixels[:, :, 1], values / 257, atol=1e-3)
    assert any("16 bits" in note for note in opened.notes)


def test_transparency_is_laid_over_white_and_said(tmp_path):
    image = plain("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    opened = open_photo(write(tmp_path, "clear.png", image))
    assert (opened.pixels == 255).all()
    assert any("white" in note for note in opened.notes)


def test_exif_rotation_is_undone(tmp_path):
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, :6] = 250  # the left half is bright
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    upright = open_picture(write(tmp_path, "turned.png", Image.fromarray(pixels), exif=exif))
    assert upright.shape == (12, 8, 3)
    assert (upright[:6] == 250).all()
    assert (upright[6:] == 0).all()


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_of_an_animation_the_first_frame_is_taken_and_said(name, tmp_path):
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "lime", "blue")]
    path = write(tmp_path, name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    opened = open_photo(path)
    np.testing.assert_allclose(opened.pixels[0, 0], (255, 0, 0), atol=2)
    assert any("first frame" in note for note in opened.notes)


def test_a_wide_gamut_comes_in_srgb(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    same = open_picture(write(tmp_path, "same.png", plain(), icc_profile=lab.tobytes()))
    np.testing.assert_allclose(same[0, 0], RGB, atol=1)
    broken = open_picture(write(tmp_path, "broken.png", plain(), icc_profile=b"nonsense"))
    np.testing.assert_array_equal(broken[0, 0], RGB)


def test_what_is_no_picture_is_refused_with_the_reason(tmp_path):
    def refusal(path):
        with pytest.raises(PictureError) as error:
            open_photo(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "no such picture" in refusal(tmp_path / "missing.jpg")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.jpg").touch()
    assert "empty" in refusal(tmp_path / "empty.jpg")
    (tmp_path / "words.jpg").write_text("not a picture")
    assert "not a picture" in refusal(tmp_path / "words.jpg")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    assert "HEIC" in refusal(tmp_path / "phone.heic")


def test_what_others_read_is_a_picture_if_it_looks_like_one(picture):
    assert as_picture(picture) is picture
    assert as_picture(picture[None], batch=True).shape == (1, *picture.shape)
    whole = picture.astype(np.uint8)
    assert as_picture(whole).dtype == np.float32
    np.testing.assert_array_equal(as_picture(whole), whole)
    for other, says in [
        ("a.jpg", "as from open_picture; got: str"),
        (picture[:, :, 0], r"got: array \(\d+, \d+\)$"),
        (picture[None], r"got: array \(1, "),
        (picture[:0], r"got: array \(0, "),
        (np.dstack([picture, picture[:, :, :1]]), r", 4\)$"),
        (picture * np.nan, "NaN or infinite"),
    ]:
        with pytest.raises(PictureError, match=says):
            as_picture(other)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp"])
def test_a_truncated_file_is_refused(name, tmp_path, rng):
    image = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
    path = write(tmp_path, name, image)
    content = path.read_bytes()
    for part in (0.5, 0.9):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(PictureError):
            open_photo(path)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = write(tmp_path, "bomb.png", Image.new("1", (30_000, 30_000)))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(PictureError, match="too large"):
        open_photo(path)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 80))
def test_fit_bounds_the_longer_side_and_keeps_the_aspect_ratio(height, width, size):
    fitted = fit(np.full((height, width, 3), 100, np.float32), size)
    assert max(fitted.shape[:2]) == size
    scale = size / max(height, width)
    assert abs(fitted.shape[0] - max(1, height * scale)) <= 0.5
    assert abs(fitted.shape[1] - max(1, width * scale)) <= 0.5
    np.testing.assert_allclose(fitted, 100, rtol=1e-5)


def test_without_a_size_the_picture_stays_as_it_is(picture):
    assert fit(picture, None) is picture
    assert resize(picture, 48, 64) is picture


def test_resizing_does_not_go_through_eight_bits():
    ramp = np.broadcast_to(np.linspace(0, 1, 32, dtype=np.float32)[:, None, None], (32, 32, 3))
    assert len(np.unique(resize(ramp, 64, 64)[:, 0, 0])) > 50


def test_noise_is_grey_grain_by_its_seed():
    start = noise(24, seed=3)
    assert (start.shape, start.dtype) == ((24, 24, 3), np.float32)
    np.testing.assert_allclose(start, 100 + np.random.default_rng(3).uniform(0, 1, (24, 24, 3)), atol=1e-5)
    assert 100 <= start.min() < 100.01 < 100.99 < start.max() <= 101
    np.testing.assert_array_equal(noise(24, seed=3), start)
    assert np.abs(noise(24, seed=4) - start).mean() > 0.2
    np.testing.assert_array_equal(noise(24), noise(24, seed=0))


def test_of_several_noises_the_first_is_the_one_and_all_are_others():
    several = noise(24, seed=3, count=4)
    assert several.shape == (4, 24, 24, 3)
    np.testing.assert_array_equal(several[0], noise(24, seed=3))
    assert len({one.tobytes() for one in several}) == 4
    assert noise(24, count=1).shape == (1, 24, 24, 3)


def test_a_saved_picture_is_rounded_and_holds_its_settings(tmp_path):
    picture = np.array([[[-5, 0.4, 0.6], [254.6, 300, 127.5]]], np.float32)
    save_picture(picture, tmp_path / "a.png", "seed = 1  # ü\n")
    np.testing.assert_array_equal(open_picture(tmp_path / "a.png"), [[[0, 0, 1], [255, 255, 128]]])
    assert read_settings(tmp_path / "a.png") == "seed = 1  # ü\n"


def test_a_picture_that_cannot_be_saved_is_an_output_error(tmp_path, picture):
    with pytest.raises(OutputError, match=r"nowhere/a\.png"):
        save_picture(picture, tmp_path / "nowhere" / "a.png")


def test_a_picture_that_cannot_be_written_leaves_the_one_before(tmp_path, picture, monkeypatch):
    def fail(descriptor):
        raise OSError("no space")

    save_picture(picture, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(os, "fsync", fail)  # after all is written
    with pytest.raises(OutputError, match=r"a\.png"):
        save_picture(picture[::-1], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
