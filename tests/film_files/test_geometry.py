"""Sizes and orientations, of numbers and of whole films."""

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_films import LOSSLESS, pictures, write_film

from dreamscripts.film_files.geometry import fitted_into, square_pixels, target_size
from dreamscripts.film_files.reading import open_film

sides = st.integers(1, 5000)


def read(path, **options):
    with open_film(path, **options) as source:
        return [frame.pixels for frame in source.frames()], source


@given(sides, sides, st.one_of(st.none(), st.integers(2, 5000)))
def test_sizes_are_even_and_keep_their_shape(height, width, longer):
    rows, columns = target_size(Fraction(height), Fraction(width), longer)
    assert rows % 2 == columns % 2 == 0
    assert min(rows, columns) >= 2
    scale = Fraction(longer // 2 * 2 if longer else max(height, width), max(height, width))
    assert abs(rows - height * scale) <= 1 or rows == 2
    assert abs(columns - width * scale) <= 1 or columns == 2
    if longer:
        assert max(rows, columns) == max(2, longer // 2 * 2)


@given(sides, sides, st.fractions(Fraction(1, 20), 20, max_denominator=100))
def test_square_pixels_keep_the_shape_and_all_detail(height, width, aspect):
    rows, columns = square_pixels((height, width), aspect)
    assert columns / rows == width * aspect / height
    assert rows >= height
    assert columns >= width


@given(sides, sides, st.integers(1, 2000), st.integers(1, 2000))
def test_frames_are_fitted_into_the_first_size(height, width, half_rows, half_columns):
    target = (2 * half_rows, 2 * half_columns)
    rows, columns = fitted_into(Fraction(height), Fraction(width), target)
    assert rows <= target[0]
    assert columns <= target[1]
    assert rows == target[0] or columns == target[1]
    assert rows % 2 == columns % 2 == 0


av = pytest.importorskip("av")

# The first rows of a display matrix, and what they do with a picture.
ONE = 1 << 16
TURNS = {
    "none": ((ONE, 0, 0, ONE), lambda p: p),
    "90° clockwise": ((0, ONE, -ONE, 0), lambda p: np.rot90(p, -1)),
    "180°": ((-ONE, 0, 0, -ONE), lambda p: np.rot90(p, 2)),
    "90° counterclockwise": ((0, -ONE, ONE, 0), np.rot90),
    "mirrored": ((-ONE, 0, 0, ONE), lambda p: p[:, ::-1]),
    "upside down": ((ONE, 0, 0, -ONE), lambda p: p[::-1]),
    "transposed": ((0, ONE, ONE, 0), lambda p: p.swapaxes(0, 1)),
    "transposed and turned": ((0, -ONE, -ONE, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
}


def turned(path, a, b, c, d):
    """Change the display matrix of the track in an MP4."""
    content = path.read_bytes()
    place = content.index(b"tkhd") + 4 + 40
    assert struct.unpack(">9i", content[place : place + 36]) == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + content[place + 36 :])
    return path


@pytest.mark.parametrize("name", TURNS)
def test_frames_are_turned_upright(name, tmp_path):
    matrix, turn = TURNS[name]
    path = turned(write_film(tmp_path / "a.mov", pictures(3), codec="png", pix_fmt="rgb24"), *matrix)
    frames, source = read(path)
    for pixels, picture in zip(frames, pictures(3), strict=True):
        assert np.array_equal(pixels, turn(picture))
        assert pixels.flags["C_CONTIGUOUS"]
    assert source.size == frames[0].shape[:2]
    assert source.notes == []


def test_the_rotation_agrees_with_that_of_pyav(tmp_path):
    path = tmp_path / "a.mov"
    write_film(path, pictures(3), codec="png", pix_fmt="rgb24")
    with av.open(str(turned(path, *TURNS["90° clockwise"][0]))) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == -90  # counterclockwise
    assert np.array_equal(read(path)[0][0], np.rot90(next(pictures(1)), -1))


def test_the_angle_is_used_if_pyav_cannot_read_the_matrix(tmp_path):
    class Frame:
        rotation = -90

        @property
        def side_data(self):
            raise ValueError("32 is not a valid Type")

    from dreamscripts.film_files.geometry import orientation_of

    assert np.array_equal(orientation_of(Frame()).upright(next(pictures(1))), np.rot90(next(pictures(1)), -1))


def test_another_angle_is_not_turned_and_this_is_said(tmp_path):
    path = turned(
        write_film(tmp_path / "a.mov", pictures(2), codec="png", pix_fmt="rgb24"), 56756, 32768, -32768, 56756
    )
    frames, source = read(path)
    assert np.array_equal(frames[0], next(pictures(1)))
    assert source.notes == ["it should be shown turned by an angle that is not a multiple of 90°; it is not turned"]


@pytest.mark.parametrize(
    ("aspect", "turn", "size", "expected"),
    [
        (Fraction(16, 15), "none", None, (48, 68)),
        (Fraction(8, 9), "none", None, (54, 64)),
        (Fraction(2), "90° clockwise", None, (128, 48)),
        (Fraction(2), "90° clockwise", 64, (64, 24)),
    ],
)
def test_pixels_become_square(aspect, turn, size, expected, tmp_path):
    path = write_film(tmp_path / "a.mp4", pictures(2), sample_aspect_ratio=aspect, options={"crf": "4"})
    frames, source = read(turned(path, *TURNS[turn][0]), size=size)
    assert source.size == frames[0].shape[:2] == expected
    assert source.notes == [f"its pixels are not square; it is scaled to {expected[1]}×{expected[0]}"]
    picture = TURNS[turn][1](next(pictures(1))).astype(float).mean(axis=(0, 1))
    assert np.abs(frames[0].mean(axis=(0, 1)) - picture).max() < 3


@pytest.mark.parametrize(("height", "width"), [(47, 63), (48, 63), (47, 64)])
def test_odd_sides_lose_a_pixel_and_the_others_are_unchanged(height, width, tmp_path):
    frames, source = read(write_film(tmp_path / "a.mkv", pictures(2, height, width), **LOSSLESS))
    rows, columns = height // 2 * 2, width // 2 * 2
    for pixels, picture in zip(frames, pictures(2, height, width), strict=True):
        assert np.array_equal(pixels, picture[:rows, :columns])
    assert source.notes == [f"the sides of a film must be even; it is cut to {columns}×{rows} by one pixel"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (3, 3)])
def test_tiny_frames(height, width, tmp_path):
    frames, source = read(write_film(tmp_path / "a.mkv", pictures(2, height, width), **LOSSLESS))
    assert source.size == frames[0].shape[:2] == (2, max(2, width // 2 * 2))


@pytest.mark.parametrize(
    ("size", "expected"),
    [(32, (24, 32)), (33, (24, 32)), (31, (22, 30)), (30, (22, 30)), (100, (74, 100)), (64, (48, 64))],
)
def test_the_longer_side_is_scaled(size, expected, tmp_path):
    frames, source = read(write_film(tmp_path / "a.mkv", pictures(2), **LOSSLESS), size=size)
    assert source.size == frames[0].shape[:2] == expected
    assert source.notes == []
    assert np.abs(frames[0].mean(axis=(0, 1)) - next(pictures(1)).mean(axis=(0, 1))).max() < 2
    if size == 32:
        small = next(pictures(1)).astype(float).reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
        assert np.abs(frames[0] - small).mean() < 3
