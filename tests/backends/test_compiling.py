"""The same loss and gradient on every installed backend, whatever the user's Keras configuration says."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import BACKENDS

from dreamscripts.losses.build import build_loss
from dreamscripts.networks.network import load_network
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.schema import Settings

FEATURES = {"block2_conv1": 0.1, "block3_conv1": 0.02}

ONE_PASS = """
import sys
import keras, numpy as np
from dreamscripts import Evaluator, Settings, load_network
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.layers import LayerDirections
from dreamscripts.backends.host import device, versions

assert keras.config.image_data_format() == "channels_first" and keras.config.floatx() == "float16"
x = np.load("x.npy")
settings = Settings(features={features}, penalties=dict(continuity=0.1, dream_l2=0.5, diversity=0.3))
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
names = [f"{what} {number}" for number in range(4) for what in ("loss", "gradient")]
np.savez("answer.npz", **dict(zip(names, sum(answers, ()), strict=True)))
assert keras.config.image_data_format() == "channels_first" and keras.config.floatx() == "float16"
assert keras.backend.backend() in versions() and device()
"""


@pytest.fixture(scope="module")
def expected():
    """Two pictures, and the answers of the backend here."""
    x = np.random.default_rng(0).normal(0, 50, (2, 32, 40, 3))
    settings = Settings(features=FEATURES, penalties={"continuity": 0.1, "dream_l2": 0.5, "diversity": 0.3})
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
def test_loss_and_gradient_do_not_depend_on_backend_or_configuration(backend, expected, tmp_path):
    """By the terms of a settings file, and by one that is asked of other channels in between."""
    x, answers = expected
    (tmp_path / "keras.json").write_text(
        json.dumps({"image_data_format": "channels_first", "floatx": "float16", "backend": "tensorflow"})
    )
    np.save(tmp_path / "x.npy", x)
    environment = os.environ | {"KERAS_BACKEND": backend, "KERAS_HOME": str(tmp_path)}
    program = ONE_PASS.replace("{features}", repr(FEATURES))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    there = np.load(tmp_path / "answer.npz")
    for number, (loss, gradient) in enumerate(answers):
        assert there[f"loss {number}"] == pytest.approx(loss, rel=1e-5)
        assert np.linalg.norm(there[f"gradient {number}"] - gradient) <= 1e-4 * np.linalg.norm(gradient)


def test_xla_gives_the_same_numbers(rng):
    x = rng.normal(0, 50, (32, 40, 3))
    network = load_network("pocket", layers=FEATURES)
    loss = build_loss(Settings(features=FEATURES), network)
    plain, xla = (Evaluator(network, loss, xla=choice) for choice in (False, True))
    assert xla.loss(x) == pytest.approx(plain.loss(x), rel=1e-5)
    np.testing.assert_allclose(xla.gradient(x), plain.gradient(x), atol=1e-4 * np.abs(plain.gradient(x)).max())
