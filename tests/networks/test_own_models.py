"""Models as people write them: whatever the way, the features are the model's own."""

import logging

import keras
import numpy as np
import pytest
from keras import layers, ops

from dreamscripts.dreams.dream import dream
from dreamscripts.errors import NetworkError, PictureError, SettingsError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.losses.layers import LayerEnergy
from dreamscripts.networks import loading
from dreamscripts.networks.graph import calls
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.weights import fill_at_random
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Tiles


@pytest.fixture
def x(rng):
    return rng.uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)


@pytest.fixture
def saved(tmp_path):
    """Give a model weights of all kinds, save it, and give its path."""

    def save(model, name="own.keras"):
        fill_at_random(model, 1)
        model.save(tmp_path / name)
        return str(tmp_path / name)

    return save


def conv(name, channels=4, **options):
    return layers.Conv2D(channels, 3, padding="same", name=name, **options)


def numpy(value):
    return keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))


def facts_of(path):
    return {facts.name: facts for facts in describe_layers(build(path))}


def features(path, names, x, **options):
    network = load_network(path, layers=names, **{"preprocessing": "none"} | options)
    return {name: numpy(f) for name, f in network.features(x).items()}


def assert_own(path, model, x, tensors, rtol=1e-5):
    """Features by these names are what the model itself gives for these tensors."""
    found = features(path, list(tensors), x)
    for name, tensor in tensors.items():
        expected = numpy(keras.Model(model.inputs, tensor)(x, training=False))
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=rtol * np.abs(expected).max(), err_msg=name)


# Operators


def with_operators():
    inputs = keras.Input((32, 32, 3))
    turned = ops.flip(inputs, axis=-1) if keras.backend.backend() == "torch" else inputs[..., ::-1]
    x = ops.subtract(turned / 127.5, np.array([1.0, 0.5, 0.25]))
    one = conv("one", activation="relu")(x)
    two = ops.relu(conv("two", strides=2)(one))
    both = ops.concatenate([two, ops.max_pool(one, 2, strides=2, padding="same")], axis=-1)
    three = conv("three")(both)
    total = three + 0.5 * conv("four")(three)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(total)))


def test_what_follows_operators_is_listed_and_computed(saved, x):
    model = with_operators()
    path = saved(model)
    facts = facts_of(path)
    seen = {one.kind: (one.stride, one.receptive_field) for one in facts.values()}
    assert seen["Flip"] == seen["TrueDivide"] == seen["Subtract"] == (1, 1)
    assert (seen["Relu"], seen["MaxPool"], seen["Concatenate"]) == ((2, 5), (2, 4), (2, 5))
    assert (facts["three"].stride, facts["three"].receptive_field, seen["Add"]) == (2, 9, (2, 13))
    assert_own(path, model, x, {call.operation.name: call.outputs[0] for call in calls(model)[:-2]})


def test_copies_of_operators_go_through_no_file(saved, monkeypatch):
    path = saved(with_operators())
    monkeypatch.setattr("tempfile.mkdtemp", lambda *arguments: pytest.fail("wrote a folder"))
    build(path)


def test_before_an_operators_relu_is_what_it_is_given(saved, x):
    path = saved(with_operators())
    relu = next(name for name, facts in facts_of(path).items() if facts.kind == "Relu")
    found = features(path, [f"{relu}_pre_relu", relu, "two", "one_pre_relu", "one"], x)
    np.testing.assert_array_equal(found[f"{relu}_pre_relu"], found["two"])
    np.testing.assert_array_equal(np.maximum(found["two"], 0), found[relu])
    np.testing.assert_allclose(np.maximum(found["one_pre_relu"], 0), found["one"], atol=1e-5)
    assert (found["one_pre_relu"] < 0).any()


def test_a_convolution_that_an_operator_reads_keeps_its_normalisation(saved, x):
    inputs = keras.Input((None, None, 3))
    one = conv("one", use_bias=False)(inputs)
    two = layers.BatchNormalization(name="two")(one)
    model = keras.Model(inputs, one + two)
    fill_at_random(model, 0)
    model.get_layer("two").set_weights([np.full(4, value) for value in (2, 5, -3, 0.5)])
    assert_own(saved(model), model, x, {call.operation.name: call.outputs[0] for call in calls(model)})


