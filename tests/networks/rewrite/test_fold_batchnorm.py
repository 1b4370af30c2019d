import keras
import numpy as np
import pytest

from dreamscripts.backends import compiling
from dreamscripts.networks.cut import cut
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.rewrite.fold_batchnorm import fold_normalisation
from dreamscripts.networks.weights import fill_at_random

LAYERS = keras.layers


def conv(name, channels=4, **options):
    return LAYERS.Conv2D(channels, 3, padding="same", name=name, **options)


def norm(name, **options):
    return LAYERS.BatchNormalization(name=name, **options)


def filled(model):
    """The same model, every weight of it drawn: variances, factors and offsets too."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights(
            [
                rng.uniform(0.3, 3, w.shape) if "variance" in w.path else rng.normal(0, 0.3, w.shape)
                for w in layer.weights
            ]
        )
    return model


def cut_small(stages, shape=(None, None, 3), outputs=("last",)):
    """A model of `stages` in a row with a ReLU at the end, cut as the networks are."""
    x = inputs = keras.Input(shape)
    for stage in stages:
        x = stage(x)
    whole = keras.Model(inputs, LAYERS.ReLU(name="last")(x))
    return filled(keras.Model(inputs, {name: whole.get_layer(name).output for name in outputs}))


def features_and_gradient(model, x):
    """Every feature at x, and the gradient of half their squares."""

    def terms(picture):
        return {name: keras.ops.sum(keras.ops.square(f)) / 2 for name, f in model(picture, training=False).items()}

    run = compiling.compile_pass(lambda picture: keras.ops.stack([*terms(picture).values()]), model.variables, False)
    features = {name: keras.ops.convert_to_numpy(f) for name, f in model(x, training=False).items()}
    return features, keras.ops.convert_to_numpy(run(x)[1])


def assert_same(folded, unfolded, x):
    (mine, my_gradient), (theirs, their_gradient) = (features_and_gradient(model, x) for model in (folded, unfolded))
    assert mine.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-5, atol=1e-5 * np.abs(theirs[name]).max())
    np.testing.assert_allclose(my_gradient, their_gradient, rtol=1e-5, atol=1e-5 * np.abs(their_gradient).max())
    assert [layer.name for layer in folded.layers[1:]] == [layer.name for layer in unfolded.layers[1:]]  # but the input


def left(model):
    """The normalisations that are still there."""
    return [layer.name for layer in model.layers if type(layer) is LAYERS.BatchNormalization]


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (1, 12, 14, 3)).astype(np.float32)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_folded_a_network_gives_the_same_features_and_gradients(with_bias, options, x):
    stages = [
        conv("one", use_bias=with_bias, strides=2),
        norm("two", epsilon=0.1, **options),
        LAYERS.ReLU(name="three"),
        conv("four", use_bias=with_bias),
        norm("five", **options),
    ]
    model = cut_small(stages, outputs=("three", "last"))
    folded = fold_normalisation(model, {"three", "last"})
    assert (left(model), left(folded)) == (["two", "five"], [])
    assert_same(folded, model, x)


def test_a_normalisation_in_use_gives_what_it_gave(x):
    model = cut_small([conv("one"), norm("two")], outputs=("two", "last"))
    folded = fold_normalisation(model, {"two", "last"})
    assert left(folded) == []
    assert_same(folded, model, x)


def test_the_model_that_was_given_stays_as_it_was(x):
    model = cut_small([conv("one"), norm("two")])
    before = model.get_weights()
    fold_normalisation(model, {"last"})
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "stages",
    [
        [conv("one", activation="relu"), norm("two")],
        [LAYERS.MaxPooling2D(name="one"), norm("two")],
        [LAYERS.DepthwiseConv2D(3, name="one"), norm("two")],
        [LAYERS.SeparableConv2D(4, 3, name="one"), norm("two")],
        [conv("one"), LAYERS.ReLU(name="between"), norm("two")],
        [conv("one"), norm("two", axis=2)],
        [norm("two"), conv("one")],
    ],
    ids=["activation", "pooling", "depthwise", "separable", "ReLU between", "another axis", "before"],
)
def test_what_does_not_directly_follow_a_plain_convolution_is_left_alone(stages, x):
    model = cut_small([type(stage).from_config(stage.get_config()) for stage in stages], shape=(12, 14, 3))
    folded = fold_normalisation(model, {"last"})
    assert left(folded) == ["two"]
    assert_same(folded, model, x)


def test_a_convolution_whose_features_are_in_use_is_left_alone(x):
    model = cut_small([conv("one"), norm("two"), conv("three"), norm("four")], outputs=("one", "last"))
    folded = fold_normalisation(model, {"one", "last"})
    assert left(folded) == ["two"]
    assert_same(folded, model, x)


def test_a_convolution_that_two_layers_read_is_left_alone(x):
    inputs = keras.Input((None, None, 3))
    one = conv("one")(inputs)
    model = filled(keras.Model(inputs, {"sum": LAYERS.Add(name="sum")([norm("two")(one), LAYERS.ReLU()(one)])}))
    folded = fold_normalisation(model, {"sum"})
    assert left(folded) == ["two"]
    assert_same(folded, model, x)


def test_a_convolution_called_twice_is_left_alone(x):
    inputs, one = keras.Input((None, None, 3)), conv("one", 3)
    two = norm("two")(one(inputs))
    model = filled(keras.Model(inputs, {"sum": LAYERS.Add(name="sum")([two, one(two)])}))
    assert_same(fold_normalisation(model, {"sum"}), model, x)


def test_a_normalisation_called_twice_is_left_alone(x):
    inputs, shared = keras.Input((None, None, 3)), norm("shared")
    model = filled(
        keras.Model(inputs, {"sum": LAYERS.Add(name="sum")([shared(conv("a")(inputs)), shared(conv("b")(inputs))])})
    )
    assert_same(fold_normalisation(model, {"sum"}), model, x)


def test_what_a_network_learnt_of_its_pictures_is_kept(x):
    """EfficientNet begins with such a layer."""
    learnt = LAYERS.Normalization(name="learnt")
    learnt.adapt(x + 30)
    inputs = keras.Input((None, None, 3))
    last = LAYERS.ReLU(name="last")(norm("two")(conv("one")(learnt(inputs))))
    model = keras.Model(inputs, {"last": last})
    folded = fold_normalisation(model, {"last"})
    assert left(folded) == []
    assert_same(folded, model, x)


def test_pictures_with_their_channels_first_are_folded_as_well():
    """Only their weights are looked at: no CPU of TensorFlow's convolves them."""
    first = {"data_format": "channels_first"}
    models = [
        cut_small([conv("one", **options), norm("two", axis=axis)], shape=shape)
        for options, axis, shape in [(first, 1, (3, None, None)), ({}, -1, (None, None, 3))]
    ]
    mine, theirs = (fold_normalisation(model, {"last"}) for model in models)
    assert left(mine) == []
    assert mine.get_layer("one").data_format == "channels_first"
    for ours, others in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, others)


def test_without_a_normalisation_it_is_the_same_model():
    model = cut(build("pocket"), ["block1_conv1"], "pocket")
    assert fold_normalisation(model, {"block1_conv1"}) is model


def test_networks_are_loaded_folded(x, rng):
    layer = "block_3_project_BN"
    whole = build("mobilenet_v2")
    fill_at_random(whole, 0)
    network = load_network("mobilenet_v2", "random", [layer])
    depthwise = [name for name in left(network.model) if "depthwise" in name]
    assert depthwise == left(network.model) != []
    picture = rng.uniform(-1, 1, (1, 48, 48, 3)).astype(np.float32)
    assert_same(network.model, cut(whole, [layer], "mobilenet_v2"), picture)
