"""Values change in the text of settings, and every comment stays where it is."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import SettingsError
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import editing
from dreamscripts.studio.library.editing import changed

TEXT = """# A look of mine.

network = "pocket"
size = 800        # longest side

# Layers.
[features]
block4_conv1 = 1  # eyes

[optimizer]
name = "lbfgs"
where = "device"
max_change = 5    # strong
"""


def comments(text):
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_a_value_changes_and_nothing_else_does():
    assert changed(TEXT, {"size": 300}) == TEXT.replace("800", "300")
    assert changed(TEXT, {"optimizer.max_change": 2.5, "features.block4_conv1": 0.5}) == TEXT.replace(
        "= 5 ", "= 2.5 "
    ).replace("= 1 ", "= 0.5 ")
    assert changed(TEXT, {}) == TEXT
    assert changed(TEXT, {"size": 800}) == TEXT


def test_a_new_key_stands_in_its_table_and_a_new_table_at_the_end():
    text = changed(TEXT, {"seed": 3, "optimizer.clip": True, "jitter.shift": 8, "features.block5_conv1": 0.2})
    table = tomllib.loads(text)
    assert table["seed"] == 3
    assert table["optimizer"]["clip"] is True
    assert table["jitter"] == {"shift": 8}
    assert table["features"] == {"block4_conv1": 1, "block5_conv1": 0.2}
    assert comments(text) == comments(TEXT)
    assert text.index("seed") < text.index("[features]")


def test_none_removes_a_key_and_a_key_that_is_not_there_is_no_mistake():
    text = changed(TEXT, {"size": None, "optimizer.max_change": None, "jitter.shift": None, "seed": None})
    assert tomllib.loads(text) == {
        "network": "pocket",
        "features": {"block4_conv1": 1},
        "optimizer": {"name": "lbfgs", "where": "device"},
    }


def test_with_another_optimizer_the_keys_that_it_lacks_are_removed():
    text = changed(TEXT, {"optimizer.name": "adam"})
    assert tomllib.loads(text)["optimizer"] == {"name": "adam", "max_change": 5}
    assert Settings.from_toml(text).optimizer.name == "adam"
    assert "# strong" in text
    back = changed(changed(text, {"optimizer.step": 1.5}), {"optimizer.name": "lbfgs"})
    assert tomllib.loads(back)["optimizer"] == {"name": "lbfgs", "max_change": 5}


def test_old_names_of_keys_are_replaced():
    text = changed("[features]\nblock4_conv1 = 1\n[optimizer]\nevaluations = 5\n", {"optimizer.passes": 9})
    assert tomllib.loads(text)["optimizer"] == {"passes": 9}


def test_tiles_may_be_a_word():
    text = changed('tiles = "exact"  # large\n[features]\nblock4_conv1 = 1\n', {"tiles.size": 256})
    assert tomllib.loads(text)["tiles"] == {"kind": "exact", "size": 256}


def test_the_weights_that_count_are_those_for_the_network():
    text = 'network = "pocket"\n[features]\nmixed4 = 1\n[instead.pocket]\nblock4_conv1 = 1  # eyes\n'
    new = changed(text, {"features.block4_conv1": 3})
    assert tomllib.loads(new)["instead"]["pocket"] == {"block4_conv1": 3}
    assert tomllib.loads(new)["features"] == {"mixed4": 1}
    assert Settings.from_toml(new).features["block4_conv1"].weight == 3


def test_the_name_of_a_layer_is_one_part_whatever_it_contains():
    text = changed(TEXT, {"features.a.b/c [d]": 2, 'features.x="y"': 3})
    assert tomllib.loads(text)["features"] == {"block4_conv1": 1, "a.b/c [d]": 2, 'x="y"': 3}


@pytest.mark.parametrize("key", ["size.x", "network.a.b", "", ".", "features."])
def test_a_key_that_cannot_be_is_refused_or_refused_later(key):
    try:
        text = changed(TEXT, {key: 1})
    except SettingsError:
        return
    with pytest.raises(SettingsError):
        Settings.from_toml(text)


@pytest.mark.parametrize("text", ["size = ", "[", "a = 1\na = 2", "x" * 100, "a = " + "[" * 5000, "\0"])
def test_a_text_that_is_not_toml_is_refused(text):
    with pytest.raises(SettingsError, match="is not valid TOML"):
        changed(text, {"size": 3})


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(SettingsError, match="longer"):
        changed("#" * (editing.LONGEST + 1), {})


def test_of_very_long_settings_the_values_change_and_the_time_is_short():
    text = "network = 'pocket'\n[features]\n" + "".join(f"layer{number} = 1\n" for number in range(5000))
    began = time.monotonic()
    table = tomllib.loads(changed(text, {"size": 64, "features.layer7": 3}))
    assert time.monotonic() - began < 2
    assert (table["size"], table["features"]["layer7"], table["features"]["layer8"]) == (64, 3, 1)
    with pytest.raises(SettingsError, match="no setting can have"):
        changed(text + "seed = 0x" + "f" * 10_000, {"size": 64})


@pytest.mark.parametrize("name", named_files())
def test_every_named_look_can_be_changed_without_losing_a_comment(name):
    text = named_files()[name].read_text("utf-8")
    new = changed(text, {"size": 333, "seed": 77, "optimizer.iterations": 2, "penalties.continuity": 0.25})
    assert comments(new) == comments(text)
    before, after = tomllib.loads(text), tomllib.loads(new)
    assert (after["size"], after["seed"]) == (333, 77)
    assert (after["optimizer"]["iterations"], after["penalties"]["continuity"]) == (2, 0.25)
    for table in (before, after):
        for key in ("size", "seed"):
            table.pop(key, None)
        table.get("optimizer", {}).pop("iterations", None)
        table.get("penalties", {}).pop("continuity", None)
    assert {key: value for key, value in after.items() if value != {}} == {
        key: value for key, value in before.items() if value != {}
    }
    assert changed(new, {"size": 333}) == new


KEYS = ["size", "seed", "network", "features.block4_conv1", "jitter.shift", "octaves.count", "optimizer.max_change"]
KEYS += ["penalties.continuity", "optimizer.clip", "features.a-b.c", "zoom.seconds"]
VALUES = st.none() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.booleans() | st.text(max_size=20)


@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), max_size=4),
    st.sampled_from(list(named_files())),
)
def test_any_changes_one_after_the_other_have_the_values_that_were_given(steps, name):
    text = named_files()[name].read_text("utf-8")
    expected = {}
    for changes in steps:
        text = changed(text, changes)
        expected |= changes
    table = tomllib.loads(text)
    instead = table.get("instead", {}).get(table.get("network"))
    for key, value in expected.items():
        first, _, rest = key.partition(".")
        if first == "features" and ("network" in expected or instead is not None):
            continue  # it was that of the network at the time
        within = table.get(first) if rest else table
        assert (within or {}).get(rest or first) == value


def test_if_the_comments_cannot_be_kept_the_values_are_right_all_the_same(monkeypatch):
    """A fault in the library that keeps comments must not change settings."""

    class Wrong(dict):
        def as_string(self):
            return "size = 1\n"

    monkeypatch.setattr(editing.tomlkit, "parse", lambda text: Wrong())
    assert tomllib.loads(changed(TEXT, {"size": 300})) == tomllib.loads(TEXT) | {"size": 300}
