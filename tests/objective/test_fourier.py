import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscapes import Bowl

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.objective.fourier import FourierEvaluator

sides = st.integers(1, 13)
sizes = st.tuples(sides, sides)
SMALL = [(1, 1), (1, 4), (5, 1), (2, 2), (3, 2), (4, 5), (5, 4), (3, 3)]


def fourier(size, preprocessing="none", centre=None):
    bowl = Bowl(np.zeros((*size, 3)) if centre is None else centre, preprocessing)
    return FourierEvaluator(bowl, *size)


def colours(size, seed=0, low=5, high=250):
    """A picture between black and white: float64 (H, W, 3), or (N, H, W, 3)."""
    return np.random.default_rng(seed).uniform(low, high, (*size, 3))


def coefficients(size, seed=0):
    height, width = size[-2:]
    return np.random.default_rng(seed).normal(0, 0.3, (*size[:-2], height, 2 * (width // 2 + 1), 3))


def lucid(z, height, width):
    """The picture, 0..1, that lucid makes of a spectrum: `fft_image`, then `to_valid_rgb(decorrelate, sigmoid)`."""
    columns = width // 2 + 1
    spectrum = np.moveaxis(z[:, :columns] + 1j * z[:, columns:], -1, 0)
    freqs = np.sqrt(np.fft.fftfreq(height)[:, None] ** 2 + np.fft.fftfreq(width)[:columns] ** 2)  # signs do not matter
    scale = 1.0 / np.maximum(freqs, 1.0 / max(width, height)) * np.sqrt(width * height)
    image = np.moveaxis(np.fft.irfft2(scale * spectrum, (height, width)), 0, -1) / 4.0
    svd_sqrt = np.asarray([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
    normalized = svd_sqrt / np.max(np.linalg.norm(svd_sqrt, axis=0))
    return 1 / (1 + np.exp(-(image.reshape(-1, 3) @ normalized.T).reshape(image.shape)))


@given(size=sizes)
def test_pictures_are_those_that_lucid_makes(size):
    z = coefficients(size)
    np.testing.assert_allclose(fourier(size).picture(z), 255 * lucid(z, *size), atol=1e-3)


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
@given(size=sizes)
def test_a_picture_that_enters_comes_back_as_it_was(preprocessing, size):
    picture = colours(size)
    x = PREPROCESSINGS[preprocessing].normalise(picture)
    here = fourier(size, preprocessing)
    z = here.coefficients.of(x)
    assert (z.shape, z.dtype) == ((size[0], 2 * (size[1] // 2 + 1), 3), np.float32)
    back = here.picture(z)
    assert (back.shape, back.dtype) == (x.shape, np.float32)
    np.testing.assert_allclose(PREPROCESSINGS[preprocessing].denormalise(back), picture, atol=0.01)


def test_black_white_and_beyond_enter_as_nearly_so(rng):
    picture = rng.choice([-40.0, 0, 100, 255, 300], (8, 9, 3))
    here = fourier((8, 9))
    back = here.picture(here.coefficients.of(picture))
    np.testing.assert_allclose(back, picture.clip(0.5, 254.5), atol=0.02)  # within half a step of 8 bits


@pytest.mark.parametrize("size", SMALL)
@pytest.mark.parametrize("preprocessing", ["caffe", "torch"])
def test_the_gradient_is_that_of_the_whole_way_coefficient_by_coefficient(size, preprocessing):
    """Against differences of the loss of lucid's picture, in double precision."""
    door = PREPROCESSINGS[preprocessing]
    centre = door.normalise(colours(size, 1))
    z = coefficients(size)

    def loss(z):
        return 0.5 * ((door.normalise(255 * lucid(z, *size)) - centre) ** 2).sum()

    here = fourier(size, preprocessing, centre)
    assert here.loss(z) == pytest.approx(loss(z), rel=1e-4)
    assert here.terms(z) == {"height": here.loss(z)}
    gradient = here.gradient(z)
    assert (gradient.shape, gradient.dtype) == (z.shape, np.float32)
    differences = np.zeros(z.shape)
    for place in np.ndindex(z.shape):
        ahead, behind = z.copy(), z.copy()
        ahead[place] += 1e-4
        behind[place] -= 1e-4
        differences[place] = (loss(ahead) - loss(behind)) / 2e-4
    np.testing.assert_allclose(gradient, differences, rtol=1e-3, atol=1e-4 * np.abs(differences).max())


@given(size=sizes, size_of_them=st.floats(1, 1e6))
def test_however_wild_the_coefficients_the_picture_is_between_black_and_white(size, size_of_them):
    z = (size_of_them * coefficients(size)).astype(np.float32)
    here = fourier(size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture, gradient = here.picture(z), here.gradient(z)
    assert 0 <= picture.min() <= picture.max() <= 255
    assert np.isfinite(gradient).all()


def test_of_a_batch_each_picture_goes_its_own_way():
    here = fourier((6, 7), "caffe", PREPROCESSINGS["caffe"].normalise(colours((6, 7), 1)))
    x = PREPROCESSINGS["caffe"].normalise(colours((3, 6, 7)))
    together = here.coefficients.of(x)
    assert together.shape == (3, 6, 8, 3)
    for ask, batch in ((here.coefficients.of, x), (here.picture, together), (here.gradient, together)):
        for one, answer in zip(batch, ask(batch), strict=True):
            np.testing.assert_allclose(answer, ask(one), rtol=1e-4, atol=1e-4)
    assert here.loss(together) == pytest.approx(sum(here.loss(z) for z in together), rel=1e-5)


def test_coefficients_changed_in_place_are_others():
    here = fourier((4, 4))
    z = coefficients((4, 4))
    before = here.picture(z)
    z *= 2
    np.testing.assert_allclose(here.picture(z), fourier((4, 4)).picture(z))
    assert np.abs(here.picture(z) - before).max() > 1


def test_the_draws_go_to_the_pictures_own_evaluator():
    bowl = Bowl(np.zeros((2, 2, 3)))
    FourierEvaluator(bowl, 2, 2).draw(7)
    assert bowl.draws_used == [7]
