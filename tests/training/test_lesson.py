"""The loss of a student, against NumPy; its gradient, against finite differences; both on every backend."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import BACKENDS
from small_teachers import LAYERS, as_network, chain, filled

from dreamscripts.backends.training import compile_step
from dreamscripts.training.lesson import Lesson, cosine
from dreamscripts.training.projections import make_projections as made_projections
from dreamscripts.training.student import narrow

SIZES = {"conv2": np.linspace(0.5, 2, 12, dtype=np.float32), "conv3": np.linspace(1, 3, 16, dtype=np.float32)}


def make_projections(teacher, student):
    """Projections with random weights."""
    made = made_projections(teacher, student)
    for seed, projection in enumerate(made.values()):
        rng = np.random.default_rng(seed)
        projection.set_weights([rng.normal(0, 0.5, weight.shape) for weight in projection.get_weights()])
    return made


def tiny(channels: int, seed: int):
    """A network of two layers, with random weights: a convolution with stride 2 and a ReLU, and one without."""
    inputs = keras.Input((None, None, 3), name="picture")
    x = LAYERS.Conv2D(channels, 3, strides=2, activation="relu", name="first")(inputs)
    x = LAYERS.Conv2D(channels + 1, 2, name="second")(x)
    model = filled(keras.Model(inputs, x, name="tiny"))
    rng = np.random.default_rng(seed)
    for layer in model.layers[1:]:
        layer.set_weights([rng.normal(0, 0.4, weight.shape) for weight in layer.get_weights()])
    return as_network(model, "first", "second")


def features(network, x):
    """The features of `tiny`, in NumPy and float64."""

    def convolved(x, layer, stride):
        kernel, bias = (weight.astype(np.float64) for weight in network.model.get_layer(layer).get_weights())
        side = len(kernel)
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
        return np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias

    first = convolved(x, "first", 2).clip(0)
    return {"first": first, "second": convolved(first, "second", 1)}


def energies(network, x):
    return {layer: (f**2).mean(axis=-1) for layer, f in features(network, x).items()}


def pixel_gradient(network, x, weights):
    """The gradient of the weighted energies, by central differences. The means are constants."""
    means = {layer: e.mean() for layer, e in energies(network, x).items()}

    def value(x):
        return sum(
            (weights[:, i] * (e / means[layer]).sum(axis=(1, 2))).sum()
            for i, (layer, e) in enumerate(energies(network, x).items())
        )

    gradient, step = np.zeros_like(x), 1e-4
    for place in np.ndindex(*x.shape):
        d = np.zeros_like(x)
        d[place] = step
        gradient[place] = (value(x + d) - value(x - d)) / (2 * step)
    return gradient


def averaged(g, scale):
    n, h, w, c = g.shape
    inside = g[:, : h // scale * scale, : w // scale * scale]
    return inside.reshape(n, h // scale, scale, w // scale, scale, c).mean(axis=(2, 4)).reshape(n, -1)


def test_the_loss_is_that_of_its_formulas():
    rng = np.random.default_rng(0)
    teacher, student = tiny(6, 1), tiny(3, 2)
    x = rng.normal(0, 2, (2, 10, 10, 3))
    weights = np.array([[1, 0], [0.3, 0.7]])
    sizes = {"first": rng.uniform(1, 2, 6).astype(np.float32), "second": rng.uniform(1, 2, 7).astype(np.float32)}
    lesson = Lesson(teacher, student, make_projections(teacher, student), sizes)
    loss, answers = lesson.loss(
        keras.ops.convert_to_tensor(x, "float32"), keras.ops.convert_to_tensor(weights, "float32"), training=False
    )

    of_teacher, of_student = features(teacher, x), features(student, x)
    hints = 0
    for layer, projection in lesson.projections.items():
        kernel, bias = projection.get_weights()
        hints += ((of_student[layer] @ kernel + bias - of_teacher[layer] / sizes[layer]) ** 2).mean()
    quiet = 1e-3
    relative = 0
    for layer, e in energies(student, x).items():
        t = energies(teacher, x)[layer]
        relative += ((np.sqrt(e / e.mean() + quiet) - np.sqrt(t / t.mean() + quiet)) ** 2).mean()
    own, theirs = pixel_gradient(student, x, weights), pixel_gradient(teacher, x, weights)
    direction = 0
    for scale in (1, 2, 4):
        a, b = averaged(own, scale), averaged(theirs, scale)
        cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        direction += 2 * (1 - cosines).mean()
    np.testing.assert_allclose(answers.parts, [hints, relative, direction], rtol=1e-4)
    np.testing.assert_allclose(loss, hints + relative + direction, rtol=1e-4)
    np.testing.assert_allclose(answers.students, own, rtol=1e-3, atol=1e-4 * np.abs(own).max())
    np.testing.assert_allclose(answers.teachers, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_the_cosine_of_gradients():
    a = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 8, 8, 3)), "float32")
    for scale in (1, 2, 4):
        np.testing.assert_allclose(cosine(a, 5 * a, scale), 1, rtol=1e-5)
        np.testing.assert_allclose(cosine(a, -a, scale), -1, rtol=1e-5)
    np.testing.assert_allclose(cosine(a, 0 * a), 0)


def descent(training, smooth):
    """A step of plain gradient descent: the loss, the gradients, the statistics after it, and the slope of the loss.

    `training` is whether batch normalisation uses the statistics of the pictures. The slope is that along the gradient,
    by a central difference. The network must be smooth for it, because the direction of a gradient jumps where a ReLU
    begins or another maximum is taken.
    """
    teacher = as_network(chain("softplus", LAYERS.AveragePooling2D) if smooth else chain(), "conv2", "conv3")
    student = replace(teacher, model=narrow(teacher, 0.5, 0, normalised=True))
    lesson = Lesson(teacher, student, make_projections(teacher, student), SIZES)
    x = np.random.default_rng(3).normal(0, 2, (4, 24, 24, 3)).astype(np.float32)
    # One layer only for the slope: the mean energies by which layers are divided are constants for the gradient.
    weights = np.array([[0, 1]] * 4 if smooth else [[1, 0], [0, 1], [0.5, 0.5], [0.2, 0.8]])
    weights = weights.astype(np.float32)
    rate, apart = 1e-3, 1e-3

    def step_of(rate):
        return compile_step(
            lambda x, weights: lesson.loss(x, weights, training=training),
            lesson.variables,
            keras.optimizers.SGD(rate),
        )

    def values():
        return [keras.ops.convert_to_numpy(variable.value) for variable in lesson.trained]

    before = values()
    loss = float(step_of(rate)(x, weights)[0])
    after = values()
    trains = [variable.trainable for variable in lesson.trained]
    gradients = [(old - new) / rate * train for train, old, new in zip(trains, before, after, strict=True)]
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    probe, losses = step_of(0.0), []
    for sign in (1, -1):
        for variable, old, gradient in zip(lesson.trained, before, gradients, strict=True):
            variable.assign(old + sign * apart * gradient / norm)
        losses.append(float(probe(x, weights)[0]))
    statistics = [new - old for train, old, new in zip(trains, before, after, strict=True) if not train]
    return loss, gradients, statistics, norm, (losses[0] - losses[1]) / (2 * apart)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_of_the_loss_is_that_of_finite_differences(training):
    _, _, statistics, norm, slope = descent(training, smooth=True)
    assert norm > 0.1
    np.testing.assert_allclose(slope, norm, rtol=0.02)
    assert any(change.any() for change in statistics) is training


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_is_the_same_on_every_backend(backend, on_backend):
    loss, gradients, statistics, *_ = descent(True, smooth=False)
    found_loss, found_gradients, found_statistics, *_ = on_backend(backend, descent, True, False)
    np.testing.assert_allclose(found_loss, loss, rtol=1e-4)
    for one, other in zip(found_gradients + found_statistics, gradients + statistics, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.02, atol=2e-3 * np.abs(other).max() + 1e-6)


def weights_copied():
    """Whether a step copied weights of the teacher, for each of them."""
    teacher = as_network(chain(), "conv2", "conv3")
    student = replace(teacher, model=narrow(teacher, 0.5, 0, normalised=True))
    lesson = Lesson(teacher, student, make_projections(teacher, student), SIZES)
    step = compile_step(
        lambda x, weights: lesson.loss(x, weights, training=True), lesson.variables, keras.optimizers.SGD()
    )
    before = [variable.value for variable in teacher.model.variables]
    step(np.ones((4, 24, 24, 3), np.float32), np.ones((4, 2), np.float32))
    return [variable.value is not old for variable, old in zip(teacher.model.variables, before, strict=True)]


@pytest.mark.skipif("jax" not in BACKENDS, reason="JAX is not installed")
def test_a_step_with_jax_copies_only_what_it_changes(on_backend):
    assert not any(on_backend("jax", weights_copied))
