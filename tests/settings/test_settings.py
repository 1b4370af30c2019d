import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from dreamscripts.errors import SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.losses.named import measure, penalty
from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings
from dreamscripts.registry import MEASURES, PENALTIES
from dreamscripts.scripts.keras_example import AS_IN_THE_EXAMPLE
from dreamscripts.settings.loading import folder, named, parse_override
from dreamscripts.settings.schema import Settings, check_type
from dreamscripts.settings.tables import Feature, Jitter, Octaves, Tiles

BLOCK4 = {"block4_conv1": 0.05, "block4_conv2": 0.01, "block4_conv3": 0.01}
BLOCK5 = {"block5_conv1": 0.05, "block5_conv2": 0.02}


def as_features(weights):
    return {layer: Feature(weight=weight) for layer, weight in weights.items()}


@pytest.mark.parametrize(
    ("name", "features", "continuity", "dream_l2", "noise", "size"),
    [
        ("bad_trip", BLOCK4, 0.01, 0.8, 5, 800),
        ("dreamy", BLOCK5, 0.1, 0.02, 0, 800),
        ("keras_bad_trip", BLOCK4, 0.1, 0.8, 5, 600),
        ("keras_dreamy", BLOCK5, 0.1, 0.02, 0, 600),
        ("cool_trip", {"block5_conv3": 0.1}, 0.1, 0.02, 5, 800),
        ("hardcore", {"block5_conv3": 0.9, "block5_conv2": 0.9}, 0.1, 0.02, 5, 800),
    ],
)
def test_the_named_settings_have_the_published_features_and_penalties(
    name, features, continuity, dream_l2, noise, size
):
    settings = Settings.load(name)
    assert settings.features == as_features(features)
    assert tomllib.loads(settings.to_toml())["features"] == features  # bare numbers, as they were written
    assert (settings.penalties.continuity, settings.penalties.dream_l2) == (continuity, dream_l2)
    assert (settings.jitter.noise, settings.size) == (noise, size)
    assert (settings.network, settings.weights, settings.optimizer.name) == ("vgg16", None, "lbfgs")
    assert (settings.optimizer.max_change is None) == (settings.optimizer.where == "scipy") == name.startswith("keras_")


@pytest.mark.parametrize(("name", "iterations"), [("keras_bad_trip", 5), ("keras_dreamy", 5), ("bad_trip", 15)])
def test_the_keras_example_runs_scipys_lbfgs_without_bounds_at_one_size(name, iterations):
    settings = Settings.load(name, **({} if name.startswith("keras_") else AS_IN_THE_EXAMPLE))
    assert settings.optimizer == LbfgsSettings(iterations=iterations, passes=7)
    assert (settings.octaves, settings.jitter.shift) == (Octaves(), 0)


def test_every_named_settings_file_begins_with_a_line_of_comment():
    assert set(named()) == {path.stem for path in folder().glob("*.toml")} >= {"bad_trip", "dreamy"}
    assert all(10 < len(comment) <= 58 for comment in named().values())


def test_a_path_works_as_well_as_a_name(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[features]\nblock3_conv1 = 0.5\n")
    assert Settings.load(file) == Settings.load(str(file)) == Settings(features={"block3_conv1": 0.5})


def test_overrides_replace_single_values_and_whole_tables():
    settings = Settings.load(
        "bad_trip", network="squeezenet", **{"optimizer.iterations": 3, "features": {"fire6": 0.1}}
    )
    assert (settings.network, settings.optimizer.iterations) == ("squeezenet", 3)
    assert settings.features == as_features({"fire6": 0.1})
    without = Settings.load("bad_trip", **{"features.block4_conv1": 0})
    assert without.features == as_features({"block4_conv2": 0.01, "block4_conv3": 0.01})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.iterations=5", ("optimizer.iterations", 5)),
        ("jitter.noise = 2.5", ("jitter.noise", 2.5)),
        ("network=vgg16", ("network", "vgg16")),
        ("network='vgg16'", ("network", "vgg16")),
        ("weights=my/vgg.h5", ("weights", "my/vgg.h5")),
        ("features={fire6 = 0.1}", ("features", {"fire6": 0.1})),
    ],
)
def test_set_takes_a_toml_value_or_a_bare_word(text, expected):
    assert parse_override(text) == expected


