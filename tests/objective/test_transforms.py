from itertools import product
from math import cos, floor, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from noise import noise_of

from dreamscripts.backends.compiling import compile_pass
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.objective import transforms as module
from dreamscripts.objective.canvas import HostCanvas
from dreamscripts.objective.transforms import Draw, Transforms
from dreamscripts.settings.tables import Jitter, Tiles

sides = st.integers(1, 12)
sizes = st.tuples(sides, sides)
angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.1, 2)
rolls = st.tuples(st.integers(-30, 30), st.integers(-30, 30))


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


def drawn(angle=0.0, scale=1.0, shift=(0, 0), key=0):
    turn = np.array([cos(angle), sin(angle)]) / scale
    return Draw(np.int32(key), turn.astype(np.float32), np.array(shift, np.int32))


def of(preprocessing="caffe", tiles=None, **jitter):
    return Transforms.of(Jitter(**jitter), tiles, PREPROCESSINGS[preprocessing])


def turn(x, angle=0.0, scale=1.0):
    """A picture (H, W, 3) or a batch, turned by the module."""
    batch = ops.convert_to_tensor(x.reshape(-1, *x.shape[-3:]), "float32")
    return ops.convert_to_numpy(module.turned(batch, drawn(angle, scale).turn)).reshape(x.shape)


def transformed_and_back(transforms, x, y, draw):
    """The transformed picture Sx, and Sᵀy, by the pass of a backend."""
    run = compile_pass(lambda x, y, draw: ops.sum(transforms(x, draw) * y)[None], [])
    there = transforms(ops.convert_to_tensor(x[None], "float32"), draw)
    _, back = run(x[None].astype(np.float32), y[None].astype(np.float32), draw)
    return ops.convert_to_numpy(there)[0], ops.convert_to_numpy(back)[0]


@given(size=sizes, angle=angles, scale=scales)
def test_a_turned_picture_is_bilinear_with_its_edges_joined(size, angle, scale):
    x = np.random.default_rng(0).normal(0, 1, (*size, 3))
    np.testing.assert_allclose(turn(x, angle, scale), turned(x, angle, scale), atol=1e-3)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_by_90_degrees_a_square_picture_is_turned_counter_clockwise(side, rng):
    x = rng.normal(0, 1, (side, side, 3))
    np.testing.assert_allclose(turn(x, radians(90)), np.rot90(x), atol=1e-5)
    np.testing.assert_allclose(turn(x, radians(-90)), np.rot90(x, -1), atol=1e-5)
    np.testing.assert_allclose(turn(x, radians(180)), x[::-1, ::-1], atol=1e-5)


def test_at_twice_its_size_the_middle_half_fills_the_picture():
    x = np.zeros((9, 9, 3))
    x[3:6, 3:6] = 1  # 3 pixels wide, in the middle: then 5, and half lit at their edges
    larger = turn(x, scale=2)[:, :, 0]
    across = [0, 0.5, 1, 1, 1, 1, 1, 0.5, 0]
    np.testing.assert_allclose(larger, np.outer(across, across), atol=1e-6)


@given(size=sizes)
def test_neither_turned_nor_enlarged_a_picture_is_as_it_was(size):
    x = np.random.default_rng(0).normal(0, 1, (*size, 3)).astype(np.float32)
    np.testing.assert_array_equal(turn(x), x)
    there, back = transformed_and_back(of(), x, x, drawn())
    np.testing.assert_array_equal(there, x)
    np.testing.assert_array_equal(back, x)


@given(size=sizes, angle=angles, scale=scales)
def test_each_pixel_is_a_mixture_of_pixels_that_adds_up_to_one(size, angle, scale):
    np.testing.assert_allclose(turn(np.ones((*size, 3)), angle, scale), 1, atol=1e-5)
    lit = np.random.default_rng(0).integers(0, 2, (*size, 3)).astype(float)
    assert turn(lit, angle, scale).min() >= 0


@given(size=sizes, angle=angles, scale=scales, roll=rolls)
def test_the_way_back_is_the_exact_transpose(size, angle, scale, roll):
    """⟨Sx, y⟩ = ⟨x, Sᵀy⟩ for every x and y, whatever S does."""
    x, y = np.random.default_rng(0).normal(0, 1, (2, *size, 3))
    for jitter in ({"shift": 30}, {"rotate": 180}, {"shift": 30, "rotate": 180}):
        there, back = transformed_and_back(of(**jitter), x, y, drawn(angle, scale, roll))
        size_of_it = np.linalg.norm(x) * np.linalg.norm(y)
        assert (there * y).sum() == pytest.approx((x * back).sum(), abs=1e-5 * size_of_it)


def test_noise_comes_first_then_the_turn_then_the_roll(rng):
    x, y = rng.normal(0, 1, (2, 6, 8, 3))
    transforms, draw = of(noise=2, rotate=20, scale=0.3, shift=9), drawn(0.3, 1.2, (2, -3), key=77)
    there, back = transformed_and_back(transforms, x, y, draw)
    expected = np.roll(turned(x + noise_of(77, 6, 8, 2), 0.3, 1.2), (2, -3), axis=(0, 1))
    np.testing.assert_allclose(there, expected, atol=1e-4)
    _, still = transformed_and_back(of(rotate=20, scale=0.3, shift=9), x, y, draw)
    np.testing.assert_allclose(back, still, atol=1e-6)  # the noise is no part of the gradient


