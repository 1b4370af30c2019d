"""Colours, transparency, fields and changing sizes."""

import re
from itertools import pairwise

import numpy as np
import pytest
from small_films import LOSSLESS, pictures, write_film

from dreamscripts.film_files.reading import open_film

av = pytest.importorskip("av")

PATCHES = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 128, 128], [200, 100, 50], [30, 180, 90]],
    np.uint8,
)
# The weights of red and blue in the brightness, and FFmpeg's number of the matrix.
BT709, BT601, BT2020, UNTAGGED = (0.2126, 0.0722, 1), (0.299, 0.114, 6), (0.2627, 0.0593, 9), 2
SIDE = 32  # pixels of a patch


def read(path, first=0, **options):
    with open_film(path, **options) as source:
        return [frame.pixels for frame in source.frames(first)], source


def planes(colours, red, blue, full, bits=8):
    """Convert colours (N, 3) to Y, U and V by the definition of BT.601, 709 and 2020."""
    r, g, b = colours.T / 255.0
    y = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    unit = 2 ** (bits - 8)
    if full:
        most = 256 * unit - 1
        return [np.rint(np.clip(x, 0, most)) for x in (most * y, most * u + 128 * unit, most * v + 128 * unit)]
    return [np.rint(unit * x) for x in (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)]


