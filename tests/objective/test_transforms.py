from itertools import product
from math import cos, floor, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.objective import transforms as transforms
from dreamscripts.objective.transforms import Transform, draw_transform, warp_matrix
from dreamscripts.settings.tables import Jitter, Tiles

sides = st.integers(1, 12)
sizes = st.tuples(sides, sides)
angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.1, 2)
rolls = st.tuples(st.integers(-30, 30), st.integers(-30, 30))
ONE = np.ones(3)


def turned(x, angle, scale):
    """A picture turned counter-clockwise about its centre and enlarged; bilinear, its edges joined; pixel by pixel."""
    height, width, _ = x.shape
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    result = np.zeros(x.shape)
    for i, j in product(range(height), range(width)):
        right, up = (j - middle_x) / scale, (middle_y - i) / scale  # as on paper, from the centre
        from_right = cos(-angle) * right - sin(-angle) * up
        from_up = sin(-angle) * right + cos(-angle) * up
        at_y, at_x = middle_y - from_up, middle_x + from_right
        y, x_ = floor(at_y), floor(at_x)
        for k, m in product((0, 1), (0, 1)):
            weight = (1 - abs(at_y - (y + k))) * (1 - abs(at_x - (x_ + m)))
            result[i, j] += weight * x[(y + k) % height, (x_ + m) % width]
    return result


def transform(size, angle=0.0, scale=1.0, shift=(0, 0), noise=None):
    return Transform(noise, warp_matrix(*size, angle, scale), shift)


@given(size=sizes, angle=angles, scale=scales)
def test_a_turned_picture_is_bilinear_with_its_edges_joined(size, angle, scale):
    x = np.random.default_rng(0).normal(0, 1, (*size, 3))
    np.testing.assert_allclose(transform(size, angle, scale)(x), turned(x, angle, scale), atol=1e-5)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_by_90_degrees_a_square_picture_is_turned_counter_clockwise(side, rng):
    x = rng.normal(0, 1, (side, side, 3))
    np.testing.assert_allclose(transform((side, side), radians(90))(x), np.rot90(x), atol=1e-6)
    np.testing.assert_allclose(transform((side, side), radians(-90))(x), np.rot90(x, -1), atol=1e-6)
    np.testing.assert_allclose(transform((side, side), radians(180))(x), x[::-1, ::-1], atol=1e-6)


def test_at_twice_its_size_the_middle_half_fills_the_picture():
    x = np.zeros((9, 9, 3))
    x[3:6, 3:6] = 1  # 3 pixels wide, in the middle: then 5, and half lit at their edges
    larger = transform((9, 9), scale=2)(x)[:, :, 0]
    across = [0, 0.5, 1, 1, 1, 1, 1, 0.5, 0]
    np.testing.assert_allclose(larger, np.outer(across, across), atol=1e-6)


@given(size=sizes)
def test_neither_turned_nor_enlarged_a_picture_is_as_it_was(size):
    x = np.random.default_rng(0).normal(0, 1, (*size, 3))
    np.testing.assert_array_equal(transform(size)(x), x)
    np.testing.assert_array_equal(Transform(None, None, (0, 0))(x), x)


@given(size=sizes, angle=angles, scale=scales)
def test_each_pixel_is_a_mixture_of_pixels_that_adds_up_to_one(size, angle, scale):
    matrix = warp_matrix(*size, angle, scale)
    assert matrix.shape == (size[0] * size[1],) * 2
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert matrix.data.min() >= 0
    assert matrix.dtype == np.float32