def test_exact_tiles_see_through_operators_or_refuse_them_by_name(saved, rng):
    model = with_operators()
    path = saved(model)
    picture = rng.normal(0, 50, (150, 130, 3)).astype(np.float32)
    network = load_network(path, layers=["four"], preprocessing="none")
    whole, tiled = (
        Evaluator(network, LayerEnergy("four"), tiles=tiles) for tiles in (None, Tiles(kind="exact", size=64))
    )
    assert tiled.loss(picture) == pytest.approx(whole.loss(picture), rel=1e-5)
    gradient = whole.gradient(picture)
    np.testing.assert_allclose(tiled.gradient(picture), gradient, atol=1e-5 * np.abs(gradient).max())

    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, conv("last")(ops.flip(inputs, axis=1)))
    network = load_network(saved(model), layers=["last"], preprocessing="none")
    with pytest.raises(SettingsError, match=r"the layer 'flip.*' \(Flip\) may depend on the whole picture"):
        Evaluator(network, LayerEnergy("last"), tiles=Tiles(kind="exact", size=64)).loss(picture)


@pytest.mark.parametrize("name", ["convnext_tiny", "mobilenet_v3_small"])
def test_keras_own_networks_with_operators_are_listed_to_their_end(name):
    network = build(name)
    facts = describe_layers(network)
    assert {layer.name for layer in network.layers if len(layer.output.shape) == 4} <= {
        facts.operation.name for facts in facts
    } | {layer.name for layer in network.layers if isinstance(layer, layers.InputLayer)}
    assert facts[-1].stride == 32


def test_of_ones_own_with_other_ways_to_enlarge_strides_are_right():
    inputs = keras.Input((None, None, 3))
    small = conv("small", 16, strides=4)(inputs)
    tall = layers.Conv2DTranspose(4, 4, strides=2, padding="same", name="tall")(small)
    wide = layers.UpSampling2D(4, name="wide")(small)
    image = ops.image.resize(conv("half", strides=2)(inputs), (64, 64))
    model = keras.Model(inputs, [tall, wide, image])
    facts = {one.name: (one.stride, one.receptive_field) for one in describe_layers(model)}
    assert (facts["small"], facts["tall"], facts["wide"]) == ((4, 3), (2, 7), (1, 3))


