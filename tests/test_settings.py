import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import SettingsError
from dreamscripts.images import save_picture
from dreamscripts.settings import Feature, Settings, folder, named, parse_override

BLOCK4 = {"block4_conv1": 0.05, "block4_conv2": 0.01, "block4_conv3": 0.01}
BLOCK5 = {"block5_conv1": 0.05, "block5_conv2": 0.02}


def as_features(weights):
    return {layer: Feature(weight=weight) for layer, weight in weights.items()}


@pytest.mark.parametrize(
    ("name", "features", "continuity", "dream_l2", "noise", "size", "iterations"),
    [
        ("bad_trip", BLOCK4, 0.01, 0.8, 5, 800, 15),
        ("dreamy", BLOCK5, 0.1, 0.02, 0, 800, 15),
        ("keras_bad_trip", BLOCK4, 0.1, 0.8, 5, 600, 5),
        ("keras_dreamy", BLOCK5, 0.1, 0.02, 0, 600, 5),
        ("cool_trip", {"block5_conv3": 0.03}, 0.1, 0.02, 5, 800, 15),
        ("hardcore", {"block5_conv3": 0.9, "block5_conv2": 0.9}, 0.1, 0.02, 5, 800, 15),
    ],
)
def test_the_named_settings_have_the_published_constants(name, features, continuity, dream_l2, noise, size, iterations):
    settings = Settings.load(name)
    assert settings.features == as_features(features)
    assert tomllib.loads(settings.to_toml())["features"] == features  # bare numbers, as they were written
    assert (settings.penalties.continuity, settings.penalties.dream_l2) == (continuity, dream_l2)
    assert (settings.jitter.noise, settings.size) == (noise, size)
    assert (settings.optimizer.iterations, settings.optimizer.evaluations) == (iterations, 7)
    assert (settings.network, settings.weights, settings.optimizer.name) == ("vgg16", None, "lbfgs")


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
features = weights | st.fixed_dictionaries(
    {"weight": weights},
    optional={
        "measure": st.sampled_from(["l2", "mean", "mean_square", "energy", "guide"]),
        "channels": st.lists(st.integers(0, 2000), min_size=1, max_size=3),
    },
)
tables = st.fixed_dictionaries(
    {"guide": st.builds(dict, picture=st.text(min_size=1, max_size=10)), "jitter": st.builds(dict, noise=weights)},
    optional={
        "size": st.integers(1, 20_000),
        "weights": st.text(max_size=10),
        "octaves": st.builds(dict, kind=st.sampled_from(["reinjected", "split"]), scale=st.floats(1.01, 8)),
        "tiles": st.builds(dict, kind=st.sampled_from(["tutorial", "notebook"]), size=st.integers(1, 1000)),
        "optimizer": st.builds(dict, max_score=st.none() | weights, clip=st.booleans()),
    },
)


@given(st.dictionaries(st.text(min_size=1, max_size=12), features, min_size=1, max_size=4), tables)
def test_what_is_written_as_toml_reads_back_to_the_same(features, tables):
    settings = Settings(features={"a guided one": {"weight": 1, "measure": "guide"}} | features, **tables)
    assert Settings.model_validate(tomllib.loads(settings.to_toml())) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings  # as run.json has it


