import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.networks.family import family_of
from dreamscripts.networks.zoo.applications import CLASSES

MODULES = {
    **{name: name for name in ("vgg16", "vgg19", "inception_v3", "xception", "mobilenet", "mobilenet_v2")},
    "inception_resnet_v2": "inception_resnet_v2",
    "resnet50": "resnet",
    "resnet50_v2": "resnet_v2",
    "nasnet_mobile": "nasnet",
    "densenet121": "densenet",
    "mobilenet_v3_small": "mobilenet_v3",
    "efficientnet_b0": "efficientnet",
    "efficientnet_v2_s": "efficientnet_v2",
    "convnext_tiny": "convnext",
}


@pytest.mark.parametrize("network", MODULES)
def test_a_picture_enters_as_keras_itself_would_have_it(network, picture):
    theirs = getattr(keras.applications, MODULES[network]).preprocess_input(
        picture[None].copy(), data_format="channels_last"
    )
    ours = PREPROCESSINGS[family_of(network).preprocessing].normalise(picture)
    np.testing.assert_allclose(ours, np.asarray(theirs)[0], rtol=1e-5, atol=1e-4)


def test_every_family_of_keras_applications_is_there():
    classes = {name for name in dir(keras.applications) if name[0].isupper()}
    mobile_v3 = {"MobileNetV3Small", "MobileNetV3Large"}
    assert set(CLASSES.values()) == classes | mobile_v3


@pytest.mark.parametrize("name", PREPROCESSINGS)
@given(picture=arrays(np.float32, (4, 5, 3), elements=st.floats(0, 255, width=32)))
def test_undoing_it_is_exact(name, picture):
    preprocessing = PREPROCESSINGS[name]
    np.testing.assert_allclose(preprocessing.denormalise(preprocessing.normalise(picture)), picture, atol=2e-5)


def test_undoing_clips_to_the_valid_range():
    for preprocessing in PREPROCESSINGS.values():
        wild = preprocessing.normalise(np.array([[[-50.0, 128, 900]]]))
        np.testing.assert_allclose(preprocessing.denormalise(wild), [[[0, 128, 255]]], atol=1e-4)


def visstd(a, s=0.1):
    """The feature-visualisation notebook's, which shows 0..1."""
    return (a - a.mean()) / max(a.std(), 1e-4) * s + 0.5


@pytest.mark.parametrize("name", PREPROCESSINGS)
@pytest.mark.parametrize(("middle", "spread"), [(100, 0.3), (0, 500), (-900, 40), (128, 1e-6), (128, 0)])
def test_stretched_a_picture_is_shown_as_the_notebook_shows_it(name, middle, spread, rng):
    preprocessing = PREPROCESSINGS[name]
    pixels = rng.normal(middle, spread, (9, 7, 3))
    shown = preprocessing.stretched(preprocessing.normalise(pixels))
    assert (shown.dtype, shown.shape) == (np.float32, pixels.shape)
    np.testing.assert_allclose(shown, 255 * np.clip(visstd(pixels), 0, 1), atol=1e-2)
    if spread > 0.1:
        assert (shown.mean(), shown.std()) == pytest.approx((127.5, 25.5), rel=0.01)


def test_stretched_what_is_far_from_the_mean_is_black_or_white():
    one_bright = np.zeros((9, 7, 3))
    one_bright[4, 4] = 1000
    assert PREPROCESSINGS["none"].stretched(one_bright).max() == 255
    assert PREPROCESSINGS["none"].stretched(-one_bright).min() == 0


def test_of_a_batch_each_picture_is_stretched_by_itself(rng):
    for preprocessing in PREPROCESSINGS.values():
        batch = rng.normal(100, 1, (3, 9, 7, 3)) * np.array([1, 5, 0])[:, None, None, None]
        for one, alone in zip(batch, preprocessing.stretched(batch), strict=True):
            np.testing.assert_array_equal(alone, preprocessing.stretched(one))


@pytest.mark.parametrize("name", PREPROCESSINGS)
@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5, 3)])
def test_pixels_are_the_way_back_without_a_clip(name, shape, rng):
    preprocessing = PREPROCESSINGS[name]
    pixels = rng.uniform(-500, 500, shape)
    np.testing.assert_allclose(preprocessing.pixels(preprocessing.normalise(pixels)), pixels, atol=1e-9)


@pytest.mark.parametrize("name", PREPROCESSINGS)
@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5, 3)])
def test_pulled_a_gradient_is_that_of_the_pixels(name, shape, rng):
    """Of the loss Σ g·x, by the difference that each pixel makes."""
    preprocessing = PREPROCESSINGS[name]
    g, pixels = rng.normal(0, 1, shape), rng.uniform(0, 255, shape)
    pulled = preprocessing.pull(g)
    assert pulled.shape == shape
    for place in np.ndindex(shape):
        more = pixels.copy()
        more[place] += 1
        rise = (g * (preprocessing.normalise(more) - preprocessing.normalise(pixels))).sum()
        assert pulled[place] == pytest.approx(rise, rel=1e-6, abs=1e-9)