def test_behind_keras_preprocess_input_strides_fields_and_tiles_are_right(saved, rng):
    inputs = keras.Input((40, 40, 3))
    model = keras.Model(inputs, conv("one", strides=2)(keras.applications.vgg16.preprocess_input(inputs)))
    path = saved(model)
    facts = facts_of(path)["one"]
    assert (facts.stride, facts.receptive_field) == (2, 3)
    picture = rng.uniform(0, 255, (90, 80, 3)).astype(np.float32)
    network = load_network(path, layers=["one"])
    losses = [
        Evaluator(network, LayerEnergy("one"), tiles=tiles).loss(picture)
        for tiles in (None, Tiles(kind="exact", size=40))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


# Models within models


def inner_model(side=None):
    """A model in a model, functional and Sequential, with an adapted Normalization at the bottom."""
    norm = layers.Normalization(name="norm")
    norm.adapt(np.random.default_rng(2).normal(120, 60, (4, 8, 8, 3)))
    pre = keras.Sequential([keras.Input((side, side, 3)), norm, layers.RandomFlip()], name="pre")
    inputs = keras.Input((side, side, 3))
    backbone = keras.Model(inputs, conv("second", strides=2)(conv("first", activation="relu")(inputs)), name="base.1")
    inputs = keras.Input((side, side, 3))
    return keras.Model(inputs, backbone(pre(inputs), training=False), name="inner")


@pytest.mark.parametrize("side", [None, 32])
@pytest.mark.parametrize("kind", ["functional", "Sequential"])
def test_layers_of_inner_models_are_listed_and_computed(kind, side, saved, x):
    inner = inner_model(side)
    if kind == "functional":
        inputs = keras.Input((side, side, 3))
        model = keras.Model(inputs, conv("head")(inner(inputs)))
    else:
        model = keras.Sequential([keras.Input((side, side, 3)), inner, conv("head")])
    path = saved(model)
    names = list(facts_of(path))
    assert names[0] == "inner/pre/norm"
    assert names[-3:] == ["inner/base.1/first", "inner/base.1/second", "head"]
    found = features(path, names, x)
    pre, base = inner.get_layer("pre"), inner.get_layer("base.1")
    expected = {
        "inner/pre/norm": pre(x, training=False),
        "inner/base.1/first": base.get_layer("first")(pre(x, training=False)),
        "inner/base.1/second": inner(x, training=False),
        "head": model(x, training=False),
    }
    for name, own in expected.items():
        np.testing.assert_allclose(found[name], numpy(own), atol=1e-5 * np.abs(numpy(own)).max(), err_msg=name)
    short = features(path, ["first_pre_relu", "norm"], x)
    np.testing.assert_array_equal(short["norm"], found["inner/pre/norm"])
    np.testing.assert_allclose(np.maximum(short["first_pre_relu"], 0), found["inner/base.1/first"], atol=1e-5)


def test_a_model_called_twice_has_its_layers_twice(saved, x):
    shared = keras.Sequential([keras.Input((None, None, 3)), conv("same", 3)], name="shared")
    inputs = keras.Input((None, None, 3))
    once = shared(inputs)
    twice = shared(once / 2)
    model = keras.Model(inputs, once + twice)
    path = saved(model)
    assert [name for name in facts_of(path) if "same" in name] == ["shared/same", "shared_2/same"]
    found = features(path, ["shared/same", "shared_2/same"], x)
    np.testing.assert_allclose(found["shared/same"], numpy(shared(x)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["shared_2/same"], numpy(shared(shared(x) / 2)), rtol=1e-4, atol=1e-3)
    with pytest.raises(NetworkError, match="'same' is the name of 2 layers: shared/same, shared_2/same"):
        load_network(path, layers=["same"], preprocessing="none")


@keras.saving.register_keras_serializable("tests")
class Hidden(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.conv = conv("unseen")

    def call(self, x):
        return self.conv(x)


def test_a_model_with_a_call_of_its_own_is_refused_by_name(saved):
    inputs = keras.Input((16, 16, 3))
    path = saved(keras.Model(inputs, layers.ReLU()(Hidden()(inputs))))
    with pytest.raises(NetworkError, match=r"the layer 'hidden.*' is a Hidden, which hides its layers in its own call"):
        build(path)
    whole = Hidden()
    whole(np.zeros((1, 16, 16, 3)))
    path = saved(whole)
    with pytest.raises(NetworkError, match="is a Hidden, which hides its layers in its own call"):
        build(path)


class Own(layers.Layer):
    def call(self, x):
        return x * 2


@pytest.mark.parametrize("file", ["own.keras", "own.h5"])
@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Own(name="mine"), "the layer 'mine' is of the class Own, which is unknown to Keras: register it"),
        (layers.Lambda(lambda x: x / 2, name="half"), "the layer 'half' is a Lambda: Python code"),
    ],
)
def test_a_layer_that_cannot_be_loaded_is_named(layer, says, file, saved):
    inputs = keras.Input((16, 16, 3))
    inner = keras.Model(inputs, conv("one")(layer(inputs)))
    path = saved(keras.Model(inputs, inner(inputs)), file)
    with pytest.raises(NetworkError, match=says):
        build(path)


def test_names_that_a_backend_cannot_bear_are_kept_for_people(saved, x):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, conv("é <first> one", activation="relu")(inputs), name="my model")
    path = saved(model)
    assert list(facts_of(path)) == ["é <first> one"]
    network = load_network(path, layers=["é <first> one_pre_relu"], preprocessing="none")
    assert np.isfinite(Evaluator(network, LayerEnergy("é <first> one_pre_relu")).gradient(x[0])).all()


# Sizes


def test_where_only_one_size_will_do_that_is_said(saved, x):
    """A constant map, and a reshaping that would take one picture for four."""
    inputs = keras.Input((32, 32, 3))
    position = ops.add(conv("one")(inputs), np.ones((1, 32, 32, 4), np.float32))
    model = keras.Model(inputs, conv("two")(position))
    path = saved(model)
    network = load_network(path, layers=["two"], preprocessing="none")
    network.check_size(32, 32)
    with pytest.raises(PictureError, match=r"pictures of 32×32 only.*the layer 'add.*square photograph and --size 32"):
        network.check_size(64, 64)
    assert network.least_side == 32
    assert_own(path, model, x, {"two": model.outputs[0]})
    load_network(path, layers=["one"], preprocessing="none").check_size(50, 70)

    reshaped = layers.Conv2D(2, 1, name="last")(ops.reshape(conv("one")(inputs), (-1, 16, 64, 4)))
    network = load_network(saved(keras.Model(inputs, reshaped)), layers=["last"], preprocessing="none")
    with pytest.raises(PictureError, match=r"32×32 only.*'reshape.*' treats one picture of this size as several"):
        network.check_size(64, 64)


