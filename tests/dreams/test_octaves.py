from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dreamscripts.dreams.octaves import Carried, Grown, Plain, Reinjected, Split
from dreamscripts.images.resizing import bilinear
from dreamscripts.registry import SCHEDULES
from dreamscripts.settings.tables import Octaves

sides = st.integers(1, 40)
sizes = st.tuples(sides, sides)
scales = st.floats(1.05, 3)
unhurried = settings(deadline=None)  # TensorFlow's first call takes a while


def noise(size, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (*size, 3))


def is_tensorflow_2(x, size):
    return tf.image.resize(x, size, method="bilinear", antialias=False).numpy()


def is_scipy(x, size):
    return ndimage.zoom(x, (size[0] / x.shape[0], size[1] / x.shape[1], 1), order=1, mode="nearest")


def is_tensorflow_1(x, size):
    return tf.compat.v1.image.resize_bilinear(x[None], size)[0].numpy()


@pytest.mark.parametrize(
    ("keep", "theirs"), [("centres", is_tensorflow_2), ("corners", is_scipy), ("origin", is_tensorflow_1)]
)
@unhurried
@given(before=sizes, after=sizes)
def test_bilinear_is_the_resizing_of_the_sources(keep, theirs, before, after):
    x = noise(before)
    resized = bilinear(x, after, keep)
    assert (resized.shape, resized.dtype) == ((*after, 3), np.float64)
    np.testing.assert_allclose(resized, theirs(x, after), atol=1e-5)


@given(size=sizes)
def test_resizing_to_the_same_size_is_free_of_loss(size):
    x = noise(size)
    for keep in ("centres", "corners", "origin"):
        np.testing.assert_array_equal(bilinear(x, size, keep), x)


def truncated(side, scale, exponent):
    """What int(side·scale^exponent) may be in floating point: either neighbour where it is nearly a whole number."""
    exact = side * Fraction(scale) ** exponent
    return {max(1, int(exact * (1 + slack))) for slack in (-Fraction(1, 10**6), 0, Fraction(1, 10**6))}


@given(
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)), count=st.integers(1, 6), scale=scales, data=st.data()
)
def test_sizes_are_powers_of_the_scale_cut_off_to_whole_pixels(size, count, scale, data):
    above = data.draw(st.integers(0, min(2, count - 1)))
    for kind in (Plain, Reinjected):
        schedule = kind(np.zeros((*size, 1)), Octaves(count=count, scale=scale, above=above))
        exponents = range(above - count + 1, above + 1)
        assert len(schedule.sizes) == count
        for found, exponent in zip(schedule.sizes, exponents, strict=True):
            assert all(side in truncated(own, scale, exponent) for side, own in zip(found, size, strict=True))
        assert schedule.sizes[count - 1 - above] == size


def test_sizes_of_the_keras_example_are_its_own():
    """It divides: original / 1.4^k, cut off."""
    for side in range(2, 2001):
        found = Reinjected(np.zeros((side, 7, 1)), Octaves(count=3, scale=1.4)).sizes
        assert [size[0] for size in found] == [int(side / 1.4**2), int(side / 1.4), side]


@pytest.mark.parametrize("kind", ["carried", "split"])
def test_sizes_of_the_notebooks_follow_one_from_the_other(kind):
    following = {
        # Caffe's: scipy.ndimage.zoom rounds; TensorFlow's: float32, cut off
        "carried": lambda side: round(side * (1.0 / 1.4)),
        "split": lambda side: int(np.int32(np.float32([side]) / 1.4)[0]),
    }[kind]
    for side in range(10, 1001):
        expected = [side]
        for _ in range(3):
            expected.insert(0, following(expected[0]))
        found = SCHEDULES[kind].schedule(np.zeros((side, 3, 3)), Octaves(kind=kind, count=4, scale=1.4)).sizes
        assert [size[0] for size in found] == expected


def unchanged(kind, base, count, scale):
    """What comes of a picture that nobody changes."""
    schedule = SCHEDULES[kind].schedule(base, Octaves(kind=kind, count=count, scale=scale))
    x = None
    for octave in range(count):
        assume(min(schedule.sizes[octave]) >= 2)  # no network takes less
        x = schedule.begin(octave, x)
        assert x.shape == (*schedule.sizes[octave], 3)
        x = schedule.finish(octave, x)
    return x


@pytest.mark.parametrize("kind", ["reinjected", "carried", "split"])
@given(size=sizes, count=st.integers(1, 5), scale=scales)
def test_a_picture_that_nobody_changes_comes_back_as_it_was(kind, size, count, scale):
    base = 100 * noise(size)
    np.testing.assert_allclose(unchanged(kind, base, count, scale), base, atol=1e-3)


