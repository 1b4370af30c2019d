"""Families of networks: a new one is one file, and names are known without Keras."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from dreamscripts import Settings, dream
from dreamscripts.errors import NetworkError
from dreamscripts.networks.family import Family, check_name, family_of, names
from dreamscripts.networks.loading import build, load_network
from dreamscripts.registry import FAMILIES
from dreamscripts.scripts import app
from dreamscripts.settings.layer_equivalents import equivalent


def tiny(name: str) -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="edges")(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="corners")(x)
    return keras.Model(inputs, x, name=name)


def tiny_trained(name: str) -> keras.Model:
    model = tiny(name)
    for i, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(i).normal(0, 0.2, weight.shape))
    return model


@pytest.fixture
def family(monkeypatch):
    known = dict(FAMILIES)
    monkeypatch.setattr(FAMILIES, "_entries", known)
    return FAMILIES.add(
        Family(
            name="tiny",
            networks={"tiny": 0, "tinier": 7},
            preprocessing="torch",
            build=tiny,
            trained=tiny_trained,
            imagenet=False,
            equivalents={(1, 1): "edges", (2, 1): "corners"},
        )
    )


def test_a_new_family_is_loaded_dreamt_with_and_listed(family, rng):
    assert {"tiny", "tinier"} <= set(names())
    network = load_network("tiny", layers=["corners"])
    assert network.preprocessing.name == "torch"
    np.testing.assert_array_equal(network.model.get_layer("edges").get_weights()[0], tiny_trained("").get_weights()[0])
    settings = Settings.model_validate(
        {
            "network": "tiny",
            "features": {"corners": 1.0},
            "optimizer": {"iterations": 1},
            "penalties": {"dream_l2": 0.1},
        }
    )
    picture = rng.uniform(0, 255, (24, 32, 3)).astype(np.float32)
    first, last = dream(picture, settings)
    assert last.loss < first.loss
    listed = CliRunner().invoke(app, ["layers", "tinier"], catch_exceptions=False).stdout.splitlines()
    assert [line.split()[:3] for line in listed[1:]][-2:] == [["edges", "Conv2D", "4"], ["corners", "Conv2D", "4"]]


def test_layers_of_a_new_family_correspond_to_those_of_others(family):
    assert equivalent("corners", "vgg16") == "block2_conv2"
    assert equivalent("block2_conv2", "tiny") == "corners"
    assert equivalent("mixed3", "tiny") is None


def test_a_new_family_takes_random_weights_and_files_and_no_imagenet(family, tmp_path):
    assert not np.array_equal(
        load_network("tiny", "random", ["edges"]).model.get_weights()[0],
        load_network("tiny", "random", ["edges"], seed=1).model.get_weights()[0],
    )
    tiny_trained("tiny").save_weights(tmp_path / "own.weights.h5")
    loaded = load_network("tiny", str(tmp_path / "own.weights.h5"), ["edges"])
    np.testing.assert_array_equal(loaded.model.get_weights()[0], tiny_trained("").get_weights()[0])
    with pytest.raises(NetworkError, match="tiny has no ImageNet weights"):
        load_network("tiny", "imagenet", ["edges"])


def test_two_families_cannot_have_a_network_of_the_same_name(family):
    FAMILIES.add(Family("other", {"tinier": 1}, "caffe", build=tiny, trained=tiny))
    with pytest.raises(ValueError, match="have a network called 'tinier'"):
        names()


def test_networks_in_the_package_and_small_downloads_come_first():
    assert names()[:3] == ("pocket", "pocket_large", "squeezenet")
    sizes = [family_of(name).networks[name] for name in names()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", ["squeezenet", "vgg16", "mobilenet_v2", "densenet121"])
def test_the_size_of_a_download_is_that_of_the_weights(name):
    megabytes = 4 * sum(np.prod(weight.shape) for weight in build(name).weights) / 1e6
    assert family_of(name).networks[name] == pytest.approx(megabytes, rel=0.05)


def test_a_wrong_name_is_refused_before_keras_is_imported():
    code = """
import sys
from dreamscripts.errors import NetworkError
from dreamscripts.networks.family import check_name
try:
    check_name("vgg_16")
except NetworkError as error:
    print(error)
print(sorted({"keras", "tensorflow", "jax", "torch", "h5py", "scipy"} & sys.modules.keys()))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "did you mean 'vgg16'" in out
    assert out.endswith("[]\n")
    check_name("vgg16")