def unet():
    inputs = keras.Input((None, None, 3))
    one = conv("d1")(inputs)
    two = conv("d2")(layers.MaxPooling2D(2)(one))
    middle = conv("middle")(layers.MaxPooling2D(2)(two))
    two = conv("u2")(layers.Concatenate()([layers.UpSampling2D()(middle), two]))
    one = conv("u1")(ops.concatenate([layers.Conv2DTranspose(4, 2, strides=2)(two), one], axis=-1))
    return keras.Model(inputs, one)


def test_an_encoder_decoder_takes_sizes_that_its_strides_do_not_divide(saved, rng, caplog):
    model = unet()
    path = saved(model)
    x = rng.uniform(0, 255, (1, 37, 50, 3)).astype(np.float32)
    extended = np.pad(x, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="edge")
    network = load_network(path, layers=["u1", "middle"], preprocessing="none")
    found = {name: numpy(f) for name, f in network.features(x).items()}
    np.testing.assert_allclose(found["u1"], numpy(model(extended))[:, :37, :50], rtol=1e-4, atol=1e-2)
    assert found["middle"].shape == (1, 10, 13, 4)
    evaluator = Evaluator(network, LayerEnergy("u1"))
    assert evaluator.gradient(x[0]).shape == (37, 50, 3)
    with caplog.at_level(logging.WARNING):
        network.check_size(40, 48)
        assert not caplog.records
        network.check_size(37, 50)
    assert "multiples of 4 pixels. The picture is extended from 50×37 to 52×40." in caplog.text
    plain = load_network(path, layers=["middle"], preprocessing="none")
    assert (network.grid, plain.grid) == ((4, 0), (1, 0))


def test_a_layer_with_one_value_for_the_whole_picture_can_be_dreamt_of_without_edges(saved, x):
    inputs = keras.Input((None, None, 3))
    gate = layers.Conv2D(2, 1, name="gate")(layers.GlobalAveragePooling2D(keepdims=True)(conv("one")(inputs)))
    path = saved(keras.Model(inputs, gate))
    assert facts_of(path)["gate"].receptive_field == np.inf
    network = load_network(path, layers=["gate"], preprocessing="none")
    assert network.least_side is None
    with pytest.raises(PictureError, match=r'gate: measure l2 ignores .* use measure = "mean"'):
        network.check_size(64, 64)
    assert features(path, ["gate"], x)["gate"].shape == (1, 1, 1, 2)


# Files, precision, preprocessing


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_every_precision_is_computed_in_float32(policy, saved, x):
    inputs = keras.Input((None, None, 3), dtype="float64" if policy == "float64" else None)
    stages = [
        layers.Rescaling(1 / 255, dtype=policy),
        conv("one", dtype=policy),
        conv("two", activation="relu", dtype=policy),
    ]
    y = inputs
    for stage in stages:
        y = stage(y)
    model = keras.Model(inputs, ops.cast(y, "float16" if "16" in policy else "float64") * np.float64(2))
    path = saved(model)
    twice = next(name for name, facts in facts_of(path).items() if facts.kind == "Multiply")
    found = features(path, ["two", twice], x)
    expected = numpy(keras.Model(inputs, y)(x))
    np.testing.assert_allclose(found["two"], expected, atol=(1e-2 if "16" in policy else 1e-5) * np.abs(expected).max())
    np.testing.assert_allclose(found[twice], 2 * found["two"])
    model = load_network(path, layers=[twice], preprocessing="none").model
    assert {tensor.dtype for call in calls(model) for tensor in call.outputs} == {"float32"}


