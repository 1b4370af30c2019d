"""What a layer computes before its ReLU: always such that the ReLU of it is the layer."""

import keras
import numpy as np
import pytest

from dreamscripts.errors import NetworkError
from dreamscripts.networks import loading
from dreamscripts.networks.cut import cut
from dreamscripts.networks.graph import maker
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.rewrite.pre_relu import has_relu, name_before_relu
from dreamscripts.networks.weights import fill_at_random

LAYERS = keras.layers
SEED = 2


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (1, 96, 80, 3)).astype(np.float32)


def run(model, x):
    return {name: keras.ops.convert_to_numpy(f) for name, f in model(x, training=False).items()}


@pytest.fixture(scope="module")
def whole():
    """Networks with random weights, biases and statistics too, each built once."""
    built = {}

    def of(name, weights=None):
        if name not in built:
            built[name] = build(name)
            fill_at_random(built[name], SEED)
            rng = np.random.default_rng(3)
            for variable in built[name].variables:
                if len(variable.shape) == 1:
                    scatter = rng.uniform(0.5, 1.5, variable.shape) if "variance" in variable.path else None
                    variable.assign(rng.normal(0, 0.5, variable.shape) if scatter is None else scatter)
        return built[name]

    return of


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("pocket", ["block2_conv1", "block3_conv3"]),  # the ReLU is inside the convolution
        ("squeezenet", ["fire3"]),  # two convolutions joined, each with a ReLU of its own
        ("squeezenet", ["relu_conv1", "fire2_relu_squeeze1x1"]),  # a layer that is a ReLU
        ("inception_v3", ["mixed2"]),  # four convolutions, normalised, one of them after a pool
        ("resnet50", ["conv2_block1_out", "conv2_block2_1_relu"]),  # a sum before the ReLU
    ],
)
def test_the_relu_of_what_comes_before_it_is_the_layer(network, layers, whole, x):
    """In one cut and by itself; and it is the layer of the network as it was before the cut."""
    before = [f"{layer}_pre_relu" for layer in layers]
    model = whole(network)
    expected = run(keras.Model(model.inputs[0], {layer: model.get_layer(layer).output for layer in layers}), x)
    found = run(cut(model, [*layers, *before], network), x)
    alone = run(cut(model, before, network), x)
    assert set(found) == {*layers, *before}
    for layer, name in zip(layers, before, strict=True):
        grain = 1e-5 * np.abs(expected[layer]).max()
        np.testing.assert_allclose(found[layer], expected[layer], atol=grain)
        np.testing.assert_allclose(np.maximum(found[name], 0), expected[layer], atol=grain)
        np.testing.assert_allclose(alone[name], found[name], atol=grain)
        assert 0.05 < (found[name] < 0).mean() < 0.95  # it shows what the ReLU hides


def test_it_is_the_convolution_and_its_bias(whole):
    model = whole("pocket")
    x = np.random.default_rng(0).normal(0, 50, (1, 20, 20, 3)).astype(np.float32)
    (found,) = run(cut(model, ["block1_conv1_pre_relu"], "pocket"), x).values()
    kernel, bias = model.get_layer("block1_conv1").get_weights()
    for i, j in [(1, 1), (7, 12), (18, 3)]:
        at = x[0, i - 1 : i + 2, j - 1 : j + 2].astype(float)
        np.testing.assert_allclose(found[0, i, j], np.tensordot(at, kernel, axes=3) + bias, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("network", "layer"),
    [("pocket", "block3_conv2"), ("squeezenet", "fire2"), ("inception_v3", "mixed0"), ("resnet50", "conv1_relu")],
)
def test_loaded_with_its_normalisations_folded_it_is_the_same(network, layer, x, whole, monkeypatch):
    monkeypatch.setattr(loading, "build", whole)  # as large ones take seconds
    before = f"{layer}_pre_relu"
    both = [before, layer]
    network = load_network(network, "random", both, seed=SEED)
    assert list(network.model.output) == both
    found = {name: keras.ops.convert_to_numpy(f) for name, f in network.features(x).items()}
    expected = run(cut(whole(network.name), both, network.name), x)
    for name in both:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4 * np.abs(expected[name]).max())
    np.testing.assert_allclose(np.maximum(found[before], 0), found[layer])
    plain = load_network(network.name, "random", [layer], seed=SEED)
    assert network.multiplications(96, 80) == plain.multiplications(96, 80)


def test_a_normalisation_beside_a_relu_leaves_what_the_relu_is_given_alone(tmp_path, x):
    """A convolution that both read: with the normalisation folded into it, the ReLU would be given something else."""
    inputs = keras.Input((None, None, 3))
    conv = LAYERS.Conv2D(4, 3, name="conv")(inputs)
    norm = LAYERS.BatchNormalization(name="norm")(conv)
    own = keras.Model(inputs, LAYERS.Concatenate(name="both")([LAYERS.ReLU(name="relu")(conv), norm]))
    fill_at_random(own, 0)
    own.get_layer("norm").set_weights([np.full(4, value, np.float32) for value in (2, 5, -3, 0.5)])
    own.save(tmp_path / "own.keras")
    layers = ["relu_pre_relu", "norm"]
    network = load_network(str(tmp_path / "own.keras"), layers=layers, preprocessing="none")
    found = {name: keras.ops.convert_to_numpy(f) for name, f in network.features(x).items()}
    expected = run(keras.Model(inputs, dict(zip(layers, (conv, norm), strict=True))), x)
    for name in layers:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("shape", [(None, None, 3), (96, 80, 3), (3, 96, 80)])
