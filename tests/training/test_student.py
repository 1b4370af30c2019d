"""The student: the names, kinds and widths of its layers, and the folding of its batch normalisation."""

import keras
import numpy as np
import pytest
from small_teachers import LAYERS, as_network, branched, chain

from dreamscripts.errors import NetworkError
from dreamscripts.networks.loading import load_network
from dreamscripts.training.student import CONVOLUTION, narrow, narrowed, without_normalisation


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        (64, 0.25, 16),
        (512, 0.25, 128),
        (96, 0.3, 28),
        (16, 0.1, 4),
        (3, 0.25, 3),
        (10, 1, 8),
        (64, 1, 64),
    ],
)
def test_channels_are_a_multiple_of_four_and_no_more_than_those_of_the_teacher(channels, width, expected):
    assert narrowed(channels, width) == expected


@pytest.mark.parametrize(
    ("name", "layers", "expected"),
    [
        ("vgg16", ["block5_conv3"], {"block1_conv1": (3, 3, 3, 16), "block5_conv3": (3, 3, 128, 128)}),
        ("squeezenet", ["fire9"], {"fire2_squeeze1x1": (1, 1, 16, 4), "fire9_expand3x3": (3, 3, 16, 64)}),
        ("inception_v3", ["mixed3"], {"conv2d": (3, 3, 3, 8), "conv2d_26": (3, 3, 72, 96)}),
    ],
)
def test_a_student_has_the_layers_of_its_teacher_with_fewer_channels(name, layers, expected):
    teacher = load_network(name, "random", layers)
    student = narrow(teacher, 0.25, 0, normalised=False)
    assert [layer.name for layer in student.layers] == [layer.name for layer in teacher.model.layers]
    assert [type(layer) for layer in student.layers] == [type(layer) for layer in teacher.model.layers]
    assert list(student.output) == list(teacher.model.output)
    assert {layer: student.get_layer(layer).kernel.shape for layer in expected} == expected
    assert teacher.model.count_params() / 20 < student.count_params() < teacher.model.count_params() / 12


def test_a_student_of_a_model_with_branches_keeps_its_preprocessing_and_its_joins():
    teacher = as_network(branched(), "joined", "top")
    student = narrow(teacher, 0.5, 3, normalised=False)
    shapes = {layer.name: layer.output.shape[-1] for layer in student.layers}
    assert shapes == {
        **{"picture": 3, "rescaled": 3, "stem": 8, "left": 4, "right": 12, "joined": 16, "shortcut": 8},
        **{"inner": 8, "inner_norm": 8, "inner_relu": 8, "last_conv": 8, "sum": 8, "block": 8, "pool": 8},
        **{"depthwise": 8, "top": 16},
    }
    assert student.get_layer("rescaled").scale == teacher.model.get_layer("rescaled").scale
    again, other = narrow(teacher, 0.5, 3, normalised=False), narrow(teacher, 0.5, 4, normalised=False)
    assert np.array_equal(student.get_layer("stem").kernel, again.get_layer("stem").kernel)
    assert not np.array_equal(student.get_layer("stem").kernel, other.get_layer("stem").kernel)


def test_groups_of_a_convolution_and_layers_before_the_first_convolution():
    x = inputs = keras.Input((None, None, 3))
    x = LAYERS.BatchNormalization(name="input_norm")(x)
    x = LAYERS.Conv2D(32, 3, activation="relu", name="first")(x)
    x = LAYERS.Conv2D(32, 3, groups=16, name="grouped")(x)
    x = LAYERS.GroupNormalization(8, name="group_norm")(x)
    model = keras.Model(inputs, x, name="grouped")
    model.get_layer("input_norm").set_weights([np.full(3, value) for value in (2.0, 1.0, 0.5, 4.0)])
    student = narrow(as_network(model, "group_norm"), 0.25, 0, normalised=True)
    assert student.get_layer("grouped" + CONVOLUTION).groups == 8
    assert student.get_layer("grouped" + CONVOLUTION).kernel.shape == (3, 3, 1, 8)
    assert student.get_layer("group_norm").groups == 8
    assert [w[0] for w in student.get_layer("input_norm").get_weights()] == [2, 1, 0.5, 4]
    assert not student.get_layer("input_norm").trainable_weights


@pytest.mark.parametrize("build", [chain, branched])
def test_folding_the_normalisation_does_not_change_the_features(build, rng):
    model = build()
    layers = ["conv2", "conv3"] if model.name == "chain" else ["joined", "block", "top"]
    teacher = as_network(model, *layers)
    student = narrow(teacher, 0.5, 0, normalised=True)
    x = rng.normal(0, 60, (2, 24, 32, 3)).astype(np.float32)
    for _ in range(20):
        student(x, training=True)  # the statistics of the normalisation become those of the pictures
    plain = without_normalisation(student, teacher, 0.5)
    assert [layer.name for layer in plain.layers] == [layer.name for layer in teacher.model.layers]
    for layer, expected in student(x, training=False).items():
        np.testing.assert_allclose(plain(x)[layer], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_network_that_depends_on_its_number_of_channels_is_refused_by_name():
    x = inputs = keras.Input((None, None, 3))
    x = LAYERS.Conv2D(8, 3, activation="relu", name="first")(x)
    x = x * np.ones(8, np.float32)
    x = LAYERS.Conv2D(8, 3, name="second")(x)
    refused = r"own: a narrow copy cannot be made: the layer 'multiply(_\d+)?' cannot be computed"
    with pytest.raises(NetworkError, match=refused):
        narrow(as_network(keras.Model(inputs, x, name="own"), "second"), 0.5, 0, normalised=True)


def test_a_network_without_convolutions_is_refused():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, LAYERS.MaxPooling2D(2, name="pool")(inputs), name="own")
    with pytest.raises(NetworkError, match="own: has no convolution, so it cannot teach"):
        narrow(as_network(model, "pool"), 0.5, 0, normalised=True)