@pytest.mark.parametrize("optimizer", [{"name": "adam", "parameters": "fourier"}, {"where": "device"}])
def test_a_persons_own_keras_configuration_changes_nothing(optimizer, saved, x):
    inputs = keras.Input((None, None, 3))
    path = saved(keras.Model(inputs, conv("one")(layers.Rescaling(1 / 255)(inputs))))
    settings = Settings(
        network=path,
        features={"one": 1.0},
        jitter={"rotate": 5, "shift": 2, "noise": 1},
        optimizer={"iterations": 2, "passes": 2, **optimizer},
    )
    *_, expected = dream(x[0], settings)
    saved_state = keras.config.floatx(), keras.config.dtype_policy(), keras.config.image_data_format()
    try:
        for floatx, policy, data_format in [
            ("float16", "mixed_bfloat16", "channels_first"),
            ("float64",) * 2 + ("channels_last",),
        ]:
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)
            keras.config.set_image_data_format(data_format)
            *_, last = dream(x[0], settings)
            np.testing.assert_array_equal(last.picture, expected.picture)
            assert (keras.config.floatx(), keras.config.image_data_format()) == (floatx, data_format)
    finally:
        keras.config.set_floatx(saved_state[0])
        keras.config.set_dtype_policy(saved_state[1])
        keras.config.set_image_data_format(saved_state[2])


def test_a_whole_h5_serves_as_well(saved, x):
    inner = inner_model(32)
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, conv("head")(inner(inputs)))
    path = saved(model, "own.h5")
    np.testing.assert_allclose(
        features(path, ["head"], x)["head"], numpy(model(x, training=False)), rtol=1e-4, atol=1e-4
    )
    assert "inner/base.1/first" in facts_of(path)


@pytest.fixture
def by_keras2(tmp_path, monkeypatch):
    """A model with operators and models inside, saved by the Keras 2 that TensorFlow still holds; and its answers."""
    old = pytest.importorskip("tensorflow.python.keras")
    tf = pytest.importorskip("tensorflow")
    from tensorflow.python.keras import backend
    from tensorflow.python.keras import layers as old_layers
    from tensorflow.python.keras.engine import functional, sequential

    def save(x, unknown=False):
        inputs = old_layers.Input((32, 32, 3))
        pre = backend.bias_add(inputs[..., ::-1] / 127.5 - 1.0, tf.constant([-1.0, 2.0, 3.0]))
        part = [old_layers.InputLayer((32, 32, 3)), old_layers.Conv2D(4, 3, padding="same", name="a")]
        inside = old_layers.Input((32, 32, 3))
        twice = functional.Functional(inside, sequential.Sequential(part, name="part")(inside) * 2.0, name="twice")
        twice.trainable = False
        one = twice(pre)
        two = tf.nn.relu(old_layers.Conv2D(4, 3, padding="same", name="b")(one))
        joined = tf.concat([one + two, 1.0 - two], axis=-1)
        end = tf.image.resize(joined, (8, 8)) if unknown else joined
        model = functional.Functional(inputs, old_layers.Conv2D(2, 3, name="last")(end))
        monkeypatch.setattr(old, "__version__", "2.6.0", raising=False)
        model.save(tmp_path / "old.h5", save_format="h5")
        found = {"last": model(x), "twice": functional.Functional(inputs, one)(x)}
        return str(tmp_path / "old.h5"), {name: value.numpy() for name, value in found.items()}

    return save


def test_a_model_by_keras_2_is_the_same_here(by_keras2, x):
    path, expected = by_keras2(x)
    names = list(facts_of(path))
    assert names[:5] == [
        "tf.__operators__.getitem",
        "tf.math.truediv",
        "tf.math.subtract",
        "tf.nn.bias_add",
        "twice/part/a",
    ]
    assert names[-1] == "last"
    found = features(path, ["last", "twice/tf.math.multiply"], x, preprocessing=None)
    np.testing.assert_allclose(found["last"], expected["last"], atol=1e-5 * np.abs(expected["last"]).max())
    np.testing.assert_allclose(found["twice/tf.math.multiply"], expected["twice"], rtol=1e-4, atol=1e-5)


def test_an_operator_of_keras_2_that_is_not_known_is_refused_by_name(by_keras2, x):
    path, _ = by_keras2(x, unknown=True)
    with pytest.raises(NetworkError, match=r"the layer 'tf.image.resize' is TensorFlow's image.resize"):
        build(path)


def caffe(x):
    return ops.add(x[..., ::-1], np.array([-103.939, -116.779, -123.68]))


def adapted(mean, variance):
    return layers.Normalization(mean=[mean] * 3, variance=[variance] * 3)


