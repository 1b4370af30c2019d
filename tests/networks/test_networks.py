"""Loading networks: their weights from every kind of file, the cut, and what is refused."""

import hashlib
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import shared

from dreamscripts.errors import NetworkError
from dreamscripts.images.files import open_picture
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.images.resizing import fit
from dreamscripts.networks.family import family_of
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build, load_network
from dreamscripts.networks.weights import fill_at_random
from dreamscripts.networks.zoo import applications, pocket, squeezenet

LAYERS = keras.layers


def run(network, x):
    return {name: keras.ops.convert_to_numpy(f) for name, f in network.features(x[None].astype(np.float32)).items()}


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (64, 80, 3))


def small_model(shape=(None, None, 3), data_format="channels_last", **last):
    inputs = keras.Input(shape)
    h = LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="first", data_format=data_format)(inputs)
    h = LAYERS.MaxPooling2D(2, name="smaller", data_format=data_format)(h)
    h = LAYERS.Conv2D(6, 3, padding="same", name="second", data_format=data_format)(h)
    model = keras.Model(inputs, h, name="small")
    fill_at_random(model, 1)
    return model


SHIPPED = {"pocket": "weights/pocket_quarter.npz", "pocket_large": "weights/pocket_half.npz"}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_embedded_networks_have_the_distilled_weights(name):
    assert pocket.weights(name).read_bytes() == shared(SHIPPED[name]).read_bytes()
    with np.load(pocket.weights(name)) as distilled:
        for layer in load_network(name, layers=["block5_conv3"]).model.layers:
            for weight in layer.weights:
                assert weight.dtype == "float32"
                np.testing.assert_array_equal(
                    keras.ops.convert_to_numpy(weight), distilled[f"{layer.name}/{weight.name}"]
                )


@pytest.mark.parametrize("name", SHIPPED)
def test_the_embedded_networks_are_as_loud_as_vgg16(name):
    """RMS of the activations: a layer's term grows with its square, and settings give all three the same weights."""
    layers = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv1", "block4_conv3", "block5_conv1"]
    vgg16 = load_network("vgg16", str(shared("weights/vgg16_imagenet_notop.h5")), layers)
    x = vgg16.preprocessing.normalise(fit(open_picture(shared("photos/castle.jpg")), 256))
    theirs, ours = run(vgg16, x), run(load_network(name, layers=layers), x)
    for layer in layers:
        assert np.sqrt((ours[layer] ** 2).mean() / (theirs[layer] ** 2).mean()) == pytest.approx(1, abs=0.15), layer


@pytest.mark.parametrize(("name", "times", "megabytes"), [("pocket", 4, 2), ("pocket_large", 2, 8)])
def test_the_embedded_networks_are_vgg16_at_a_part_of_its_width(name, times, megabytes):
    ours, vgg16 = build(name), build("vgg16")
    assert [layer.name for layer in ours.layers[1:]] == [layer.name for layer in vgg16.layers[1:]]
    for mine, theirs in zip(ours.layers[1:], vgg16.layers[1:], strict=True):
        assert mine.output.shape[-1] * times == theirs.output.shape[-1]
    assert pocket.weights(name).stat().st_size < megabytes * 1_000_000


@pytest.mark.parametrize("name", ["vgg19", "resnet50", "mobilenet_v2", "inception_v3", "efficientnet_b0"])
def test_networks_of_keras_run_on_pictures_of_any_size(name, x):
    layer = {
        "vgg19": "block2_conv2",
        "resnet50": "conv2_block1_out",
        "mobilenet_v2": "block_1_project_BN",
        "inception_v3": "mixed0",
        "efficientnet_b0": "block2a_project_bn",
    }[name]
    network = load_network(name, "random", [layer], seed=3)
    assert len(network.model.layers) < len(build(name).layers)
    (features,) = run(network, x).values()
    assert np.isfinite(features).all()
    assert 0 < np.abs(features).mean() < 1e4
    again = load_network(name, "random", [layer], seed=3)
    np.testing.assert_array_equal(run(again, x)[layer], features)


TRAINED_ON = {
    **{"vgg16": "vgg16", "pocket": "vgg16", "squeezenet": "vgg16"},  # all three on BGR without the mean colour
    **{"inception_v3": "inception_v3", "resnet50": "resnet", "resnet50_v2": "resnet_v2", "densenet121": "densenet"},
    **{"mobilenet_v3_small": "mobilenet_v3", "efficientnet_b0": "efficientnet", "convnext_tiny": "convnext"},
}