def test_a_model_of_ones_own_has_it_too(shape, tmp_path, x):
    data_format = "channels_first" if shape[0] == 3 else "channels_last"
    inputs = keras.Input(shape)
    first = LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="first", data_format=data_format)(inputs)
    second = LAYERS.Conv2D(6, 3, padding="same", name="second", data_format=data_format)(first)
    second = LAYERS.Activation("relu", name="second_relu")(second)
    axis = 1 if shape[0] == 3 else -1
    own = keras.Model(inputs, LAYERS.Concatenate(axis=axis, name="joined")([first, second]), name="own")
    fill_at_random(own, 1)
    own.save(tmp_path / "own.keras")
    names = ["first", "second_relu", "joined"]
    layers = [*names, *(f"{name}_pre_relu" for name in names), "second"]
    network = load_network(str(tmp_path / "own.keras"), layers=layers, preprocessing="tf")
    found = {name: keras.ops.convert_to_numpy(f) for name, f in network.features(x).items()}
    for name in names:
        np.testing.assert_allclose(np.maximum(found[f"{name}_pre_relu"], 0), found[name], rtol=1e-6)
        assert (found[f"{name}_pre_relu"] < 0).any()
    np.testing.assert_allclose(found["second_relu_pre_relu"], found["second"], rtol=1e-6)
    together = np.concatenate([found["first_pre_relu"], found["second_relu_pre_relu"]], axis=-1)
    np.testing.assert_allclose(found["joined_pre_relu"], together, rtol=1e-6)
    kernel, bias = own.get_layer("first").get_weights()
    at = np.tensordot(x[0, 9:12, 19:22], kernel, axes=3) + bias
    np.testing.assert_allclose(found["first_pre_relu"][0, 10, 20], at, rtol=1e-3, atol=1e-2)


def test_the_networks_own_weights_are_left_as_they_were(whole):
    model = whole("pocket")
    before = [weight.copy() for weight in model.get_weights()]
    part = cut(model, ["block2_conv2_pre_relu", "block2_conv1"], "pocket")
    assert model.get_layer("block2_conv2").activation is keras.activations.relu
    for mine, theirs in zip(part.get_weights(), before, strict=False):  # the cut ends before theirs do
        np.testing.assert_array_equal(mine, theirs)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_only_what_has_a_relu_has_something_before_it(whole):
    model = whole("squeezenet")
    named = {layer.name: (has_relu(layer), name_before_relu(layer)) for layer in model.layers}
    assert named["fire7"] == (True, "fire7_pre_relu")
    assert named["relu_conv1"] == (True, "relu_conv1_pre_relu")
    assert named["fire2_expand3x3"] == (False, "fire2_expand3x3")
    assert named["pool1"] == (False, "pool1")
    assert has_relu(whole("pocket").get_layer("block1_conv1"))
    inputs = keras.Input((None, None, 3))
    half = LAYERS.Concatenate(name="half")([LAYERS.ReLU()(inputs), LAYERS.Conv2D(3, 1)(inputs)])
    assert not has_relu(maker(half))  # only one of those that it joins has one


@pytest.mark.parametrize(
    ("network", "layer", "says"),
    [
        ("pocket", "block2conv1_pre_relu", "did you mean 'block"),
        ("pocket", "block2_pool_pre_relu", "has no layer 'block2_pool_pre_relu'"),  # which has no ReLU
        ("squeezenet", "fire2_expand1x1_pre_relu", "has no layer 'fire2_expand1x1_pre_relu'"),
        ("squeezenet", "fire7_pre_relu_pre_relu", "has no layer 'fire7_pre_relu_pre_relu'"),
        ("pocket", "_pre_relu", "`dreamscripts layers pocket` lists"),
        ("pocket", "block2_conv1_prerelu", "did you mean 'block2_conv1'"),
    ],
)
def test_a_layer_that_is_not_there_is_refused_with_the_nearest_name(network, layer, says, whole):
    with pytest.raises(NetworkError) as error:
        cut(whole(network), [layer], network)
    assert says in str(error.value)


@pytest.mark.parametrize("layer", ["block2_conv1", "block3_conv1_pre_relu"])
def test_a_network_at_one_of_its_layers_is_the_same_and_no_deeper(layer, x):
    network = load_network("pocket", layers=["block2_conv1", "block3_conv1_pre_relu", "block4_conv1"])
    one = network.at(layer)
    assert list(one.model.output) == [layer]
    assert (one.name, one.preprocessing, one.edge) == (network.name, network.preprocessing, network.edge)
    np.testing.assert_allclose(*(keras.ops.convert_to_numpy(n.features(x)[layer]) for n in (one, network)), rtol=1e-6)
    assert len(one.model.layers) < len(network.model.layers)
    assert one.least_side < network.least_side
    assert one.multiplications(64, 64) < network.multiplications(64, 64)