def frame_of_patches(matrix, full, bits=8, height=None):
    """Make a frame in YUV 4:2:0 of PATCHES, one above the other, with gray below them up to `height`."""
    rows = np.repeat(PATCHES, SIDE, 0)
    if height:
        rows = np.concatenate([rows, np.full((height - len(rows), 3), 128, np.uint8)])
    frame = av.VideoFrame(SIDE, len(rows), "yuv420p" if bits == 8 else f"yuv420p{bits}le")
    for plane, column, step in zip(frame.planes, planes(rows, *matrix[:2], full, bits), (1, 2, 2), strict=True):
        numbers = np.repeat(column[::step, None], plane.line_size // (1 + (bits > 8)), 1)
        plane.update(numbers.astype(np.uint8 if bits == 8 else "<u2").tobytes())
    return frame


def colours_read(pixels):
    return pixels[SIDE // 2 : SIDE * len(PATCHES) : SIDE, SIDE // 2].astype(int)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [BT709, BT601, BT2020])
@pytest.mark.parametrize("size", [None, 128])
def test_the_matrix_and_the_range_of_colours_are_used(matrix, full, size, tmp_path):
    tags = {"colorspace": matrix[2], "color_range": 2 if full else 1}
    path = write_film(tmp_path / "a.mp4", [frame_of_patches(matrix, full)], options={"crf": "0"}, **tags)
    (pixels,), source = read(path, size=size)
    every = 256 // len(pixels)
    assert np.abs(colours_read(np.repeat(np.repeat(pixels, every, 0), every, 1)) - PATCHES).max() <= 3
    assert source.notes == []


@pytest.mark.parametrize(("height", "matrix"), [(256, BT601), (718, BT601), (720, BT709), (1080, BT709)])
def test_without_a_tag_the_matrix_follows_from_the_height(height, matrix, tmp_path):
    path = write_film(tmp_path / "a.mp4", [frame_of_patches(matrix, False, height=height)], options={"crf": "0"})
    (pixels,), _ = read(path)
    assert np.abs(colours_read(pixels) - PATCHES).max() <= 3


@pytest.mark.parametrize("bits", [10, 12])
def test_more_bits_are_converted_and_this_is_said(bits, tmp_path):
    frame = frame_of_patches(BT709, False, bits)
    tags = {"pix_fmt": frame.format.name, "colorspace": 1, "color_range": 1}
    (pixels,), source = read(write_film(tmp_path / "a.mkv", [frame], codec="ffv1", **tags))
    assert np.abs(colours_read(pixels) - PATCHES).max() <= 3
    assert source.notes == [f"its {bits} bits per colour are converted to 8"]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_said(transfer, name, tmp_path):
    tags = {"color_trc": transfer, "colorspace": 9, "color_primaries": 9, "color_range": 1}
    frame = frame_of_patches(BT2020, False, 10)
    (pixels,), source = read(write_film(tmp_path / "a.mkv", [frame], codec="ffv1", pix_fmt="yuv420p10le", **tags))
    assert f"it is in HDR ({name}): its colours will look pale; convert it to SDR first" in source.notes
    assert np.abs(colours_read(pixels) - PATCHES).max() <= 3


def test_tags_without_a_meaning_change_nothing(tmp_path):
    options = {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}
    path = write_film(tmp_path / "a.mov", pictures(2), **options)
    expected, _ = read(path)
    content = bytearray(path.read_bytes())
    for header in re.finditer(b"icpf", content):
        content[header.start() + 18 : header.start() + 20] = b"\3\3"  # primaries and transfer: reserved
    path.write_bytes(content)
    frames, source = read(path)
    assert all(np.array_equal(a, b) for a, b in zip(frames, expected, strict=True))
    assert source.notes == ["its 10 bits per colour are converted to 8"]


def test_an_unknown_matrix_is_said(tmp_path):
    path = write_film(tmp_path / "a.mkv", pictures(2), codec="ffv1", pix_fmt="yuv444p", colorspace=8)  # YCgCo
    assert read(path)[1].notes == ["its colours are coded in a way that is not known here; they may be wrong"]


@pytest.mark.parametrize(
    "pix_fmt", ["gray", "yuv422p", "yuv444p", "yuv410p", "gbrp", "yuvj420p", "rgb565le", "gray16le"]
)
def test_formats_of_pixels(pix_fmt, tmp_path):
    codec = {"rgb565le": "rawvideo", "gbrp": "rawvideo", "yuvj420p": "mjpeg"}.get(pix_fmt, "ffv1")
    path = write_film(tmp_path / "a.nut", pictures(2), codec=codec, pix_fmt=pix_fmt)
    expected = list(pictures(2))
    if pix_fmt.startswith("gray"):
        expected = [np.repeat(p @ [[0.299], [0.587], [0.114]], 3, 2) for p in expected]
    frames, source = read(path)
    assert max(np.abs(a - b.astype(float)).mean() for a, b in zip(frames, expected, strict=True)) < 5
    assert source.notes == (["its 16 bits per colour are converted to 8"] if pix_fmt == "gray16le" else [])


def transparent(number):
    """A red picture whose alpha grows from left to right, and with the frames."""
    for t in range(number):
        pixels = np.zeros((48, 64, 4), np.uint8)
        pixels[..., 0], pixels[..., 3] = 200, np.clip(np.arange(64) * 4 + 10 * t, 0, 255)
        yield pixels


def on_white(pixels):
    alpha = pixels[..., 3:] / 255
    return pixels[..., :3] * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "png", "rgba"),
        ("a.mov", "qtrle", "argb"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mkv", "ffv1", "yuva444p"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
    ],
)
def test_transparent_parts_become_white(name, codec, pix_fmt, tmp_path):
    options = {"auto-alt-ref": "0", "crf": "10", "b": "2M"} if codec.startswith("libvpx") else {}
    path = write_film(tmp_path / name, transparent(4), codec=codec, pix_fmt=pix_fmt, options=options)
    frames, source = read(path)
    assert len(frames) == 4
    for pixels, expected in zip(frames, map(on_white, transparent(4)), strict=True):
        assert np.abs(pixels - expected).max() <= (10 if codec.startswith("libvpx") else 2)
    assert source.notes == ["transparent parts are shown on white"]
    assert np.array_equal(read(path, 2)[0], frames[2:])


def test_hidden_colours_of_transparent_pixels_do_not_appear_when_a_film_is_scaled(tmp_path):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, ::2] = 0, 255, 0, 0  # green, but transparent
    pixels[:, 1::2] = 0, 0, 0, 255
    (scaled,), _ = read(write_film(tmp_path / "a.mov", [pixels], codec="png", pix_fmt="rgba"), size=32)
    assert np.abs(scaled[4:-4, 4:-4].astype(int) - 127.5).max() < 8


