import numpy as np
import pytest
from conftest import changed
from keras import ops

from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.rewrite.bfloat16 import in_bfloat16


@pytest.mark.parametrize(("name", "layer"), [("pocket", "block4_conv3"), ("squeezenet", "fire5")])
def test_layers_compute_in_bfloat16_from_the_same_weights(name, layer, rng):
    network = load_network(name, None if name == "pocket" else "random", [layer])
    model = in_bfloat16(network.model)
    assert {one.compute_dtype for one in model.layers[1:]} == {"bfloat16"}  # the first is the way in
    for one, other in zip(model.weights, network.model.weights, strict=True):
        assert one.dtype == "float32"
        np.testing.assert_array_equal(one, other)
    x = rng.normal(0, 50, (1, 45, 50, 3)).astype(np.float32)
    expected, features = (ops.convert_to_numpy(ops.cast(one(x)[layer], "float32")) for one in (network.model, model))
    error = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert 1e-4 < error < 0.05  # of 8 bits, over a dozen layers


def test_the_loss_and_the_picture_stay_in_float32(settings, picture):
    """The penalties see digits of the picture that bfloat16 has not, and the gradient comes in float32."""
    settings = changed(settings, precision="mixed_bfloat16", jitter={"noise": 0})
    network = open_network(settings)
    x = network.preprocessing.normalise(picture).astype(np.float32)
    evaluator = build_evaluator(network, settings, *picture.shape[:2])
    assert evaluator.gradient(x).dtype == np.float32
    before = evaluator.terms(x)["dream_l2"]
    assert before == pytest.approx(0.02 * (x.astype(np.float64) ** 2).mean(), rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "tf32", "mixed_bfloat16"])
def test_what_is_for_gpus_is_said_on_a_cpu(precision, settings, caplog):
    open_network(changed(settings, precision=precision))
    assert [precision in record.getMessage() for record in caplog.records] == [True] * (precision != "float32")
