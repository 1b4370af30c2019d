"""Layers of a student become as loud as the teacher's, and the student computes the same otherwise."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from small_teachers import LAYERS, as_network, branched, chain, filled

from dreamscripts.training.loudness import equalise
from dreamscripts.training.student import narrow


def rms(network, layer, x):
    output = network.model.get_layer(layer).output
    f = keras.Model(network.model.inputs[0], output)(x, training=False)
    return np.sqrt((np.asarray(f).astype(float) ** 2).mean())


def pair(model, *layers, width=0.5):
    teacher = as_network(model, *layers)
    student = replace(teacher, model=narrow(teacher, width, 1, normalised=False))
    for layer in student.model.layers:  # so that biases take part
        weights = layer.get_weights()
        if len(weights) == 2:
            layer.set_weights([3 * weights[0], np.linspace(-5, 5, len(weights[1]))])
    return teacher, student


def test_each_convolution_of_a_chain_is_as_loud_as_the_teachers(rng):
    teacher, student = pair(chain(), "conv3")
    x = rng.normal(0, 60, (4, 32, 32, 3)).astype(np.float32)
    before = np.asarray(student.features(x)["conv3"])
    assert abs(np.log(rms(student, "conv1", x) / rms(teacher, "conv1", x))) > 0.3
    equalise(student, teacher, [x[:2], x[2:]])
    for layer in ("conv1", "conv2", "conv3"):
        assert rms(student, layer, x) == pytest.approx(rms(teacher, layer, x), rel=1e-4)
    after = np.asarray(student.features(x)["conv3"])
    ratio = after.max() / before.max()
    np.testing.assert_allclose(after, before * ratio, rtol=1e-3, atol=1e-4 * after.max())


def test_branches_that_are_added_share_a_scale_and_others_have_their_own(rng):
    x = inputs = keras.Input((None, None, 3))
    x = LAYERS.Conv2D(16, 3, activation="relu", name="stem")(x)
    left = LAYERS.Conv2D(8, 1, activation="relu", name="left")(x)
    right = LAYERS.Conv2D(16, 1, activation="relu", name="right")(x)
    x = LAYERS.Concatenate(name="joined")([left, LAYERS.MaxPooling2D(1)(right)])
    one, other = LAYERS.Conv2D(16, 1, name="one")(x), LAYERS.Conv2D(16, 3, padding="same", name="other")(x)
    x = LAYERS.ReLU(name="block")(LAYERS.Add(name="sum")([one, other]))
    x = LAYERS.Conv2D(8, 1, name="last")(x)
    teacher, student = pair(filled(keras.Model(inputs, x, name="own")), "joined", "last")
    x = rng.normal(0, 60, (2, 24, 24, 3)).astype(np.float32)
    before = {layer: rms(student, layer, x) for layer in ("one", "other")}
    output = np.asarray(student.features(x)["last"])
    equalise(student, teacher, [x])
    for layer in ("stem", "left", "right", "last"):
        assert rms(student, layer, x) == pytest.approx(rms(teacher, layer, x), rel=1e-4)
    scales = [rms(student, layer, x) / before[layer] for layer in ("one", "other")]
    assert scales[0] == pytest.approx(scales[1], rel=1e-4)
    ratios = [rms(student, layer, x) / rms(teacher, layer, x) for layer in ("one", "other")]
    assert ratios[0] * ratios[1] == pytest.approx(1, rel=1e-3)
    after = np.asarray(student.features(x)["last"])
    np.testing.assert_allclose(after, output * (after.max() / output.max()), rtol=1e-3, atol=1e-4 * after.max())


def test_a_layer_that_another_kind_of_layer_reads_keeps_its_scale(rng):
    teacher, student = pair(branched(), "joined", "top")
    x = rng.normal(0, 60, (2, 24, 24, 3)).astype(np.float32)
    kept = {layer: rms(student, layer, x) for layer in ("inner", "last_conv", "depthwise")}
    equalise(student, teacher, [x])
    for layer, expected in kept.items():  # before a normalisation, in the group of a depthwise convolution, and that
        assert rms(student, layer, x) == pytest.approx(expected, rel=1e-4)
    for layer in ("stem", "left", "right", "top"):
        assert rms(student, layer, x) == pytest.approx(rms(teacher, layer, x), rel=1e-4)


def test_a_silent_layer_is_not_scaled(rng):
    teacher, student = pair(chain(), "conv3")
    weights = student.model.get_layer("conv2").get_weights()
    student.model.get_layer("conv2").set_weights([0 * weights[0], 0 * weights[1]])
    x = rng.normal(0, 60, (2, 24, 24, 3)).astype(np.float32)
    equalise(student, teacher, [x])
    assert all(np.isfinite(weight).all() for weight in student.model.get_weights())