def test_a_layer_says_its_measure_and_its_channels_in_a_table():
    settings = Settings(measure="mean", features={"a": 1, "b": {"weight": 2, "measure": "energy", "channels": [3, 5]}})
    assert settings.features == {"a": Feature(weight=1), "b": Feature(weight=2, measure="energy", channels=(3, 5))}
    written = tomllib.loads(settings.to_toml())["features"]
    assert written == {"a": 1, "b": {"weight": 2, "measure": "energy", "channels": [3, 5]}}
    with pytest.raises(SettingsError, match="measure"):
        Settings.load("bad_trip", **{"features": {"fire6": {"weight": 1, "measure": "guide"}}})
    guided = Settings.load("bad_trip", measure="guide", **{"guide.picture": "bird.jpg"})
    assert (guided.guide.picture, guided.guide.size) == (str(Path("bird.jpg").absolute()), 224)


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
        ({"penalties.continuity": -0.1}, ["penalties.continuity", "greater than or equal to 0"]),
        ({"penalties.dream_l2": float("nan")}, ["penalties.dream_l2", "finite"]),
        ({"features.block4_conv1": float("inf")}, ["features.block4_conv1", "finite"]),
        ({"features.block4_conv1": "lots"}, ["features.block4_conv1", "'lots'", "number"]),
        ({"size": 0}, ["size", "greater than or equal to 1"]),
        ({"optimizer.iterations": 2.5}, ["optimizer.iterations", "integer"]),
        ({"optimizer.name": "sgd"}, ["optimizer.name", "'lbfgs'", "'adam'"]),
        ({"optimizer.step": 0}, ["optimizer.step", "greater than 0"]),
        ({"optimizer.normalise": "max"}, ["optimizer.normalise", "'std'"]),
        ({"measure": "l3"}, ["measure", "'l2'"]),
        ({"measure": "guide"}, ["measure", "--guide"]),
        ({"features.block4_conv1": {"weight": 1, "measure": "guide"}}, ["measure", "--guide"]),
        ({"features.block4_conv1": {"weight": 1, "channels": []}}, ["features.block4_conv1.channels", "at least 1"]),
        ({"features.block4_conv1": {"weight": 1, "channels": [-1]}}, ["channels", "greater than or equal to 0"]),
        ({"features.block4_conv1": {"weigth": 1}}, ["there is no setting", "block4_conv1.weigth"]),
        ({"octaves.above": 3, "octaves.count": 3}, ["octaves.above = 3 is too many of octaves.count = 3"]),
        ({"octaves": 3}, ["octaves = 3", "should be a table"]),
        ({"guide.picture": "a.png"}, ["a guide is named, but no layer has measure"]),
        ({"octaves.kind": "carry"}, ["octaves.kind", "'carried'"]),
        ({"octaves.scale": 1}, ["octaves.scale", "greater than 1"]),
        ({"octaves.count": 0}, ["octaves.count", "greater than or equal to 1"]),
        ({"octave.count": 2}, ["octave", "did you mean 'octaves'"]),
        ({"tiles.size": 0}, ["tiles.size", "greater than or equal to 1"]),
        ({"tiles.sise": 64}, ["tiles.sise", "did you mean 'tiles.size'"]),
        ({"guide.size": 64}, ["guide.picture is missing"]),
        ({"jitter.shift": 0.5}, ["jitter.shift", "integer"]),
        ({"network.size": 3}, ["network.size", "'network' is a value"]),
        ({"features": {}}, ["features", "at least one layer"]),
        ({"features": {"fire6": 0}}, ["features", "at least one layer"]),
        ({"preprocessing": "cafe"}, ["preprocessing", "'caffe'"]),
    ],
)
def test_a_mistake_in_a_value_names_the_key_and_what_was_expected(overrides, says):
    with pytest.raises(SettingsError) as mistake:
        Settings.load("bad_trip", **overrides)
    assert all(part in str(mistake.value) for part in says), str(mistake.value)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad_tripp", None, "did you mean 'bad_trip'"),
        ("mine.toml", None, "no such settings file"),
        ("mine.toml", b"size = ", "not valid TOML"),
        ("mine.toml", b"\xff\xfe\x00", "not a text file"),
        ("mine.toml", b"size = 100\n", "[features] is missing"),
        ("mine.toml", b"size = 100\n[feature]\nx = 1\n", "feature"),
        ("mine.png", b"", "not a picture"),
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


def test_a_folder_and_a_strangers_picture_are_no_settings(tmp_path, picture):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SettingsError, match="is a folder"):
        Settings.load(tmp_path / "folder.toml")
    save_picture(picture, tmp_path / "plain.png")
    with pytest.raises(SettingsError, match="holds no settings"):
        Settings.load(tmp_path / "plain.png")