weights = st.floats(0.001, 1e6)
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=10)
features = weights | st.fixed_dictionaries(
    {"weight": weights},
    optional={
        "measure": st.sampled_from(["l2", "mean", "mean_square", "energy", "neuron", "guide"]),
        "channels": st.lists(st.integers(0, 2000), min_size=1, max_size=3, unique=True)
        | st.dictionaries(st.integers(0, 2000), weights | st.floats(-1e6, -0.001), min_size=1, max_size=3),
    },
)
tables = st.fixed_dictionaries(
    {
        "guide": st.builds(dict, picture=text),
        "jitter": st.builds(dict, noise=st.floats(0.001, 255), rotate=st.floats(0, 180), scale=st.floats(0, 0.99)),
    },
    optional={
        "size": st.integers(1, 20_000),
        "weights": text,
        "instead": st.dictionaries(st.text(max_size=5), st.dictionaries(st.text(max_size=5), features), max_size=2),
        "octaves": st.builds(dict, kind=st.sampled_from(["grown", "split"]), scale=st.floats(1.01, 8)),
        "tiles": st.builds(dict, kind=st.sampled_from(["tutorial", "notebook"]), size=st.integers(1, 1000)),
        "penalties": st.builds(dict, diversity=weights),
        "optimizer": st.builds(dict, name=st.just("adam"), max_score=st.none() | weights, clip=st.booleans())
        | st.builds(dict, name=st.sampled_from(["adam", "gradient_ascent"]), laplacian=st.integers(0, 12))
        | st.fixed_dictionaries({"parameters": st.sampled_from(["pixels", "fourier"])})
        | st.builds(dict, where=st.sampled_from(["scipy", "device"]), history=st.integers(1, 100)),
    },
)


@given(st.dictionaries(st.text(min_size=1, max_size=12), features, min_size=1, max_size=4), tables)
def test_what_is_written_as_toml_reads_back_to_the_same(features, tables):
    settings = Settings(features={"a guided one": {"weight": 1, "measure": "guide"}} | features, **tables)
    assert Settings.model_validate(tomllib.loads(settings.to_toml())) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings  # as run.json has it


def test_a_layer_says_its_measure_and_its_channels_in_a_table():
    settings = Settings(measure="mean", features={"a": 1, "b": {"weight": 2, "measure": "energy", "channels": [3, 5]}})
    assert settings.features == {"a": Feature(weight=1), "b": Feature(weight=2, measure="energy", channels=[3, 5])}
    written = tomllib.loads(settings.to_toml())["features"]
    assert written == {"a": 1, "b": {"weight": 2, "measure": "energy", "channels": [3, 5]}}
    with pytest.raises(SettingsError, match="measure"):
        Settings.load("bad_trip", **{"features": {"fire6": {"weight": 1, "measure": "guide"}}})
    guided = Settings.load("bad_trip", measure="guide", **{"guide.picture": "bird.jpg"})
    assert (guided.guide.picture, guided.guide.size) == (str(Path("bird.jpg").absolute()), 224)


@pytest.mark.parametrize(
    ("written", "meant", "again"),
    [
        ("[139, 65]", {139: 1, 65: 1}, [139, 65]),
        ("{139 = 1, 65 = 1.0}", {139: 1, 65: 1}, [139, 65]),
        ("{139 = 1, 65 = -0.5}", {139: 1, 65: -0.5}, {"139": 1, "65": -0.5}),
        ('{"0" = 0.5}', {0: 0.5}, {"0": 0.5}),
        ("[7]", {7: 1}, [7]),
    ],
)
def test_channels_are_a_list_or_a_table_of_weights_and_written_the_shorter_way(written, meant, again, tmp_path):
    (tmp_path / "some.toml").write_text(f"[features]\na = {{weight = 2, channels = {written}}}\n")
    settings = Settings.load(tmp_path / "some.toml")
    assert settings.features["a"].channels == meant
    assert list(settings.features["a"].channels) == list(meant)  # in the order they were named
    assert tomllib.loads(settings.to_toml())["features"]["a"]["channels"] == again
    (tmp_path / "again.toml").write_text(settings.to_toml())
    assert Settings.load(tmp_path / "again.toml") == settings


INSTEAD = """
network = "googlenet"
features = {mixed4c = 2}
[instead.squeezenet]
fire7_pre_relu = {weight = 1, channels = [17]}
fire6 = 0.5
[instead.pocket]
block5_conv2 = 3
"""


