"""The agreement of gradients, against NumPy and with networks for which it is known."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from small_teachers import LAYERS, as_network, chain

from dreamscripts.networks.rewrite.clone import rewrite
from dreamscripts.training.agreement import Agreement
from dreamscripts.training.student import narrow


def linear(seed):
    """A network of one convolution with 1×1 kernels: the gradient of its energy is 2 K Kᵀ x at each pixel."""
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, LAYERS.Conv2D(5, 1, use_bias=False, name="conv")(inputs), name=f"linear{seed}")
    kernel = np.random.default_rng(seed).normal(size=(1, 1, 3, 5))
    model.get_layer("conv").set_weights([kernel])
    return as_network(model, "conv"), kernel[0, 0]


def test_the_agreement_is_the_mean_cosine_of_the_gradients(rng):
    (teacher, theirs), (student, own) = linear(1), linear(2)
    x = rng.normal(0, 50, (11, 16, 16, 3))
    gradients = [(x @ (kernel @ kernel.T)).reshape(11, -1) for kernel in (theirs, own)]
    products = [(a * b).sum(axis=1) for a, b in (gradients, gradients[:1] * 2, gradients[1:] * 2)]
    cosines = products[0] / np.sqrt(products[1] * products[2])
    agreement = Agreement(teacher, ["conv"], x)
    assert len(agreement) == 11
    assert agreement.measure(student)["conv"] == pytest.approx(cosines.mean(), rel=1e-4)
    assert agreement.measure(student, 3)["conv"] == pytest.approx(cosines[:3].mean(), rel=1e-4)
    assert agreement.measure(student, 10)["conv"] == pytest.approx(cosines[:10].mean(), rel=1e-4)


def test_a_teacher_agrees_with_itself_and_with_a_louder_copy_but_not_with_another_network(rng):
    teacher = as_network(chain(), "conv2", "conv3")
    x = rng.normal(0, 60, (3, 32, 32, 3)).astype(np.float32)
    agreement = Agreement(teacher, ["conv2", "conv3"], x)
    assert list(agreement.measure(teacher).values()) == pytest.approx([1, 1], rel=1e-4)
    louder = replace(teacher, model=rewrite(teacher.model))
    kernel, bias = louder.model.get_layer("conv3").get_weights()
    louder.model.get_layer("conv3").set_weights([7 * kernel, 7 * bias])
    assert list(agreement.measure(louder).values()) == pytest.approx([1, 1], rel=1e-4)
    other = replace(teacher, model=narrow(teacher, 0.5, 5, normalised=False))
    found = agreement.measure(other)
    assert list(found) == ["conv2", "conv3"]
    assert max(found.values()) < 0.6


def test_a_student_is_measured_as_it_is_now(rng):
    teacher = as_network(chain(), "conv3")
    student = replace(teacher, model=narrow(teacher, 1, 5, normalised=False))
    agreement = Agreement(teacher, ["conv3"], rng.normal(0, 60, (2, 32, 32, 3)).astype(np.float32))
    before = agreement.measure(student)["conv3"]
    for layer in student.model.layers:
        layer.set_weights(teacher.model.get_layer(layer.name).get_weights())
    assert before < 0.9 < agreement.measure(student)["conv3"]


def test_a_measurement_can_be_interrupted(rng):
    def check():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Agreement(as_network(chain(), "conv3"), ["conv3"], rng.normal(0, 60, (2, 16, 16, 3)), check)
