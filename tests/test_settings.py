import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import SettingsError
from dreamscripts.images import save_picture
from dreamscripts.settings import Settings, folder, named, parse_override

BLOCK4 = {"block4_conv1": 0.05, "block4_conv2": 0.01, "block4_conv3": 0.01}
BLOCK5 = {"block5_conv1": 0.05, "block5_conv2": 0.02}


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
    assert settings.features == features
    assert (settings.penalties.continuity, settings.penalties.dream_l2) == (continuity, dream_l2)
    assert (settings.jitter.noise, settings.size) == (noise, size)
    assert (settings.optimizer.iterations, settings.optimizer.evaluations) == (iterations, 7)
    assert (settings.network, settings.weights, settings.optimizer.name) == ("vgg16", None, "lbfgs")


def test_every_named_settings_file_begins_with_a_line_of_comment():
    assert set(named()) == {path.stem for path in folder().glob("*.toml")} >= {"bad_trip", "dreamy"}
    assert all(10 < len(comment) <= 64 for comment in named().values())


def test_a_path_works_as_well_as_a_name(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[features]\nblock3_conv1 = 0.5\n")
    assert Settings.load(file) == Settings.load(str(file)) == Settings(features={"block3_conv1": 0.5})


def test_overrides_replace_single_values_and_whole_tables():
    settings = Settings.load(
        "bad_trip", network="squeezenet", **{"optimizer.iterations": 3, "features": {"fire6": 0.1}}
    )
    assert (settings.network, settings.optimizer.iterations, settings.features) == ("squeezenet", 3, {"fire6": 0.1})
    assert Settings.load("bad_trip", **{"features.block4_conv1": 0}).features == {
        "block4_conv2": 0.01,
        "block4_conv3": 0.01,
    }


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


weight = st.floats(0.001, 1e6)


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), weight, min_size=1, max_size=4),
    weight,
    st.integers(1, 20_000),
    st.none() | st.text(max_size=10),
)
def test_what_is_written_as_toml_reads_back_to_the_same(features, noise, size, weights):
    settings = Settings(features=features, jitter={"noise": noise}, size=size, weights=weights)
    assert Settings.model_validate(tomllib.loads(settings.to_toml())) == settings


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
        ({"optimizer.name": "adam"}, ["optimizer.name", "'lbfgs'"]),
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
