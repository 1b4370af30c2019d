"""Settings from a text: the same as from a file with this text."""

import pytest

from dreamscripts.errors import SettingsError
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.schema import Settings

TEXT = 'network = "pocket"\n[features]\nblock4_conv1 = 1\n'


@pytest.mark.parametrize("name", sorted(set(named_files()) - {"caffe_guided"}))
def test_the_text_of_named_settings_gives_these_settings(name):
    text = named_files()[name].read_text("utf-8")
    assert Settings.from_toml(text) == Settings.load(name)
    assert Settings.from_toml(Settings.load(name).to_toml()) == Settings.load(name)


def test_overrides_replace_values():
    settings = Settings.from_toml(TEXT, size=64, **{"optimizer.name": "adam", "optimizer.step": 2.0})
    assert (settings.size, settings.optimizer.name, settings.optimizer.step) == (64, "adam", 2.0)


def test_mistakes_name_the_source():
    with pytest.raises(SettingsError, match=r"^the page: is not valid TOML"):
        Settings.from_toml("[", "the page")
    with pytest.raises(SettingsError, match=r"^settings: there is no setting 'sise'"):
        Settings.from_toml("sise = 1\n" + TEXT)
    with pytest.raises(SettingsError, match=r"^size = 0"):
        Settings.from_toml(TEXT, size=0)


def test_files_are_refused_unless_they_are_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TEXT.replace("pocket", "mine.keras")
    with pytest.raises(SettingsError, match=r"these settings open the model .*mine\.keras"):
        Settings.from_toml(text)
    assert Settings.from_toml(text, allow_files=True).network == str(tmp_path / "mine.keras")
    assert Settings.from_toml(text, network="pocket").network == "pocket"


def test_a_name_of_settings_is_not_their_text():
    with pytest.raises(SettingsError, match="is not valid TOML"):
        Settings.from_toml("dreamy")
