"""The same loss and gradient on every installed backend, whatever the user's Keras configuration says."""

import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import keras
import numpy as np
import pytest
from conftest import BACKENDS

from dreamscripts.backends import host
from dreamscripts.backends.compiling import compile_pass
from dreamscripts.backends.host import device, versions
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.layers import LayerDirections
from dreamscripts.networks.loading import load_network
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.schema import Settings

FEATURES = {"block2_conv1": 0.1, "block3_conv1": 0.02}

PENALTIES = {"continuity": 0.1, "dream_l2": 0.5, "diversity": 0.3}


def four_passes(x):
    """Losses and gradients of an array, of the same tensor, and twice of a term that is given other channels."""
    configuration = keras.config.image_data_format(), keras.config.floatx()
    assert configuration == ("channels_first", "float16")
    settings = Settings(features=FEATURES, penalties=PENALTIES)
    network = load_network("pocket", layers=settings.features)
    evaluator = Evaluator(network, build_loss(settings, network))
    answers = [(evaluator.loss(x), evaluator.gradient(x))]
    tensor = keras.ops.convert_to_tensor(x, "float32")
    answers.append((evaluator.loss(tensor), keras.ops.convert_to_numpy(evaluator.gradient(tensor))))

    network = load_network("pocket", layers=["block2_conv1_pre_relu"])
    directions = keras.Variable(np.zeros((2, 32)), trainable=False, dtype="float32")
    evaluator = Evaluator(network, LayerDirections("block2_conv1_pre_relu", directions))
    for channels in ([3, 8], [20, 3]):
        directions.assign(np.eye(32, dtype="float32")[channels])
        evaluator.reset()
        answers.append((evaluator.loss(x), evaluator.gradient(x)))
    assert (keras.config.image_data_format(), keras.config.floatx()) == configuration
    assert keras.backend.backend() in versions()
    assert device()
    return answers


@pytest.fixture(scope="module")
def expected():
    """Two pictures, and the answers of the backend here."""
    x = np.random.default_rng(0).normal(0, 50, (2, 32, 40, 3))
    settings = Settings(features=FEATURES, penalties=PENALTIES)
    network = load_network("pocket", layers=FEATURES)
    evaluator = Evaluator(network, build_loss(settings, network))
    answers = [(evaluator.loss(x), evaluator.gradient(x))] * 2  # of an array, and of a tensor
    network = load_network("pocket", layers=["block2_conv1_pre_relu"])
    for channels in ((3, 8), (20, 3)):  # each of the two pictures has one of its own
        loss, gradient = 0, np.zeros(x.shape)
        for picture, channel in enumerate(channels):
            feature = {"weight": 1, "measure": "mean", "channels": [channel]}
            one = Evaluator(network, build_loss(Settings(features={"block2_conv1_pre_relu": feature}), network))
            loss += one.loss(x[picture])
            gradient[picture] = one.gradient(x[picture])
        answers.append((loss, gradient))
    return x, answers


@pytest.mark.parametrize("backend", BACKENDS)
def test_loss_and_gradient_do_not_depend_on_backend_or_configuration(backend, expected, on_backend):
    """By the terms of a settings file, and by one that is asked of other channels in between."""
    x, answers = expected
    for (there, slope), (loss, gradient) in zip(on_backend(backend, four_passes, x), answers, strict=True):
        assert there == pytest.approx(loss, rel=1e-5)
        assert np.linalg.norm(slope - gradient) <= 1e-4 * np.linalg.norm(gradient)


def test_xla_gives_the_same_numbers(rng):
    x = rng.normal(0, 50, (32, 40, 3))
    network = load_network("pocket", layers=FEATURES)
    loss = build_loss(Settings(features=FEATURES), network)
    plain, xla = (Evaluator(network, loss, xla=choice) for choice in (False, True))
    assert xla.loss(x) == pytest.approx(plain.loss(x), rel=1e-5)
    np.testing.assert_allclose(xla.gradient(x), plain.gradient(x), atol=1e-4 * np.abs(plain.gradient(x)).max())


def tf32_allowed():
    """What the backend is told about TF32 in this thread."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.tensor_float_32_execution_enabled()
    if keras.backend.backend() == "jax":
        import jax

        return {"tensorfloat32": True, "float32": False}.get(jax.config.jax_default_matmul_precision)
    import torch

    flags = {torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32}
    return flags.pop() if len(flags) == 1 else None


def two_precisions():
    """Whether TF32 was allowed before, within two passes that run in threads, with it and without, and after them."""

    def allowed_within(tf32):
        found = []

        def terms(x):
            found.append(tf32_allowed())
            time.sleep(0.05)  # for the other thread
            found.append(tf32_allowed())
            return keras.ops.reshape(keras.ops.sum(x), (1,))

        compile_pass(terms, [], xla=False, tf32=tf32)(np.ones((1, 2, 3, 3), np.float32))
        return set(found)

    before = tf32_allowed()
    with patch.object(host.backend(), "gpu_name", lambda: "a GPU"), ThreadPoolExecutor(2) as threads:
        with_tf32, without = threads.map(allowed_within, (True, False))
    return before, with_tf32, without, tf32_allowed()


@pytest.mark.parametrize("backend", BACKENDS)
def test_precision_is_that_of_a_pass_and_leaves_the_process_alone(backend, on_backend):
    before, with_tf32, without, after = on_backend(backend, two_precisions)
    assert (with_tf32, without) == ({True}, {False})
    assert before == after
