import keras
import numpy as np
import pytest

from dreamscripts.errors import PictureError
from dreamscripts.networks.cut import cut
from dreamscripts.networks.layers import describe_layers, feature_shapes, least_side
from dreamscripts.networks.loading import build, load_network


def facts_of(model):
    return {facts.name: facts for facts in describe_layers(model)}


def test_vgg16_sees_what_the_literature_says():
    facts = facts_of(build("vgg16"))
    assert [facts[f"block{b}_pool"].receptive_field for b in range(1, 6)] == [6, 16, 44, 100, 212]
    assert [facts[f"block{b}_pool"].stride for b in range(1, 6)] == [2, 4, 8, 16, 32]
    assert (facts["block4_conv1"].kind, facts["block4_conv1"].channels) == ("Conv2D", 512)
    assert len(facts) == 18


@pytest.mark.parametrize(
    ("network", "layer", "field"),
    [
        ("inception_v3", "mixed10", 1311),
        ("inception_resnet_v2", "conv_7b", 3039),
        ("mobilenet", "conv_pw_13_relu", 315),
    ],
)
def test_fields_are_those_of_the_table_in_computing_receptive_fields(network, layer, field):
    """A. Araujo, W. Norris and J. Sim, Distill 2019. Their kernels of 1×7 and 7×1 count once along each axis."""
    assert facts_of(build(network))[layer].receptive_field == field


def test_a_receptive_field_is_what_one_output_answers_to():
    """Nudge single pixels of a network whose every weight is positive, and see which ones move the middle output."""
    layers = keras.layers
    positive = {"kernel_initializer": "ones", "padding": "same"}
    x = inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(2, 3, name="a", **positive)(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same", name="b")(x)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, depthwise_initializer="ones", padding="same", name="c")(x)
    y = layers.Conv2D(2, 5, name="d", **positive)(x)
    z = layers.Conv2D(2, 1, name="e", **positive)(x)
    x = layers.Concatenate(name="f")([z, y])
    x = layers.Conv2D(1, 3, strides=2, name="g", **positive)(x)
    whole = keras.Model(inputs, x)
    facts = facts_of(whole)
    for name in "abcdefg":
        model = keras.Model(inputs, whole.get_layer(name).output)
        pictures = np.zeros((65, 65, 65, 3), np.float32)
        pictures[np.arange(65), np.arange(65), 32] = 1  # each with one pixel lit, down the middle column
        answers = model.predict(pictures, verbose=0)[:, :, :, -1]
        middle = answers.shape[1] // 2
        moved = answers[:, middle, :].max(axis=1) > 0
        assert moved.sum() == facts[name].receptive_field, name
        assert facts[name].stride == round(65 / answers.shape[1])


def test_gates_that_see_everything_are_not_listed():
    names = facts_of(build("efficientnet_b0"))
    assert "block2a_project_conv" in names
    assert not any("se_reduce" in name for name in names)


@pytest.mark.parametrize(
    ("name", "layer"), [("pocket", "block5_conv1"), ("squeezenet", "fire4"), ("inception_v3", "mixed2")]
)
def test_the_least_side_is_the_least_side(name, layer):
    model = cut(build(name), [layer], name)
    least = least_side(model)
    enough, too_small = feature_shapes(model, least, least), feature_shapes(model, least - 1, least)
    assert min(enough[layer][:2]) == 5
    assert too_small is None


def test_a_picture_that_is_too_small_is_refused_with_the_least_size():
    network = load_network("pocket", layers=["block5_conv3"])
    network.check_size(80, 80)
    with pytest.raises(PictureError, match=r"200×79 is too small for pocket at block5_conv3.*at least 80 pixels"):
        network.check_size(79, 200)


def test_multiplications_are_those_of_the_convolutions():
    model = load_network("vgg16", "random", ["block4_conv3"])
    counted = 0
    side = 64
    for layer in model.model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            counted += side**2 * layer.kernel.shape[2] * layer.kernel.shape[3] * 9
        elif isinstance(layer, keras.layers.MaxPooling2D):
            side //= 2
    assert model.multiplications(64, 64) == counted
