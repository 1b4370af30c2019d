from functools import partial

import keras
import numpy as np
import pytest
from conftest import BACKENDS, changed
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.signal import correlate

from dreamscripts.backends import compiling
from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.rewrite.winograd import WinogradConv2D, convolve, gain, transform_filter, with_winograd

sides = st.integers(1, 14)
channels = st.integers(1, 3)


def correlation(x, kernel, padding):
    """The convolution of networks in float64, by SciPy: the sum over channels of correlations."""
    x = np.pad(x.astype(np.float64), ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
    return np.stack(
        [
            np.stack([correlate(one, kernel[..., o], "valid")[..., 0] for o in range(kernel.shape[-1])], axis=-1)
            for one in x
        ]
    )


@given(sides, sides, channels, channels, st.integers(1, 2), st.integers(0, 2), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_it_is_the_convolution(height, width, c, o, count, padding, seed):
    rng = np.random.default_rng(seed)
    height, width = height + 2, width + 2  # the least without padding
    x = rng.normal(size=(count, height, width, c)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, c, o)).astype(np.float32)
    y = ops.convert_to_numpy(convolve(ops.convert_to_tensor(x), transform_filter(kernel), padding))
    np.testing.assert_allclose(y, correlation(x, kernel, padding), rtol=0, atol=1e-4)


@pytest.fixture(params=["same", "valid"])
def pair(request, rng):
    """A plain convolution and what stands in for it, in models of one layer."""
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(12, 3, padding=request.param, activation="tanh", name="conv")
    plain = keras.Model(inputs, layer(inputs))
    layer.set_weights([rng.normal(size=(3, 3, 3, 12)) / 5, rng.normal(size=12)])
    return plain, with_winograd(plain, 0)


def waves(model, x):
    return ops.stack([ops.sum(ops.sin(model(x)))])


def test_values_and_gradients_are_those_of_the_plain_layer(pair, rng):
    x = rng.normal(size=(2, 13, 18, 3)).astype(np.float32)
    answers = []
    for model in pair:
        run = compiling.compile_pass(partial(waves, model), model.variables, False)
        answers.append(run(x))
    (loss, gradient), (other_loss, other_gradient) = [map(ops.convert_to_numpy, answer) for answer in answers]
    np.testing.assert_allclose(other_loss, loss, rtol=1e-5)
    np.testing.assert_allclose(other_gradient, gradient, rtol=0, atol=1e-5 * np.abs(gradient).max())


def test_its_filters_are_no_constants(pair):
    """They may be assigned after the pass has been compiled."""
    _, model = pair
    run = compiling.compile_pass(lambda x: ops.stack([ops.sum(model(x))]), model.variables, False)
    x = np.ones((1, 8, 8, 3), np.float32)
    before = float(run(x)[0][0])
    model.get_layer("conv").set_weights([0 * weight for weight in model.get_layer("conv").get_weights()])
    assert before != 0
    assert float(run(x)[0][0]) == 0


def test_what_it_may_replace():
    inputs = keras.Input((None, None, 64))

    def of(layer=keras.layers.Conv2D, filters=64, size=3, **options):
        layer = layer(filters, size, **options)
        layer(inputs)
        return gain(layer)

    assert of() == 32
    assert of(filters=192) == 48
    assert of(padding="same") == 32
    for other in ({"size": 5}, {"size": (3, 1)}, {"strides": 2}, {"dilation_rate": 2}, {"groups": 2}):
        assert of(**other) == 0
    assert of(keras.layers.Conv2DTranspose) == 0
    assert gain(keras.layers.ReLU()) == 0


def replaced(settings):
    model = build_evaluator(open_network(settings), settings, 64, 64).network.model
    return {layer.name for layer in model.layers if isinstance(layer, WinogradConv2D)}


def test_settings_say_which(settings):
    chosen = changed(settings, network="vgg16", weights="random", features={"block3_conv2": 1})
    every = {f"block{block}_conv{i}" for block, i in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2))}
    assert replaced(changed(chosen, convolutions="direct")) == set()
    assert replaced(changed(chosen, convolutions="winograd")) == every
    assert replaced(chosen) == {"block2_conv2", "block3_conv1", "block3_conv2"}


@pytest.mark.parametrize(
    ("name", "layer"), [("vgg16", "block3_conv2"), ("squeezenet", "fire5"), ("resnet50", "conv2_block2_out")]
)
def test_a_network_gives_the_same_features(name, layer, rng):
    network = load_network(name, "random", [layer])
    model = with_winograd(network.model, 0)
    assert any(isinstance(one, WinogradConv2D) for one in model.layers)
    x = rng.normal(0, 50, (1, 45, 50, 3)).astype(np.float32)
    expected, features = (ops.convert_to_numpy(one(x)[layer]) for one in (network.model, model))
    assert np.linalg.norm(features - expected) <= 1e-5 * np.linalg.norm(expected)


def test_multiplications_are_counted_as_before():
    network = load_network("vgg16", "random", ["block2_conv2"])
    before = network.multiplications(40, 60)
    object.__setattr__(network, "model", with_winograd(network.model, 0))
    assert network.multiplications(40, 60) == before == 40 * 60 * 9 * (3 * 64 + 64**2 + (64 * 128 + 128**2) // 4)


def one_pass(settings):
    """The loss and the gradient of a picture of noise."""
    network = open_network(settings)
    x = network.preprocessing.normalise(np.random.default_rng(0).uniform(0, 255, (40, 52, 3))).astype(np.float32)
    evaluator = build_evaluator(network, settings, 40, 52)
    return evaluator.loss(x), evaluator.gradient(x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pass_is_the_same_on_every_backend(backend, settings, on_backend):
    """The gradient may differ more than the loss, where a ReLU near 0 falls to its other side."""
    expected_loss, expected = one_pass(changed(settings, convolutions="direct"))
    loss, gradient = on_backend(backend, one_pass, changed(settings, convolutions="winograd"))
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert np.linalg.norm(gradient - expected) <= 1e-3 * np.linalg.norm(expected)