@given(size=sizes, angle=angles, scale=scales, roll=rolls)
def test_the_way_back_is_the_exact_transpose(size, angle, scale, roll):
    """⟨Sx, y⟩ = ⟨x, Sᵀy⟩ for every x and y, whatever S does."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (2, *size, 3))
    for transformed in (
        transform(size, angle, scale, roll),
        Transform(None, None, roll),
        transform(size, angle, scale),
    ):
        assert (transformed(x) * y).sum() == pytest.approx((x * transformed.pull_back(y)).sum(), rel=1e-9, abs=1e-9)


def test_noise_comes_first_then_the_turn_then_the_roll(rng):
    x, noise = rng.normal(0, 1, (2, 6, 8, 3))
    whole = transform((6, 8), 0.3, 1.2, (2, -3), noise)
    np.testing.assert_allclose(whole(x), np.roll(turned(x + noise, 0.3, 1.2), (2, -3), axis=(0, 1)), atol=1e-5)
    still = transform((6, 8), 0.3, 1.2, (2, -3))
    np.testing.assert_array_equal(whole.pull_back(x), still.pull_back(x))  # the noise is no part of the gradient


def test_the_pictures_of_a_batch_are_all_transformed_alike(rng):
    batch, noise = rng.normal(0, 1, (3, 6, 8, 3)), rng.normal(0, 1, (6, 8, 3))
    transformed = transform((6, 8), -0.7, 0.9, (1, 5), noise)
    for there in (transformed, transformed.pull_back):
        together = there(batch)
        assert together.shape == batch.shape
        for one, alone in zip(batch, together, strict=True):
            np.testing.assert_array_equal(alone, there(one))


def test_what_is_transformed_stays_float32(rng):
    x = rng.normal(0, 1, (6, 8, 3)).astype(np.float32)
    jitter = Jitter(noise=2, shift=3, rotate=10, scale=0.1)
    transformed = draw_transform(rng, jitter, None, np.full(3, 127.5), x.shape)
    assert transformed(x).dtype == transformed.pull_back(x).dtype == np.float32


def drawn(seed, number, shape=(5, 7, 3), tiles=None, pixel=ONE, **jitter):
    return draw_transform(np.random.default_rng([seed, number]), Jitter(**jitter), tiles, pixel, shape)


def test_noise_is_drawn_first_then_the_shift_then_the_tiles_roll_and_then_the_turn():
    """As it was drawn before pictures could be turned: old seeds give the same draws."""
    for tiles, lowest, highest in ((Tiles(kind="tutorial", size=9), -9, 9), (Tiles(kind="notebook", size=9), 0, 8)):
        rng = np.random.default_rng([6, 11])
        noise = rng.uniform(-1, 1, (5, 7, 3)) * 4
        shift = rng.integers(-3, 4, 2)
        roll = rng.integers(lowest, highest + 1, 2)
        angle, larger = rng.uniform(-1, 1, 2) * (np.deg2rad(20), 0.3)
        transformed = drawn(6, 11, tiles=tiles, noise=4, shift=3)
        np.testing.assert_allclose(transformed.noise, noise, rtol=1e-6)
        assert transformed.shift == tuple(shift + roll)
        assert transformed.warp is None
        turning = drawn(6, 11, tiles=tiles, noise=4, shift=3, rotate=20, scale=0.3)
        np.testing.assert_array_equal(turning.noise, transformed.noise)
        assert turning.shift == transformed.shift
        np.testing.assert_array_equal(turning.warp.toarray(), warp_matrix(5, 7, angle, 1 + larger).toarray())


def test_a_draw_depends_on_seed_and_number_alone():
    everything = {"noise": 4, "shift": 30, "rotate": 20, "scale": 0.3}

    def facts(seed, number, shape=(5, 7, 3)):
        transformed = drawn(seed, number, shape, **everything)
        return transformed.noise.tolist(), transformed.shift, transformed.warp.toarray().tolist()

    assert facts(1, 2) == facts(1, 2)
    for other in (facts(1, 3), facts(2, 2)):
        assert all(one != another for one, another in zip(facts(1, 2), other, strict=True))
    assert facts(1, 2, (4, 5, 7, 3)) == facts(1, 2)  # a batch is transformed as one picture is


def test_the_noise_is_in_pixel_values_by_channel():
    pixel = np.array([1, 58.395, 127.5])
    transformed = drawn(0, 0, (60, 70, 3), noise=5, pixel=pixel)
    pixels = np.abs(transformed.noise * pixel).max(axis=(0, 1))
    np.testing.assert_allclose(pixels, 5, rtol=0.01)
    assert (pixels <= 5 * (1 + 1e-6)).all()


@pytest.mark.parametrize(("rotate", "scale"), [(10, 0.2), (180, 0), (0, 0.9)])
def test_it_is_turned_and_enlarged_by_up_to_so_much_either_way(rotate, scale, monkeypatch):
    seen = []
    monkeypatch.setattr(transforms, "warp_matrix", lambda height, width, *how: seen.append((height, width, *how)))
    for number in range(300):
        drawn(3, number, rotate=rotate, scale=scale)
    heights, widths, angles, scales = np.array(seen).T
    assert (set(heights), set(widths), len(seen)) == ({5}, {7}, 300)
    for found, middle, reach in ((np.rad2deg(angles), 0, rotate), (scales, 1, scale)):
        assert (np.abs(found - middle) <= reach + 1e-9).all()
        assert found.min() <= middle - 0.97 * reach
        assert found.max() >= middle + 0.97 * reach
    if rotate and scale:
        assert np.abs(np.corrcoef(angles, scales)[0, 1]) < 0.2  # each by itself


def test_without_a_jitter_nothing_is_drawn():
    transformed = drawn(0, 0)
    assert (transformed.noise, transformed.warp, transformed.shift) == (None, None, (0, 0))


def test_noise_drawn_some_rows_at_a_time_is_the_noise_drawn_at_once():
    transformed = drawn(6, 11, (600, 4, 3), noise=4)
    expected = (np.random.default_rng([6, 11]).uniform(-1, 1, (600, 4, 3)) * 4).astype(np.float32)
    np.testing.assert_array_equal(transformed.noise, expected)


@given(size=sizes, roll=rolls, data=st.data())
def test_a_crop_is_that_part_of_the_transformed_picture_and_its_gradient_goes_back_there(size, roll, data):
    rng = np.random.default_rng(0)
    x, noise = rng.normal(0, 1, (2, *size, 3)).astype(np.float32)
    transformed = Transform(noise, None, roll)
    rows, columns = (slice(*sorted(data.draw(st.lists(st.integers(0, side), min_size=2, max_size=2)))) for side in size)
    crop = transformed.crop(x, rows, columns)
    np.testing.assert_array_equal(crop, transformed(x)[rows, columns])
    total, beyond = np.ones_like(x), np.zeros_like(x)
    beyond[rows, columns] = crop
    transformed.pull_back_crop(total, crop, rows, columns)
    np.testing.assert_array_equal(total, 1 + transformed.pull_back(beyond))
