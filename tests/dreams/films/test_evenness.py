"""How the change of a frame is spread over it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.dreams.films.evenness import EVENNESS, WINDOW, around, even, unit


@given(st.integers(0, 100), st.tuples(*[st.integers(1, 30)] * 2), st.floats(1e-6, 1e6))
def test_unit_and_even_directions(seed, size, scale):
    gradient = scale * np.random.default_rng(seed).normal(size=(*size, 3))
    assert np.abs(unit(gradient)).mean() == pytest.approx(1)
    np.testing.assert_allclose(unit(even(gradient)), unit(even(gradient / scale)), rtol=1e-6)
    assert (np.sign(even(gradient)) == np.sign(gradient)).all()


def test_a_gradient_of_0_has_no_direction():
    nothing = np.zeros((5, 6, 3), np.float32)
    np.testing.assert_array_equal(unit(even(unit(nothing))), nothing)


@pytest.mark.parametrize("ratio", [2, 8])
def test_strong_parts_are_weakened_and_weak_parts_strengthened(ratio):
    gradient = np.random.default_rng(0).choice([-1.0, 1.0], (100, 200, 3))
    gradient[:, 100:] *= ratio
    evened = np.abs(even(gradient))
    left, right = evened[:, :80].mean(), evened[:, 120:].mean()
    assert right / left == pytest.approx(ratio ** (1 - EVENNESS))
    assert left > 1
    assert right < ratio


def test_the_mean_around_a_pixel_is_that_of_a_square_of_a_share_of_the_height(rng):
    x = rng.normal(size=(100, 80, 3)).astype(np.float32)
    assert WINDOW * 100 == 15
    assert around(x)[50, 40] == pytest.approx(np.abs(x[43:58, 33:48]).mean(), rel=1e-4)
    assert around(x[:3]).shape == (3, 80)