@pytest.mark.parametrize("name", TRAINED_ON)
def test_a_network_gets_pictures_as_its_weights_were_trained_on(name, picture):
    ours = PREPROCESSINGS[family_of(name).preprocessing].normalise(picture)
    theirs = getattr(keras.applications, TRAINED_ON[name]).preprocess_input(picture.copy())
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_only_what_is_needed_is_kept():
    network = load_network("vgg16", "random", ["block1_conv2", "block2_conv1"])
    assert [layer.name for layer in network.model.layers][-2:] == ["block1_pool", "block2_conv1"]
    assert set(network.model.output) == {"block1_conv2", "block2_conv1"}


def test_squeezenet_has_the_published_topology():
    model = build("squeezenet")
    assert sum(np.prod(weight.shape) for weight in model.weights) == 722_496
    channels = {layer.name: layer.output.shape[-1] for layer in model.layers}
    assert [channels[f"fire{i}"] for i in range(2, 10)] == [128, 128, 256, 256, 384, 384, 512, 512]


def test_the_published_squeezenet_loads_and_sees(monkeypatch):
    path = shared("weights/squeezenet_notop.h5")
    assert hashlib.md5(path.read_bytes()).hexdigest() == squeezenet.MD5
    network = load_network("squeezenet", str(path), ["fire9"])
    kernel = network.model.get_layer("fire2_expand3x3").get_weights()[0]
    with h5py.File(path) as file:
        group = file["fire2/expand3x3"]
        (theirs,) = [group[n][()] for n in group.attrs["weight_names"] if group[n].ndim == 4]
    np.testing.assert_array_equal(kernel, theirs)


@pytest.mark.parametrize("with_top", [False, True])
def test_the_legacy_format_is_read_by_layer_name(with_top, tmp_path, x):
    model = small_model()
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if with_top else file
        names = []
        for layer in model.layers:
            group = root.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{i}:0".encode() for i, _ in enumerate(layer.weights)]
            for i, weight in enumerate(layer.get_weights()):
                group[f"{layer.name}/{i}:0"] = weight
            names.append(layer.name.encode())
        if with_top:
            root.create_group("predictions").attrs["weight_names"] = []
            names.append(b"predictions")
        root.attrs["layer_names"] = names
    (tmp_path / "m.keras").touch()
    from dreamscripts.networks.weights import load_file

    other = small_model()
    other.set_weights([0 * w for w in other.get_weights()])
    load_file(other, path)
    for mine, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_that_keras_saved_today_load(tmp_path, x):
    vgg = load_network("pocket", "random", ["block5_conv3"], seed=5)
    whole = build("pocket")
    fill_at_random(whole, 5)
    whole.save_weights(tmp_path / "a.weights.h5")
    whole.save(tmp_path / "a.keras")
    for file in ("a.weights.h5", "a.keras"):
        loaded = load_network("pocket", str(tmp_path / file), ["block5_conv3"])
        np.testing.assert_array_equal(run(loaded, x)["block5_conv3"], run(vgg, x)["block5_conv3"])


@pytest.mark.parametrize("shape", [(None, None, 3), (32, 32, 3), (3, 32, 32)])
def test_a_model_of_ones_own_dreams_at_any_size(shape, tmp_path, x):
    model = small_model(shape, "channels_first" if shape[0] == 3 else "channels_last")
    model.save(tmp_path / "own.keras")
    network = load_network(str(tmp_path / "own.keras"), layers=["first", "second"], preprocessing="tf")
    features = run(network, x)
    assert features["first"].shape == (1, 64, 80, 4)
    assert features["second"].shape == (1, 32, 40, 6)
    kernel, bias = model.get_layer("first").get_weights()
    at = x[9:12, 19:22].astype(np.float32)
    expected = np.maximum(np.tensordot(at, kernel, axes=3) + bias, 0)
    np.testing.assert_allclose(features["first"][0, 10, 20], expected, rtol=1e-4, atol=1e-3)
    assert network.preprocessing.name == "tf"


@pytest.mark.parametrize("side", [None, 32])
def test_a_sequential_model_serves_as_well_dense_layers_and_all(side, tmp_path, x):
    model = keras.Sequential(
        [
            keras.Input((side, side, 3)),
            LAYERS.Conv2D(4, 3, activation="relu", name="first"),
            LAYERS.MaxPooling2D(2),
            LAYERS.Conv2D(6, 3, name="second"),
            LAYERS.GlobalAveragePooling2D() if side is None else LAYERS.Flatten(),
            LAYERS.Dense(2),
        ]
    )
    model.save(tmp_path / "own.keras")
    network = load_network(str(tmp_path / "own.keras"), layers=["second"], preprocessing="none")
    assert run(network, x)["second"].shape == (1, 29, 37, 6)
    names = [facts.name for facts in describe_layers(build(str(tmp_path / "own.keras")))]
    assert names[0] == "first"
    assert "second" in names
    assert len(names) == 3