@pytest.mark.parametrize("kind", [kind for kind in SCHEDULES if kind != "grown"])
@given(size=st.tuples(st.integers(8, 40), st.integers(8, 40)), above=st.integers(0, 2))
def test_the_picture_returns_to_its_own_size(kind, size, above):
    base = 100 * noise(size)
    schedule = SCHEDULES[kind].schedule(base, Octaves(kind=kind, count=3, scale=1.3, above=above))
    x = None
    for octave, expected in enumerate(schedule.sizes):
        x = schedule.begin(octave, x)
        assert x.shape == (*expected, 3)
        x = schedule.finish(octave, x)
        assert x.shape == (*(size if octave == 2 else expected), 3)
    assert (max(schedule.sizes) > size) == (above > 0)
    np.testing.assert_array_equal(schedule.base, base)


def test_without_octaves_it_is_the_whole_picture_once():
    base = noise((20, 30))
    for entry in SCHEDULES.values():
        schedule = entry.schedule(base, Octaves())
        assert list(schedule.sizes) == [(20, 30)]
        np.testing.assert_array_equal(schedule.finish(0, schedule.begin(0, None)), base)


def test_plain_octaves_carry_the_picture_itself_and_nothing_else():
    base, dreamt = noise((20, 30)), noise((10, 15), seed=1)
    schedule = Plain(base, Octaves(count=2, scale=2))
    np.testing.assert_allclose(schedule.begin(0, None), is_tensorflow_2(base, (10, 15)), atol=1e-6)
    assert schedule.finish(0, dreamt) is dreamt
    np.testing.assert_allclose(schedule.begin(1, dreamt), is_tensorflow_2(dreamt, (20, 30)), atol=1e-6)


def test_what_the_dream_added_stays_when_the_photograph_comes_back():
    """One number everywhere is added in the smallest octave: it is there in the end, over the photograph."""
    base = noise((20, 30))
    for kind in (Reinjected, Carried, Split):
        schedule = kind(base, Octaves(count=2, scale=2))
        x = schedule.finish(0, schedule.begin(0, None) + 5)
        x = schedule.finish(1, schedule.begin(1, x))
        np.testing.assert_allclose(x, base + 5, atol=1e-6)


def test_carried_octaves_are_the_photograph_zoomed_down_again_and_again():
    base = noise((33, 47))
    schedule = Carried(base, Octaves(kind="carried", count=3, scale=1.4))
    smaller = ndimage.zoom(base, (1 / 1.4, 1 / 1.4, 1), order=1, mode="nearest")
    smallest = ndimage.zoom(smaller, (1 / 1.4, 1 / 1.4, 1), order=1, mode="nearest")
    for found, expected in zip(schedule.bases, (smallest, smaller, base), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "scale", "expected"),
    [(224, 1.4, [224, 313, 438, 613]), (96, 1.5, [96, 144, 216, 324]), (1, 1.4, [1, 1, 1, 1]), (5, 1.4, [5, 7, 9, 12])],
)
def test_out_of_noise_each_size_is_the_last_times_the_scale_cut_off(side, scale, expected):
    """The feature-visualisation notebook's: np.int32(np.float32(shape) * scale)."""
    schedule = Grown(np.zeros((side, 2 * side, 3)), Octaves(kind="grown", count=4, scale=scale))
    assert [height for height, _ in schedule.sizes] == expected
    sides = [2 * side]
    for _ in range(3):
        sides.append(int(np.int32(np.float32([sides[-1]]) * np.float32(scale))[0]))
    assert [width for _, width in schedule.sizes] == sides


@unhurried
@given(size=sizes, scale=scales)
def test_a_grown_picture_is_enlarged_as_tensorflow_1_did_and_stays_large(size, scale):
    base = noise(size)
    schedule = Grown(base, Octaves(kind="grown", count=3, scale=scale))
    x = schedule.begin(0, None)
    np.testing.assert_array_equal(x, base)
    for octave in (1, 2):
        dreamt = x + noise(x.shape[:2], octave)
        assert schedule.finish(octave - 1, dreamt) is dreamt
        x = schedule.begin(octave, dreamt)
        assert x.shape[:2] == schedule.sizes[octave]
        np.testing.assert_allclose(x, is_tensorflow_1(dreamt, schedule.sizes[octave]), atol=1e-4)
    assert schedule.finish(2, x) is x


@pytest.mark.parametrize("kind", SCHEDULES)
def test_of_a_batch_each_picture_goes_through_the_octaves_by_itself(kind):
    bases, added = np.stack([noise((14, 9), seed) for seed in range(3)]), np.arange(3.0)[:, None, None, None]
    octaves = Octaves(kind=kind, count=3, scale=1.4)
    schedule, x = SCHEDULES[kind].schedule(bases, octaves), None
    singles = [[SCHEDULES[kind].schedule(base, octaves), None] for base in bases]
    for octave in range(3):
        x = schedule.finish(octave, schedule.begin(octave, x) + added)
        for number, single in enumerate(singles):
            alone, before = single
            single[1] = alone.finish(octave, alone.begin(octave, before) + added[number])
            np.testing.assert_allclose(x[number], single[1], atol=1e-12)
            assert schedule.sizes == alone.sizes