@pytest.mark.parametrize(
    ("door", "says"),
    [
        (layers.Rescaling(1 / 255), "none"),
        (lambda x: layers.Rescaling(1 / 127.5, offset=-1)(layers.RandomFlip()(x)), "none"),
        (lambda x: x / 127.5 - 1.0, "none"),
        (caffe, "none"),
        (keras.applications.vgg16.preprocess_input, "none"),
        (keras.applications.densenet.preprocess_input, "none"),
        (adapted(120, 60**2), "none"),
        (adapted(0.45, 0.06), "unit"),
        (layers.Rescaling(2, offset=-1), "unit"),
        (lambda x: layers.Normalization(mean=[0.5] * 3, variance=[0.06] * 3)(x / 255), "none"),
        (lambda x: x, None),
        (layers.ZeroPadding2D(3), None),
        (layers.BatchNormalization(), None),
    ],
)
def test_a_model_that_preprocesses_inside_says_so_itself(door, says, saved, caplog):
    inputs = keras.Input((16, 16, 3))
    path = saved(keras.Model(inputs, conv("one")(door(inputs))))
    if says is None:
        with pytest.raises(NetworkError, match=r'"unit" \(0 to 1\).*--set preprocessing=tf'):
            load_network(path, layers=["one"])
    else:
        with caplog.at_level(logging.WARNING):
            assert load_network(path, layers=["one"]).preprocessing.name == says
        assert f'preprocessing = "{says}"' in caplog.text
        assert load_network(path, layers=["one"], preprocessing="tf").preprocessing.name == "tf"


def test_unit_is_0_to_1(rng):
    picture = rng.uniform(0, 255, (4, 5, 3))
    np.testing.assert_allclose(PREPROCESSINGS["unit"].normalise(picture), picture / 255)


# Weights and automatic names


def tuned(model):
    rng = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1, weight.shape))
    return model


@pytest.mark.parametrize("file", ["tuned.keras", "tuned.h5", "tuned.weights.h5"])
def test_weights_are_found_in_a_model_that_nests_the_network(file, tmp_path):
    base = tuned(build("pocket"))
    inputs = keras.Input((32, 32, 3))
    head = layers.GlobalAveragePooling2D()(base(layers.Conv2D(3, 1, name="door")(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(head))
    (model.save_weights if file.endswith(".weights.h5") else model.save)(tmp_path / file)
    loaded = load_network("pocket", str(tmp_path / file), ["block5_conv3"]).model
    kernel = base.get_layer("block5_conv3").get_weights()[0]
    np.testing.assert_array_equal(loaded.get_layer("block5_conv3").get_weights()[0], kernel)


def unnamed(before=0):
    """A network with automatic names, of which Keras has given so many before."""
    for _ in range(before):
        layers.Conv2D(1, 1)
        layers.BatchNormalization()
    x = inputs = keras.Input((None, None, 3))
    for channels in (4, 4, 6):
        x = layers.BatchNormalization()(layers.Conv2D(channels, 3)(x))
    return keras.Model(inputs, x, name="unnamed")


@pytest.mark.parametrize("file", ["shifted.keras", "shifted.h5", "shifted.weights.h5"])
@pytest.mark.parametrize("nested", [False, True])
def test_automatic_names_that_a_session_has_shifted_are_matched_by_their_order(nested, file, tmp_path, monkeypatch):
    from dreamscripts.networks.plain_keras import plain_keras

    theirs = model = tuned(unnamed(before=2))
    if nested:
        inputs = keras.Input((32, 32, 3))
        door = tuned(keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(3, 5)]))
        model = keras.Model(inputs, layers.Conv2D(2, 3)(theirs(door(inputs))))
    (model.save_weights if file.endswith(".weights.h5") else model.save)(tmp_path / file)

    def built(name, weights=None):
        with plain_keras():
            return unnamed()

    monkeypatch.setattr(loading, "build", built)
    loaded = load_network("squeezenet", str(tmp_path / file), ["conv2d", "batch_normalization_1", "conv2d_2"]).model
    (one, _, three), mine = ([one for one in theirs.layers if "conv" in one.name], loaded.get_layer)
    np.testing.assert_array_equal(mine("conv2d").get_weights()[0], one.get_weights()[0])
    np.testing.assert_array_equal(mine("conv2d_2").get_weights()[0], three.get_weights()[0])


def test_an_automatic_name_means_the_same_layer_whatever_was_built_before():
    def names():
        return [facts.name for facts in describe_layers(build("inception_v3"))]

    before = names()
    own = keras.layers.Conv2D(1, 1).name
    assert names() == before
    assert before[0] == "conv2d"
    assert keras.layers.Conv2D(1, 1).name.rpartition("_")[0] in (own, own.rpartition("_")[0])  # theirs count on
