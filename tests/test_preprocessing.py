import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dreamscripts.networks.applications import CLASSES, PREPROCESSING
from dreamscripts.preprocessing import PREPROCESSINGS

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
    ours = PREPROCESSINGS[PREPROCESSING[network]].enter(picture)
    np.testing.assert_allclose(ours, np.asarray(theirs)[0], rtol=1e-5, atol=1e-4)


def test_every_family_of_keras_applications_is_there():
    classes = {name for name in dir(keras.applications) if name[0].isupper()}
    mobile_v3 = {"MobileNetV3Small", "MobileNetV3Large"}
    assert set(CLASSES.values()) == classes | mobile_v3


@pytest.mark.parametrize("name", PREPROCESSINGS)
@given(picture=arrays(np.float32, (4, 5, 3), elements=st.floats(0, 255, width=32)))
def test_undoing_it_is_exact(name, picture):
    preprocessing = PREPROCESSINGS[name]
    np.testing.assert_allclose(preprocessing.undo(preprocessing.enter(picture)), picture, atol=2e-5)


def test_undoing_clips_to_the_valid_range():
    for preprocessing in PREPROCESSINGS.values():
        wild = preprocessing.enter(np.array([[[-50.0, 128, 900]]]))
        np.testing.assert_allclose(preprocessing.undo(wild), [[[0, 128, 255]]], atol=1e-4)