def refusal(*arguments, **options):
    with pytest.raises(NetworkError) as error:
        load_network(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mistakes_are_answered_with_what_there_is(tmp_path):
    assert "did you mean 'vgg16'" in refusal("vgg_16")
    assert "did you mean 'block4_conv1'" in refusal("pocket", layers=["block4conv1"])
    assert "`dreamscripts layers pocket`" in refusal("pocket", layers=["mixed3"])
    assert all("no ImageNet weights" in refusal(name, "imagenet") for name in SHIPPED)
    assert "has its own preprocessing" in refusal("pocket", preprocessing="tf")
    assert "no such model file" in refusal(str(tmp_path / "own.keras"))
    (tmp_path / "own.keras").write_bytes(b"not a zip")
    assert "is not a model that Keras saved" in refusal(str(tmp_path / "own.keras"), preprocessing="tf")
    with zipfile.ZipFile(tmp_path / "own.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    assert "is not a model that Keras saved" in refusal(str(tmp_path / "own.keras"), preprocessing="tf")
    (tmp_path / "own.npz").touch()
    assert "must be a .keras or .h5 file" in refusal(str(tmp_path / "own.npz"), preprocessing="tf")
    (tmp_path / "own.h5").touch()
    assert "is an empty file" in refusal(str(tmp_path / "own.h5"), preprocessing="tf")
    small_model().save_weights(tmp_path / "own.weights.h5")
    assert "--network NAME with --weights" in refusal(str(tmp_path / "own.weights.h5"), preprocessing="tf")
    small_model().save(tmp_path / "own.keras")
    assert "preprocessing=tf" in refusal(str(tmp_path / "own.keras"))
    flat = keras.Sequential([keras.Input((4,)), LAYERS.Dense(2)])
    flat.save(tmp_path / "flat.keras")
    assert "must be one RGB picture" in refusal(str(tmp_path / "flat.keras"), preprocessing="tf")


def test_weights_that_do_not_fit_are_refused_with_the_place(tmp_path):
    for name in ("none.h5", "n" * 300):
        assert "no such weights file" in refusal("vgg16", str(tmp_path / name), ["block1_conv1"])
    for name in ("text.h5", "text.npz"):
        (tmp_path / name).write_text("weights")
    assert "is not a weights file" in refusal("vgg16", str(tmp_path / "text.h5"), ["block1_conv1"])
    assert "is not an archive" in refusal("vgg16", str(tmp_path / "text.npz"), ["block1_conv1"])
    damaged = bytearray(pocket.weights("pocket").read_bytes())
    damaged[1000:2000] = bytes(1000)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    assert "or is damaged" in refusal("pocket", str(tmp_path / "damaged.npz"), ["block1_conv1"])
    np.savez(tmp_path / "few.npz", **{"block1_conv1/kernel": np.zeros((3, 3, 3, 16))})
    assert "no weights for the layer 'block1_conv1'" in refusal("pocket", str(tmp_path / "few.npz"), ["block1_conv1"])
    # pocket's names are VGG16's, its shapes are not
    assert "does not fit vgg16" in refusal("vgg16", str(pocket.weights("pocket")), ["block1_conv1"])
    build("pocket").save(tmp_path / "pocket.keras")
    said = refusal("vgg16", str(tmp_path / "pocket.keras"), ["block1_conv1"])
    assert "'block1_conv1' have the shapes 3×3×3×16, 16, not 3×3×3×64, 64" in said
    small_model().save(tmp_path / "small.keras")
    assert "no weights for the layer 'block1_conv1'" in refusal(
        "vgg16", str(tmp_path / "small.keras"), ["block1_conv1"]
    )


@pytest.mark.parametrize("name", ["vgg16", "squeezenet", "googlenet"])
def test_without_weights_and_connection_the_three_ways_on_are_said(name, monkeypatch):
    def no_connection(*arguments, **options):
        raise Exception("URL fetch failure on https://… : None -- [Errno -3] Temporary failure in name resolution")

    monkeypatch.setattr(keras.utils, "get_file", no_connection)
    monkeypatch.setattr(keras.src.applications.vgg16.file_utils, "get_file", no_connection)
    said = refusal(name, layers=["block1_conv1"])
    assert all(way in said for way in ("connect to the internet", "--weights FILE", *SHIPPED))


def test_a_failure_that_is_not_the_connections_keeps_its_traceback(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(keras.applications, "VGG16", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        applications.build("vgg16", imagenet=True)


def test_the_users_keras_configuration_is_left_as_it_was():
    before = json.dumps([keras.config.image_data_format(), keras.config.floatx()])
    load_network("pocket", layers=["block1_conv1"])
    assert json.dumps([keras.config.image_data_format(), keras.config.floatx()]) == before