def test_the_pictures_of_a_batch_are_all_transformed_alike(rng):
    batch = rng.normal(0, 1, (3, 6, 8, 3)).astype(np.float32)
    transforms, draw = of(noise=2, rotate=20, shift=9), drawn(-0.7, 0.9, (1, 5), key=-5)
    together = ops.convert_to_numpy(transforms(ops.convert_to_tensor(batch), draw))
    for one, alone in zip(batch, together, strict=True):
        np.testing.assert_array_equal(transforms(ops.convert_to_tensor(one[None]), draw)[0], alone)


@given(key=st.integers(-(2**31), 2**31 - 1), size=sizes)
def test_the_noise_is_a_hash_of_its_number_and_its_key(key, size):
    noise = of(noise=4).noise(np.int32(key), *size)
    np.testing.assert_array_equal(noise, noise_of(key, *size, 4).astype(np.float32))


def test_the_noise_is_uniform_and_like_no_other_noise():
    noises = [ops.convert_to_numpy(of(noise=1).noise(np.int32(key), 200, 300)).ravel() for key in (5, 6, 5 + 2**20)]
    for noise in noises:
        counts, _ = np.histogram(noise, 50, (-1, 1))
        assert ((counts - noise.size / 50) ** 2).sum() / (noise.size / 50) < 100  # χ² with 49 degrees of freedom
        for apart in (1, 3, 900):  # neighbours, the next pixel, the next row
            assert abs(np.corrcoef(noise[:-apart], noise[apart:])[0, 1]) < 0.01
    for other in noises[1:]:
        assert abs(np.corrcoef(noises[0], other)[0, 1]) < 0.01


def test_the_noise_is_in_pixel_values_by_channel():
    noise = ops.convert_to_numpy(of("torch", noise=5).noise(np.int32(3), 60, 70))
    pixels = np.abs(noise * PREPROCESSINGS["torch"].scale).max(axis=(0, 1))
    np.testing.assert_allclose(pixels, 5, rtol=0.01)
    assert (pixels <= 5 * (1 + 1e-6)).all()


def test_the_shift_is_drawn_first_then_the_tiles_roll_and_then_the_turn():
    for tiles, lowest, highest in ((Tiles(kind="tutorial", size=9), -9, 9), (Tiles(kind="notebook", size=9), 0, 8)):
        rng = np.random.default_rng([6, 11])
        shift = rng.integers(-3, 4, 2)
        roll = rng.integers(lowest, highest + 1, 2)
        degrees, larger = rng.uniform(-1, 1, 2) * (20, 0.3)
        draw = of(tiles=tiles, noise=4, shift=3, rotate=20, scale=0.3).draw(6, 11)
        np.testing.assert_array_equal(draw.shift, shift + roll)
        expected = np.array([cos(radians(degrees)), sin(radians(degrees))]) / (1 + larger)
        np.testing.assert_allclose(draw.turn, expected, rtol=1e-6)


def test_a_draw_depends_on_seed_and_number_alone():
    transforms = of(noise=4, shift=30, rotate=20, scale=0.3)

    def facts(seed, number):
        return [part.tolist() for part in transforms.draw(seed, number)]

    assert facts(1, 2) == facts(1, 2)
    for other in (facts(1, 3), facts(2, 2)):
        assert all(one != another for one, another in zip(facts(1, 2), other, strict=True))
    stacked = transforms.draws(1, [2, 3])
    for number in (0, 1):
        assert [part.tolist() for part in stacked.of(number)] == facts(1, 2 + number)


@pytest.mark.parametrize(("rotate", "scale"), [(10, 0.2), (180, 0), (0, 0.9)])
def test_it_is_turned_and_enlarged_by_up_to_so_much_either_way(rotate, scale):
    turns = np.array([of(rotate=rotate, scale=scale).draw(3, number).turn for number in range(300)])
    angles, scales = np.rad2deg(np.arctan2(turns[:, 1], turns[:, 0])), 1 / np.hypot(*turns.T)
    for found, middle, reach in ((angles, 0, rotate), (scales, 1, scale)):
        assert (np.abs(found - middle) <= reach + 1e-3).all()
        assert found.min() <= middle - 0.97 * reach
        assert found.max() >= middle + 0.97 * reach
    if rotate and scale:
        assert np.abs(np.corrcoef(angles, scales)[0, 1]) < 0.2  # each by itself


def test_without_a_jitter_nothing_is_random():
    transforms = of()
    assert not transforms.are_random
    assert (transforms.amplitudes, transforms.turns, transforms.shifts) == ((), False, False)
    assert not transforms.draw(0, 0).shift.any()


@given(size=sizes, roll=rolls, data=st.data())
def test_a_tile_is_that_part_of_the_transformed_picture_and_its_gradient_goes_back_there(size, roll, data):
    x = np.random.default_rng(0).normal(0, 1, (*size, 3)).astype(np.float32)
    transforms, draw = of(noise=3, shift=30), drawn(shift=roll, key=9)
    rows, columns = (
        slice(*sorted(data.draw(st.lists(st.integers(0, side), min_size=2, max_size=2, unique=True)))) for side in size
    )
    canvas = HostCanvas(x, transforms, draw)
    tile = canvas.tile(rows, columns)
    beyond = np.zeros_like(x)
    beyond[rows, columns] = tile
    there, back = transformed_and_back(transforms, x, beyond, draw)
    np.testing.assert_array_equal(tile, there[rows, columns])
    canvas.add(ops.convert_to_tensor(tile[None]), rows, columns)
    np.testing.assert_array_equal(canvas.gradient(), back)