def test_opaque_frames_are_not_said_to_be_transparent(tmp_path):
    opaque = (np.dstack([picture, np.full((48, 64), 255, np.uint8)]) for picture in pictures(2))
    frames, source = read(write_film(tmp_path / "a.mov", opaque, codec="png", pix_fmt="rgba"))
    assert source.notes == []
    assert all(np.abs(a - b.astype(int)).max() <= 1 for a, b in zip(frames, pictures(2), strict=True))


def fields(number, speed=6):
    """Pictures of a bar that moves to the right: even rows show it at t, and odd rows half a frame later."""
    for t in range(number):
        picture = np.full((64, 96, 3), 60, np.uint8)
        for parity in (0, 1):
            left = 8 + speed * t + parity * speed // 2
            picture[parity::2, left : left + 12] = 200
        yield picture


@pytest.fixture
def interlaced(tmp_path):
    options = {"x264-params": "tff=1:bframes=2", "crf": "4"}
    return write_film(tmp_path / "a.mkv", fields(12), pix_fmt="yuv444p", options=options)


def combs(pixels):
    """Return the mean difference of each row from its neighbours."""
    rows = pixels[8:-8].astype(float).mean(axis=2)
    return np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean()


def test_interlaced_films_are_deinterlaced_and_keep_their_times(interlaced):
    with open_film(interlaced) as source:
        frames = list(source.frames())
    assert [frame.pts for frame in frames] == list(range(0, 480, 40))
    assert max(combs(frame.pixels) for frame in frames) < min(map(combs, fields(12))) / 4
    assert source.notes == ["it is interlaced; every two fields are made into one frame"]


def test_deinterlaced_frames_are_the_same_from_any_frame_on(interlaced):
    whole, _ = read(interlaced)
    assert any(not np.array_equal(a, b) for a, b in pairwise(whole))
    for first in range(13):
        assert np.array_equal(read(interlaced, first)[0], whole[first:])


def two_sizes(path, *sizes):
    """Join films in H.264 of several sizes."""
    parts = [
        write_film(path.with_name(f"{number}.h264"), pictures(30, *size), options={"bf": "0", "crf": "4"}).read_bytes()
        for number, size in enumerate(sizes)
    ]
    path.write_bytes(b"".join(parts))
    return path


def test_frames_of_another_size_are_fitted_into_the_first_and_this_is_said_once(tmp_path):
    path = two_sizes(tmp_path / "a.h264", (48, 64), (96, 128), (48, 64), (96, 96))
    frames, source = read(path)
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    assert len(frames) == 120
    assert source.notes == ["the size of its frames changes; later frames are fitted into the size of the first"]
    for number in range(30):  # the same shape: scaled
        picture = list(pictures(number + 1, 96, 128))[-1].astype(float)
        assert np.abs(frames[30 + number] - picture.reshape(48, 2, 64, 2, 3).mean(axis=(1, 3))).mean() < 4
    for pixels in frames[90:]:  # a square: black at both sides
        assert pixels[:, :8].max() < 20
        assert pixels[:, -8:].max() < 20
        assert pixels[:, 10:-10].mean() > 100
    for first in (29, 30, 31, 89, 95):
        assert np.array_equal(read(path, first)[0], frames[first:])


def test_large_reductions_and_enlargements(tmp_path):
    path = write_film(tmp_path / "a.mkv", pictures(1, 720, 1280), **LOSSLESS)
    (pixels,), _ = read(path, size=16)
    picture = next(pictures(1, 720, 1280)).astype(float)
    assert np.abs(pixels.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 3
    (pixels,), _ = read(write_film(tmp_path / "b.mkv", pictures(1), **LOSSLESS), size=640)
    assert pixels.shape == (480, 640, 3)
    assert np.abs(pixels.reshape(48, 10, 64, 10, 3).mean(axis=(1, 3)) - next(pictures(1))).mean() < 2