def test_another_network_may_have_features_of_its_own(tmp_path):
    file = tmp_path / "some.toml"
    file.write_text(INSTEAD)
    fires = {"fire7_pre_relu": Feature(weight=1, channels=[17]), "fire6": Feature(weight=0.5)}
    for network, expected in [
        (None, as_features({"mixed4c": 2})),
        ("googlenet", as_features({"mixed4c": 2})),
        ("resnet50", as_features({"mixed4c": 2})),  # which has none of its own
        ("squeezenet", fires),
        ("pocket", as_features({"block5_conv2": 3})),
    ]:
        settings = Settings.load(file, **({"network": network} if network else {}))
        assert (settings.network, settings.features) == (network or "googlenet", expected)
        assert "instead" not in tomllib.loads(settings.to_toml())
        assert Settings.model_validate(tomllib.loads(settings.to_toml())) == settings
    file.write_text(INSTEAD.replace('"googlenet"', '"squeezenet"', 1))  # said in the file is as good as on the line
    assert Settings.load(file).features == fires


def test_channels_chosen_for_one_network_are_never_taken_for_anothers(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        network = "vgg16"
        [features]
        block5_conv2 = {weight = 1, channels = [7]}
        block5_conv1 = 2
        [instead.pocket]
        block5_conv2 = {weight = 1, channels = [3]}
        """
    )
    assert Settings.load(file).features["block5_conv2"].channels == {7: 1}
    assert Settings.load(file, network="pocket").features["block5_conv2"].channels == {3: 1}
    for network in ("vgg19", "pocket_large", "mine.keras"):  # which may have a layer of the same name
        with pytest.raises(
            SettingsError, match=rf'mine.toml: .*block5_conv2 were chosen for vgg16.*instead\."?{network}'
        ):
            Settings.load(file, network=network)
        with pytest.raises(SettingsError, match="chosen for vgg16"):
            Settings.load(file, network=network, **{"features.block5_conv2.weight": 2})
    chosen = {"features.block5_conv2.channels": [8]}
    assert Settings.load(file, network="vgg19", **chosen).features["block5_conv2"].channels == {8: 1}
    assert Settings.load(file, network="vgg19", features={"block5_conv1": 2}).features.keys() == {"block5_conv1"}
    # A model of one's own may have moved, or learned some more.
    file.write_text('network = "mine.keras"\n[features]\nconv2d = {weight = 1, channels = [7]}')
    assert Settings.load(file, network="folder/mine.keras").features["conv2d"].channels == {7: 1}
    for copy in ("folder/mine.h5", "mine.hdf5"):
        assert Settings.load(file, network=copy).features["conv2d"].channels == {7: 1}


def test_overrides_are_laid_over_the_other_networks_own_features(tmp_path):
    file = tmp_path / "some.toml"
    file.write_text(INSTEAD)
    settings = Settings.load(file, network="squeezenet", **{"features.fire6": 0, "features.fire7_pre_relu.weight": 4})
    assert settings.features == {"fire7_pre_relu": Feature(weight=4, channels=[17])}
    settings = Settings.load(file, network="pocket", **{"features.block4_conv1": 1})
    assert settings.features == as_features({"block5_conv2": 3, "block4_conv1": 1})
    settings = Settings.load(file, network="pocket", features={"block4_conv1": 1})
    assert settings.features == as_features({"block4_conv1": 1})


def test_out_of_noise_a_picture_has_the_size_that_the_settings_say():
    for name in ("notebook_naive", "fourier"):
        settings = Settings.load(name)
        assert (settings.start, settings.size) == ("noise", 224)
        assert Settings.load(name, start="photograph", size=None).size is None
        with pytest.raises(SettingsError, match='start = "noise" needs a size; set size'):
            Settings.load(name, size=None)


NOTEBOOK = {
    "notebook_naive": ({}, None, {"iterations": 20, "normalise": "std", "laplacian": 0}),
    "notebook_multiscale": ({"count": 3}, 512, {"iterations": 10, "normalise": "std", "laplacian": 0}),
    "notebook_lapnorm": ({"count": 3}, 512, {"iterations": 10, "normalise": "none", "laplacian": 4}),
    "notebook_mixture": ({"count": 4}, 512, {"iterations": 10, "normalise": "none", "laplacian": 4}),
}


@pytest.mark.parametrize("name", NOTEBOOK)
def test_the_notebooks_settings_have_its_constants(name):
    octaves, tiles, optimizer = NOTEBOOK[name]
    settings = Settings.load(name)
    ((layer, feature),) = settings.features.items()
    channels = {139, 65} if name == "notebook_mixture" else {139}
    assert (layer, set(feature.channels)) == ("mixed4d_3x3_bottleneck_pre_relu", channels)
    assert (settings.network, settings.measure, settings.start, settings.size) == ("googlenet", "mean", "noise", 224)
    assert (settings.octaves.count, settings.octaves.scale) == (octaves.get("count", 1), 1.4)
    assert settings.octaves.kind == ("grown" if octaves else "plain")
    assert settings.tiles == (Tiles(kind="notebook", size=tiles) if tiles else None)
    said = {key: getattr(settings.optimizer, key) for key in ("name", "passes", "step", *optimizer)}
    assert said == {"name": "gradient_ascent", "passes": 1, "step": 1.0} | optimizer
    assert settings.jitter == Jitter()


def test_a_picture_is_as_good_as_the_file_it_was_made_with(tmp_path, picture):
    settings = Settings.load("dreamy", seed=7)
    save_picture(picture, tmp_path / "dream.png", settings.to_toml())
    assert Settings.load(tmp_path / "dream.png") == settings


def test_a_value_is_found_by_its_dotted_key():
    settings = Settings.load("bad_trip")
    assert settings.value("size") == 800
    assert settings.value("penalties.dream_l2") == 0.8
    assert settings.value("features.block5_conv1") is None
    assert settings.value("size.of.nothing") is None


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"netwrok": "pocket"}, ["netwrok", "did you mean 'network'"]),
        ({"optimizer.iteration": 5}, ["optimizer.iteration", "did you mean 'optimizer.iterations'"]),
        ({"dream_l2": 5}, ["dream_l2", "did you mean 'penalties.dream_l2'"]),
        ({"SIZE": 5}, ["SIZE", "did you mean 'size'"]),
        ({"penalties.continuity": -0.1}, ["penalties.continuity", "at least 0"]),
        ({"penalties.dream_l2": float("nan")}, ["penalties.dream_l2", "finite"]),
        ({"features.block4_conv1": float("inf")}, ["features.block4_conv1", "finite"]),
        ({"features.block4_conv1": "lots"}, ["features.block4_conv1", "'lots'", "number"]),
        ({"size": 0}, ["size", "at least 1"]),
        ({"optimizer.iterations": 2.5}, ["optimizer.iterations", "whole number"]),
        ({"optimizer.name": "sgd"}, ["optimizer.name", "'lbfgs'", "'adam'"]),
        ({"optimizer.name": "adam", "optimizer.step": 0}, ["optimizer.step", "above 0"]),
        ({"optimizer.name": "gradient_ascent", "optimizer.normalise": "max"}, ["optimizer.normalise", "'std'"]),
        ({"optimizer.where": "gpu"}, ["optimizer.where", "'scipy'", "'device'"]),
        ({"optimizer.history": 0}, ["optimizer.history", "at least 1"]),
        ({"optimizer.history": 101}, ["optimizer.history", "at most 100"]),
        ({"measure": "l3"}, ["measure", "'l2'"]),
        ({"network": "vgg61"}, ["there is no network called 'vgg61' (did you mean 'vgg"]),
        ({"precision": "half"}, ["precision = 'half': should be 'auto', 'float32', 'tf32' or 'mixed_bfloat16'"]),
        ({"measure": "means"}, ["measure = 'means': should be ", "did you mean 'mean'"]),
        ({"measure": 3}, ["measure = 3", "text"]),
        ({"features.block4_conv1": {"weight": 1, "measure": "l22"}}, ["features.block4_conv1.measure", "mean 'l2'"]),
        ({"measure": "guide"}, ["measure", "--guide"]),
        ({"penalties.dreem_l2": 1}, ["there is no setting 'penalties.dreem_l2' (did you mean 'penalties.dream_l2'"]),
        ({"penalties": 3}, ["penalties = 3", "should be a table"]),
        ({"features.block4_conv1": {"weight": 1, "measure": "guide"}}, ["measure", "--guide"]),
        ({"features.block4_conv1": {"weight": 1, "channels": []}}, ["features.block4_conv1.channels", "at least 1"]),
        ({"features.block4_conv1": {"weight": 1, "channels": {}}}, ["features.block4_conv1.channels", "at least 1"]),
        (
            {"features.block4_conv1": {"weight": 1, "channels": [-1]}},
            ["channels.-1 = -1", "at least 0"],
        ),
        ({"features.block4_conv1": {"weight": 1, "channels": [0.5]}}, ["channels.0.5", "whole number"]),
        ({"features.block4_conv1": {"weight": 1, "channels": [[3, 5]]}}, ["channels = [[3, 5]]"]),
        ({"features.block4_conv1": {"weight": 1, "channels": 3}}, ["channels = 3", "should be a table"]),
        (
            {"features.block4_conv1": {"weight": 1, "channels": {"first": 1}}},
            ["channels.first = 'first'", "whole"],
        ),
        ({"features.block4_conv1": {"weight": 1, "channels": {"3": "lots"}}}, ["channels.3 = 'lots'", "number"]),
        ({"features.block4_conv1": {"weight": 1, "channels": {"3": float("nan")}}}, ["channels.3", "finite"]),
        ({"features.block4_conv1": {"weigth": 1}}, ["there is no setting", "block4_conv1.weigth"]),
        ({"octaves.above": 3, "octaves.count": 3}, ["octaves.above = 3 must be less than octaves.count = 3"]),
        (
            {"octaves.above": 1, "octaves.count": 3, "octaves.kind": "grown"},
            ["octaves.above cannot be used with kind"],
        ),
        ({"octaves": 3}, ["octaves = 3", "should be a table"]),
        ({"guide.picture": "a.png"}, ["there is a guide picture, but no layer has measure"]),
        ({"octaves.kind": "carry"}, ["octaves.kind", "'carried'"]),
        ({"octaves.scale": 1}, ["octaves.scale", "above 1"]),
        ({"octaves.count": 0}, ["octaves.count", "at least 1"]),
        ({"octave.count": 2}, ["'octave.count' (did you mean 'octaves.count'"]),
        ({"octaves": 2}, ["octaves = 2: should be a table; set the keys in it, such as octaves.kind"]),
        ({"features": "conv1"}, ["features = 'conv1': should be a table; set the keys in it, such as features.LAYER"]),
        ({"instead": 1}, ["instead = 1: should be a table; set the keys in it, such as instead.NETWORK"]),
        ({"tiles.size": 0}, ["tiles.size", "at least 1"]),
        ({"tiles.sise": 64}, ["tiles.sise", "did you mean 'tiles.size'"]),
        ({"guide.size": 64}, ["guide.picture is missing"]),
        ({"jitter.shift": 0.5}, ["jitter.shift", "whole number"]),
        ({"jitter.rotate": -1}, ["jitter.rotate", "at least 0"]),
        ({"jitter.rotate": 181}, ["jitter.rotate", "at most 180"]),
        ({"jitter.scale": -0.1}, ["jitter.scale", "at least 0"]),
        ({"jitter.scale": 1}, ["jitter.scale", "below 1"]),
        ({"penalties.diversity": -1}, ["penalties.diversity", "at least 0"]),
        ({"start": "noisy"}, ["start", "'photograph'", "'noise'"]),
        ({"start": "noise", "size": None}, ['start = "noise" needs a size']),
        ({"optimizer.parameters": "pixel"}, ["optimizer.parameters", "'pixels'", "'fourier'"]),
        ({"optimizer.name": "adam", "optimizer.laplacian": -1}, ["optimizer.laplacian", "at least 0"]),
        ({"optimizer.name": "adam", "optimizer.laplacian": 13}, ["optimizer.laplacian", "at most 12"]),
        (
            {"optimizer.name": "adam", "optimizer.parameters": "fourier", "optimizer.laplacian": 2},
            ["optimizer.laplacian works only with pixels"],
        ),
        (
            {"optimizer.step": 99},
            ["lbfgs has no setting 'optimizer.step'; adam and gradient_ascent have it"],
        ),
        ({"optimizer.step": 1.5}, ["lbfgs has no setting 'optimizer.step'"]),
        ({"optimizer.laplacain": 4}, ["there is no setting 'optimizer.laplacain' (did you mean 'optimizer.laplacian'"]),
        ({"optimizer.name": "adam", "optimizer.history": 5}, ["adam has no setting 'optimizer.history'; lbfgs has it"]),
        ({"optimizer": {"name": "adam", "where": "device"}}, ["adam has no setting 'optimizer.where'; lbfgs has it"]),
        ({"optimizer": {"name": ["adam"]}}, ["optimizer.name = ['adam']", "'lbfgs'"]),
        ({"optimizer": {"name": "adm"}}, ["did you mean 'adam'"]),
        ({"optimizer": "adam"}, ["optimizer = 'adam'", "should be a table"]),
        ({"octaves.kind": "plian"}, ["did you mean 'plain'"]),
        ({"octaves.kind": 3}, ["octaves.kind = 3", "text"]),
        ({"optimizer.iterations": "none"}, ["optimizer.iterations = 'none'", "whole number"]),
        (
            {"optimizer.parameters": "fourier", "optimizer.max_change": 2},
            ["optimizer.max_change works only with pixels"],
        ),
        ({"optimizer.max_change": 0}, ["optimizer.max_change", "above 0"]),
        ({"instead": 3}, ["instead = 3", "should be a table"]),
        ({"instead.pocket": ["fire6"]}, ["instead.pocket", "should be a table"]),
        ({"instead.pocket": {"fire6": "lots"}}, ["instead.pocket.fire6", "'lots'", "number"]),
        ({"network": ["pocket"], "instead": {"pocket": {"fire6": 1}}}, ["network", "['pocket']", "text"]),
        ({"network.size": 3}, ["network.size", "'network' is a value"]),
        ({"features": {}}, ["features", "at least one layer"]),
        ({"features": {"fire6": 0}}, ["features", "at least one layer"]),
        ({"preprocessing": "cafe"}, ["preprocessing", "'caffe'"]),
        ({"size": True}, ["size = True", "whole number"]),
        ({"size": "96"}, ["size = '96'", "whole number"]),
        ({"size": 96.0}, ["size = 96.0", "whole number"]),
        ({"size": {"a": 1}}, ["size = {'a': 1}", "whole number"]),
        ({"optimizer.clip": 1}, ["optimizer.clip = 1", "true or false"]),
        ({"penalties.dream_l2": "0.5"}, ["penalties.dream_l2 = '0.5'", "number"]),
        ({"penalties.dream_l2": True}, ["penalties.dream_l2 = True", "number"]),
        ({"penalties.dream_l2": 1e300}, ["penalties.dream_l2 = 1e+300", "from 1e-30 to 1e+30"]),
        ({"penalties.dream_l2": 1e-300}, ["penalties.dream_l2 = 1e-300", "from 1e-30 to 1e+30"]),
        ({"seed": 2**63}, ["seed", "below 9223372036854775808"]),
        ({"seed": 16**5000}, ["seed = 2**20000...", "below"]),
        ({"jitter.shift": 10**20}, ["jitter.shift", "at most 20000"]),
        ({"jitter.noise": 256}, ["jitter.noise", "at most 255"]),
        ({"optimizer.iterations": 10**12}, ["optimizer.iterations", "at most 1000000"]),
        ({"optimizer.passes": 10**12}, ["optimizer.passes", "at most 1000000"]),
        ({"features.block4_conv1": {"weight": 1, "channels": [3, 5, 3]}}, ["channels", "channel 3 is repeated"]),
        (
            {"features.block4_conv1": {"weight": 1, "channels": {"3": 1, "5": 0}}},
            ["channels.5 = 0", "omit the channel"],
        ),
        ({"features.block4_conv1": {"weight": 1, "channels": {"03": 1}}}, ["channels.03", "whole number"]),
        ({"weights": ""}, ["weights = ''", "at least 1 character"]),
        ({"x" * 5000: 1}, ["there is no setting 'xxx", "..."]),
    ],
)
def test_a_mistake_in_a_value_names_the_key_and_what_was_expected(overrides, says):
    with pytest.raises(SettingsError) as mistake:
        Settings.load("bad_trip", **overrides)
    assert all(part in str(mistake.value) for part in says), str(mistake.value)
    assert not any(jargon in str(mistake.value) for jargon in ("\n", "[key]", "ictionary"))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad_tripp", None, "did you mean 'bad_trip'"),
        ("mine.toml", None, "no such settings file"),
        ("mine.toml", b"size = ", "not valid TOML"),
        ("mine.toml", b"\xff\xfe\x00", "is in UTF-16; save it as UTF-8"),
        ("mine.toml", b"size = 1\n# caf\xe9", "not a text file in UTF-8 (line 2 "),
        ("mine.toml", b"a = " + b"[" * 5000, "nested too deeply"),
        ("mine.toml", b"size = " + b"9" * 5000, "thousands of digits"),
        ("mine.toml", b"a." * 50_000 + b"a = 1", "more than 100 parts"),
        ("mine.toml", b"#" * 1_000_001, "larger than 1 MB"),
        ("mine.toml", b"size = 100\n", "[features] is missing"),
        ("mine.toml", b"size = 100\n[feature]\nx = 1\n", "feature"),
        ("mine.png", b"", "not a PNG file"),
        ("mine.png", None, "no such picture"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(name, content, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SettingsError) as mistake:
        Settings.load(name)
    assert name in str(mistake.value)
    assert says in str(mistake.value)


def test_a_byte_order_mark_and_other_newlines_are_no_mistake(tmp_path):
    text = "size = 100\r\n[features]\r\nblock3_conv1 = 0.5\r\n"
    (tmp_path / "mine.toml").write_bytes(text.encode("utf-8-sig"))
    assert Settings.load(tmp_path / "mine.toml") == Settings(size=100, features={"block3_conv1": 0.5})


def test_a_long_message_is_short(tmp_path):
    with pytest.raises(SettingsError) as mistake:
        Settings.load("x" * 5000)
    assert 900 < len(str(mistake.value)) <= 1000
    assert str(mistake.value).startswith("there are no settings called 'xxx")
    assert str(mistake.value).endswith("`dreamscripts settings` lists them")


WITHOUT_EFFECT = [
    ("octaves.scale", "[octaves]\nscale = 2", "octaves.count is 1"),
    ("octaves.kind", "[octaves]\nkind = 'split'", "octaves.count is 1"),
    ("optimizer.history", "[optimizer]\nhistory = 9", 'optimizer.where is "scipy"'),
    ("optimizer.clip", "[optimizer]\nclip = true\nmax_change = 3", "optimizer.max_change keeps"),
    ("optimizer.clip", "[optimizer]\nclip = true\nparameters = 'fourier'", 'optimizer.parameters = "fourier" keeps'),
]


@pytest.mark.parametrize(("key", "table", "reason"), WITHOUT_EFFECT)
def test_a_key_without_effect_is_said_once_and_only_to_the_person_who_wrote_it(key, table, reason, tmp_path, caplog):
    (tmp_path / "mine.toml").write_text(f"[features]\nblock3_conv1 = 0.5\n{table}\n")
    settings = Settings.load(tmp_path / "mine.toml")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{tmp_path / 'mine.toml'}: {key} has no effect, because {reason}")
    caplog.clear()
    (tmp_path / "stored.toml").write_text(settings.to_toml())
    assert Settings.load(tmp_path / "stored.toml") == settings
    assert not caplog.records


def test_a_measure_that_no_layer_uses_is_said(tmp_path, caplog):
    (tmp_path / "mine.toml").write_text('measure = "mean"\nfeatures = {a = {weight = 1, measure = "l2"}}')
    Settings.load(tmp_path / "mine.toml")
    assert "measure has no effect, because every layer" in caplog.text
    caplog.clear()
    Settings.load("bad_trip", **{"optimizer.clip": True})
    assert "bad_trip: optimizer.clip has no effect, because optimizer.max_change keeps" in caplog.text


@pytest.mark.parametrize("name", [*named()])
def test_named_settings_have_no_key_without_effect(name, caplog):
    Settings.load(name, **({"guide.picture": "a.png"} if name == "caffe_guided" else {}))
    assert not caplog.records


def test_a_name_is_no_settings_object():
    with pytest.raises(SettingsError, match=r"not str: use Settings\.load\('bad_trip'\)"):
        check_type("bad_trip")
    with pytest.raises(SettingsError, match="not dict: use Settings"):
        check_type({})


def test_a_penalty_on_similarity_needs_several_pictures():
    settings = Settings(features={"a": 1}, penalties={"diversity": 0.5})
    settings.check_pictures(2)
    with pytest.raises(SettingsError, match=r"penalties\.diversity compares several pictures"):
        settings.check_pictures(1)


def test_a_folder_and_a_strangers_picture_are_no_settings(tmp_path, picture):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SettingsError, match="is a folder"):
        Settings.load(tmp_path / "folder.toml")
    save_picture(picture, tmp_path / "plain.png")
    with pytest.raises(SettingsError, match="contains no settings; use a picture that dreamscripts saved"):
        Settings.load(tmp_path / "plain.png")


def test_tiles_as_a_bare_word_take_a_size_as_well():
    said = Settings.load("bad_trip", **{"tiles": "exact", "tiles.size": 600})
    assert (said.tiles.kind, said.tiles.size) == ("exact", 600)
    assert Settings.load("bad_trip", **{"tiles": "exact"}).tiles.size is None


def test_a_value_that_may_be_unset_is_unset_by_none(tmp_path):
    unset = {"optimizer.max_change": "none", "size": "none", "weights": "none", "tiles": "none"}
    settings = Settings.load("bad_trip", **unset)
    assert (settings.optimizer.max_change, settings.size, settings.weights, settings.tiles) == (None,) * 4
    assert Settings.load("bad_trip", **dict([parse_override("optimizer.max_change=none")])).optimizer.max_change is None
    file = tmp_path / "some.toml"
    file.write_text('preprocessing = "none"\n[features]\na = {weight = 1, measure = "none"}\n')
    assert Settings.load(file).preprocessing == "none"  # which is a preprocessing
    assert Settings.load(file).features["a"].measure is None
    plain = Settings.load("bad_trip", **{"optimizer.name": "gradient_ascent", "optimizer.normalise": "none"})
    assert plain.optimizer.normalise == "none"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("network = vgg16", '; words need quotes: network = "vgg16"'),
        ("  weights = my/vgg.h5  # mine", '; words need quotes: weights = "my/vgg.h5"'),
        ("clip = True", "; use small letters: clip = true"),
        ("size = ", ""),
        ("size = 3 4", ""),
    ],
)
def test_a_word_without_quotes_gets_a_hint(line, hint, tmp_path):
    file = tmp_path / "some.toml"
    file.write_text(f"seed = 1\n{line}\n[features]\na = 1\n")
    with pytest.raises(SettingsError, match=r"some\.toml: is not valid TOML: .*line 2") as mistake:
        Settings.load(file)
    assert str(mistake.value).endswith(hint or ")")


def test_what_an_older_version_called_evaluations_is_read_as_passes(tmp_path):
    old = tmp_path / "old.toml"
    old.write_text("[features]\nblock2_conv1 = 1\n[optimizer]\nevaluations = 4\n")
    assert Settings.load(old).optimizer.passes == 4
    assert Settings.load(old, **{"optimizer.evaluations": 2}).optimizer.passes == 2


def test_a_penalty_and_a_measure_of_a_notebook_are_settings():
    @penalty("coolness", tileable=True)
    def coolness(x, region):
        """Mean of blue."""
        return ops.sum(region.core(x)[..., 0]) / region.positions(x)

    @measure("median")
    def median(f, region):
        """Middle value."""
        return ops.median(region.core(f))

    try:
        settings = Settings(features={"a": 1}, measure="median", penalties={"coolness": 2})
        assert (settings.penalties.coolness, settings.penalties.dream_l2) == (2, 0)
        written = tomllib.loads(settings.to_toml())
        ours = ["continuity", "dream_l2", "total_variation", "coolness", "diversity"]
        assert [name for name in written["penalties"] if name in ours] == ours
        assert Settings.model_validate(written) == settings
    finally:
        PENALTIES.remove("coolness")
        MEASURES.remove("median")
    with pytest.raises(ValueError, match="coolness"):
        Settings(features={"a": 1}, penalties={"coolness": 2})


def test_a_file_name_that_is_not_utf_8_is_refused_because_toml_cannot_contain_it():
    with pytest.raises(SettingsError, match=r"not UTF-8; rename the file: network = .*\\xff.keras") as refused:
        Settings.load("dreamy", **{"network": "\udcff.keras", "features": {"c1": 1}})
    assert "dreamy" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[features]\nblock4_conv1 = 0,05\n", "; use a decimal point: block4_conv1 = 0.05"),
        ("network = “pocket”\n[features]\nblock4_conv1 = 1\n", '; use straight quotes: "'),
        ('size = "800"\n[features]\nblock4_conv1 = 1\n', "size = '800': should be a whole number, without quotes"),
    ],
)
def test_a_slip_of_the_keyboard_is_explained(tmp_path, text, hint):
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError) as error:
        Settings.load(tmp_path / "mine.toml")
    assert str(error.value).endswith(hint)


def test_a_settings_name_with_an_ending_is_recognised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"^bad_trip\.toml: there is no such file; the settings are called bad"):
        Settings.load("bad_trip.toml")


@pytest.mark.parametrize(("kind", "size"), [("tutorial", 512), ("notebook", 512), ("exact", None)])
def test_the_size_none_of_tiles_is_the_default(kind, size):
    for table in ({"kind": kind}, {"kind": kind, "size": "none"}, {"kind": kind, "size": None}):
        assert Settings.load("bad_trip", tiles=table).tiles.size == size
