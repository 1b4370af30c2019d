"""Settings made for one network, loaded for another."""

import logging
import tomllib

import pytest

from dreamscripts.errors import SettingsError
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.loading import build
from dreamscripts.networks.rewrite.pre_relu import has_relu
from dreamscripts.registry import FAMILIES
from dreamscripts.settings.layer_equivalents import equivalent
from dreamscripts.settings.loading import named, read_text
from dreamscripts.settings.schema import Settings

MEMBERS = {"vgg": "pocket", "squeezenet": "squeezenet", "inception": "inception_v3", "googlenet": "googlenet"}


@pytest.fixture(scope="module")
def models(googlenet_graph):
    """The networks that the named settings are loaded for, and a member of each family."""
    return {name: build(name, str(googlenet_graph)) for name in (*MEMBERS.values(), "pocket_large", "vgg16")}


@pytest.fixture(scope="module")
def strides(models):
    """Of each layer, by family."""
    return {
        family: {facts.name: facts.stride for facts in describe_layers(models[name])}
        for family, name in MEMBERS.items()
    }


@pytest.fixture
def load(caplog):
    """Settings by name and overrides, and the warnings that they gave."""

    def loaded(name, **overrides):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "dreamscripts"):
            settings = Settings.load(name, **overrides)
        return settings, [record.getMessage() for record in caplog.records]

    return loaded


def replacements(said):
    """How many layers were replaced, by the warnings."""
    return len([line for line in said if "is not a layer of" in line])


def weights(settings):
    return {layer: feature.weight for layer, feature in settings.features.items()}


def test_every_layer_in_the_tables_is_in_its_network(strides):
    assert {name for name, family in FAMILIES.items() if family.equivalents} == {"pocket", *MEMBERS}
    for family in MEMBERS:
        assert set(FAMILIES[family].equivalents.values()) <= strides[family].keys()


def test_layers_at_the_same_place_have_about_the_same_stride(strides):
    for place in FAMILIES["vgg"].equivalents:
        layers = {family: FAMILIES[family].equivalents.get(place) for family in MEMBERS}
        along = [strides[family][layer] for family, layer in layers.items() if layer]
        assert len(along) > 2
        assert max(along) <= 2 * min(along), place


def test_whatever_stands_in_is_a_layer_of_the_network_in_about_the_same_place(strides):
    stood_in = 0
    for family, network in MEMBERS.items():
        for other in set(MEMBERS) - {family}:
            for layer in strides[other].keys() - strides[family].keys():
                if found := equivalent(layer, network):
                    assert 1 / 2 <= strides[family][found] / strides[other][layer] <= 2
                    stood_in += 1
    assert stood_in > 40


@pytest.mark.parametrize("name", [*named()])
@pytest.mark.parametrize("network", ["pocket", "pocket_large", "vgg16", "squeezenet", "googlenet"])
def test_every_named_settings_file_loads_for_the_networks_at_hand(name, network, models, load):
    guide = {"guide.picture": "any.jpg"} if name == "caffe_guided" else {}
    settings, said = load(name, network=network, **guide)
    model = models[network]
    channels = {facts.name: facts.channels for facts in describe_layers(model)}
    for layer, feature in settings.features.items():
        whole = layer if layer in channels else layer.removesuffix("_pre_relu")
        assert whole == layer or has_relu(model.get_layer(whole))
        assert max(feature.channels or [0]) < channels[whole]
    instead = tomllib.loads(read_text(name)).get("instead", {})
    if network in instead:  # of its own choice, and nothing stands in for it
        assert settings.features == Settings(features=instead[network]).features
        assert said == []
        return
    own = load(name, **guide)[0]
    assert sum(weights(settings).values()) == pytest.approx(sum(weights(own).values()))
    assert replacements(said) == len(own.features.keys() - settings.features.keys())


def test_a_layer_that_the_network_has_needs_no_stand_in(load):
    for network in ("pocket", "pocket_large", "vgg16", "vgg19"):
        assert equivalent("block5_conv1", network) is None
        settings, said = load("bad_trip", network=network)
        assert (settings.features, said) == (load("bad_trip")[0].features, [])
    assert equivalent("fire6", "squeezenet") is equivalent("mixed3", "inception_v3") is None


def test_another_familys_layer_is_replaced_with_a_warning_for_each(load, tmp_path):
    settings, said = load("tutorial_simple", network="pocket")
    assert weights(settings) == {"block5_conv1": 1, "block5_conv2": 1}
    assert said == [
        "mixed3 is not a layer of pocket; using block5_conv1 instead",
        "mixed5 is not a layer of pocket; using block5_conv2 instead",
    ]
    (tmp_path / "again.toml").write_text(settings.to_toml())
    assert load(tmp_path / "again.toml") == (settings, [])


def test_layers_with_the_same_stand_in_add_their_weights(load):
    settings, said = load("keras_inception", network="pocket")
    assert weights(settings) == {"block5_conv2": 1 + 1.5, "block5_conv3": 2 + 2.5}
    assert replacements(said) == 4


def test_a_stand_in_beside_the_layer_itself_adds_to_it(load):
    settings, _ = load("bad_trip", **{"features.fire4": 1.0})
    assert weights(settings) == {"block4_conv1": 1.05, "block4_conv2": 0.01, "block4_conv3": 0.01}


def test_the_greatest_score_is_left_out_with_a_warning_where_layers_stand_in(load):
    settings, said = load("keras_inception", network="pocket")
    optimizer = settings.optimizer
    assert (optimizer.max_score, optimizer.clip, optimizer.iterations) == (None, True, 10)
    assert said[-1] == (
        "optimizer.max_score is ignored, because scores of pocket have a different scale; using optimizer.clip = true "
        "and optimizer.iterations = 10 instead"
    )
    assert load("keras_inception", network="pocket", **{"optimizer.iterations": 7})[0].optimizer.iterations == 7
    settings, said = load("keras_inception")
    assert (settings.optimizer.max_score, said) == (15, [])


def test_channels_cannot_be_carried_over():
    chosen = {"features.mixed3": {"weight": 1, "channels": [3]}}
    with pytest.raises(SettingsError, match=r"^mixed3 is not a layer of pocket; it corresponds to block5_conv1, but"):
        Settings.load("tutorial_simple", network="pocket", **chosen)
    assert Settings.load("tutorial_simple", **chosen).features["mixed3"].channels == {3: 1}


def test_a_layer_at_several_places_corresponds_to_the_first_of_them():
    assert equivalent("fire9", "googlenet") == "mixed4d"
    assert equivalent("relu_conv1", "pocket") == "block1_conv2"


def test_what_the_table_does_not_know_is_left_alone(load):
    for layer, network in [("mixed3", "resnet50"), ("mixed3", "own.keras"), ("mixed", "pocket"), ("conv1", "pocket")]:
        assert equivalent(layer, network) is None
    settings, said = load("tutorial_simple", network="resnet50")
    assert (weights(settings), said) == ({"mixed3": 1, "mixed5": 1}, [])
    assert equivalent("block3_conv1", "inception_v3") is None  # so large a stride has none so small
