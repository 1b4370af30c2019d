"""Which layers are taught if nobody names them, and how often each is in the gradient."""

import keras
import numpy as np
import pytest
from small_teachers import LAYERS, branched, chain

from dreamscripts.errors import NetworkError
from dreamscripts.networks.loading import build
from dreamscripts.training.taught_layers import shares, taught_layers

VGG16 = [
    *("block2_conv1", "block2_conv2", "block3_conv1", "block3_conv2", "block3_conv3"),
    *("block4_conv1", "block4_conv2", "block4_conv3", "block5_conv1", "block5_conv2", "block5_conv3"),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", VGG16),
        ("pocket", VGG16),
        ("squeezenet", ["relu_conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire8", "fire9"]),
        ("resnet50", ["conv1_relu", *(f"conv{b}_block{i}_out" for b, i in [(2, 1), (2, 2), (2, 3)])]),
    ],
)
def test_the_choice_for_known_networks(name, expected):
    assert taught_layers(build(name), name, None, None)[: len(expected)] == expected


def test_the_choice_for_inception_is_the_outputs_of_its_blocks():
    chosen = taught_layers(build("inception_v3"), "inception_v3", None, "mixed7")
    assert chosen[-6:] == ["mixed0", "mixed1", "mixed2", "mixed4", "mixed5", "mixed7"]


def test_the_choice_for_models_of_ones_own():
    assert taught_layers(branched(), "own", None, None) == ["joined", "block", "top"]
    assert taught_layers(chain(), "own", None, None) == ["conv2", "conv3"]
    x = inputs = keras.Input((None, None, 3))
    for i in range(3):
        x = LAYERS.Conv2D(8, 3, padding="same", name=f"conv{i}")(x)
    linear = keras.Model(inputs, x)
    assert taught_layers(linear, "own", None, None) == ["conv0", "conv1", "conv2"]


def test_layers_may_be_named_in_any_order_or_up_to_one():
    model = build("vgg16")
    assert taught_layers(model, "vgg16", ["block3_conv1", "block1_conv2"], None) == ["block1_conv2", "block3_conv1"]
    assert taught_layers(model, "vgg16", None, "block3_conv2") == VGG16[:4]
    assert taught_layers(model, "vgg16", None, "block2_pool")[-1] == "block2_pool"


def test_an_unknown_layer_is_refused_with_a_suggestion():
    with pytest.raises(NetworkError, match="own has no layer 'conv4' \\(did you mean 'conv1'\\?\\) to teach"):
        taught_layers(chain(), "own", ["conv4"], None)
    with pytest.raises(NetworkError, match="own has no layer 'blok'"):
        taught_layers(branched(), "own", None, "blok")


def test_a_model_without_convolutions_is_refused():
    inputs = keras.Input((None, None, 3))
    with pytest.raises(NetworkError, match="own: has no convolution"):
        taught_layers(keras.Model(inputs, LAYERS.ReLU()(inputs)), "own", None, None)


def test_deeper_layers_are_in_the_gradient_more_often():
    found = shares(build("vgg16"), ["block1_conv2", "block2_conv2", "block3_conv1", "block5_conv1"])
    np.testing.assert_allclose(found, np.array([0.5, 1, 2, 4]) / 7.5)
