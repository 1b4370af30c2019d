"""Settings name files; only the user decides whether they are opened."""

import pytest

from dreamscripts.errors import SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.settings.loading import named
from dreamscripts.settings.named_files import absolute, files_of
from dreamscripts.settings.network_names import from_here, same_file_or_name, short_name
from dreamscripts.settings.schema import Settings

MODEL = 'network = "own.keras"\n[features]\nc = 1\n'
WEIGHTS = 'weights = "w.h5"\n[features]\nblock2_conv1 = 1\n'
GUIDE = 'measure = "guide"\nguide = {picture = "g.png"}\n[features]\nblock2_conv1 = 1\n'


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a function that writes a settings file in a folder below the current one, and returns its path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()

    def write(text):
        (tmp_path / "sub" / "mine.toml").write_text(text)
        return tmp_path / "sub" / "mine.toml"

    return write


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MODEL, r"open the model \S+/own\.keras: .*--allow-files .*--network FILE"),
        (WEIGHTS, r"open the weights \S+/w\.h5: .*--weights FILE"),
        (GUIDE, r"open the guide picture \S+/g\.png: .*--guide FILE"),
        (f'weights = "w.h5"\n{MODEL}', r"the model \S+own\.keras and the weights \S+w\.h5: .*--network FILE and --wei"),
    ],
)
def test_a_file_that_only_the_settings_name_is_refused_and_shown(text, says, file):
    path = file(text)
    with pytest.raises(SettingsError, match=says) as refusal:
        Settings.load(path)
    assert "safe" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert files_of(Settings.load(path, allow_files=True))


def test_a_picture_is_trusted_no_more_than_a_file(file, picture, tmp_path):
    settings = Settings.load(file(MODEL), allow_files=True)
    save_picture(picture, tmp_path / "dream.png", settings.to_toml())
    with pytest.raises(SettingsError, match=r"dream\.png: these settings open the model "):
        Settings.load(tmp_path / "dream.png")
    assert Settings.load(tmp_path / "dream.png", allow_files=True) == settings


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (MODEL, {"network": "other.keras"}),
        (MODEL, {"network": "pocket", "features": {"block2_conv1": 1}}),
        (WEIGHTS, {"weights": "w.h5"}),
        (WEIGHTS, {"weights": "none"}),
        (WEIGHTS, {"weights": "random"}),
        (GUIDE, {"guide.picture": "other.png"}),
        (GUIDE, {"guide": {"picture": "other.png"}}),
    ],
)
def test_a_file_that_the_user_names_needs_no_permission(text, overrides, file):
    assert not files_of(Settings.load(file(text), **overrides), overrides)


def test_no_named_settings_open_files():
    for name in named():
        assert not files_of(Settings.load(name, **({"guide.picture": "g.png"} if "guided" in name else {})), ["guide"])


def test_a_relative_path_is_found_beside_the_settings_then_in_the_current_folder(file, tmp_path):
    path = file(MODEL)
    assert Settings.load(path, allow_files=True).network == str(tmp_path / "own.keras")
    (tmp_path / "sub" / "own.keras").touch()
    assert Settings.load(path, allow_files=True).network == str(tmp_path / "sub" / "own.keras")
    assert Settings.load(path, network="own.keras").network == str(tmp_path / "own.keras")


def test_paths_are_absolute_and_home_is_known(file, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    settings = Settings(network="~/own.keras", weights="w.h5", features={"c": 1})
    assert (settings.network, settings.weights) == ("/home/me/own.keras", str(tmp_path / "w.h5"))
    assert Settings.load(file(MODEL.replace("own", "~/own")), allow_files=True).network == "/home/me/own.keras"
    for name in ("imagenet", "random"):
        assert Settings(network="pocket", weights=name, features={"c": 1}).weights == name
    assert Settings(network="pocket", features={"c": 1}).network == "pocket"


def test_a_table_instead_is_found_by_the_name_of_the_model_file(file):
    path = file('[features]\nblock2_conv1 = 1\n[instead."own.keras"]\nc = 2\n')
    for network in ("own.keras", "elsewhere/own.keras"):
        assert Settings.load(path, network=network).features.keys() == {"c"}
    assert Settings.load(path, network="pocket").features.keys() == {"block2_conv1"}


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 5000 + ".keras", "nul\\u0000.keras", "nul\\u0000"])
def test_a_path_that_no_system_allows_is_one_line(name, file):
    with pytest.raises(SettingsError, match=r"network = .*at most 4096 characters, without the character NUL"):
        Settings.load(file(f'network = "{name}"\n[features]\nc = 1\n'), allow_files=True)


def test_headings_and_messages_show_short_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "sub" / "own.keras")
    assert (short_name(here), short_name("pocket"), from_here(here)) == ("own.keras", "pocket", "sub/own.keras")
    assert from_here("/elsewhere/own.keras") == "/elsewhere/own.keras"
    assert same_file_or_name("sub/own.keras", here)
    assert same_file_or_name(None, None)
    assert not same_file_or_name("pocket", None)
    assert not same_file_or_name("other/own.keras", here)
    assert not same_file_or_name("a\0.keras", here)


def test_a_current_folder_that_is_gone_is_no_traceback(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert from_here("/somewhere/own.keras") == "/somewhere/own.keras"
    assert absolute("own.keras") == "own.keras"
