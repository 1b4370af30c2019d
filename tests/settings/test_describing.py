"""The keys of settings are described for a form."""

import pytest

from dreamscripts.registry import OPTIMIZERS, PENALTIES
from dreamscripts.settings.describing import describe
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.schema import Settings

KEYS = {key.key: key for key in describe(Settings)}


def test_every_key_of_valid_settings_is_described_once():
    keys = [key.key for key in describe(Settings)]
    assert len(keys) == len(set(keys))
    for name in set(named_files()) - {"caffe_guided"}:
        for table, value in Settings.load(name).model_dump(exclude={"features", "instead"}).items():
            for key in (f"{table}.{inner}" for inner in value) if isinstance(value, dict) else [table]:
                assert key in KEYS or value is None or key.endswith("keyframes"), key


@pytest.mark.parametrize(
    ("key", "kind", "low", "high", "default"),
    [
        ("size", "integer", 1, 20_000, None),
        ("seed", "integer", 0, 2**63 - 1, 0),
        ("jitter.noise", "number", 0, 255, 0.0),
        ("jitter.scale", "number", 0, 1, 0.0),
        ("octaves.scale", "number", 1, 8, 1.4),
        ("octaves.count", "integer", 1, 32, 1),
        ("tiles.size", "integer", 1, 20_000, None),
        ("penalties.continuity", "number", 0, None, 0.0),
        ("optimizer.max_change", "number", 0, 255, None),
        ("optimizer.clip", "boolean", None, None, False),
        ("weights", "text", None, None, None),
        ("features", "weights", 0, None, None),
        ("zoom.turn", "number", -360, 360, 0.0),
    ],
)
def test_kinds_limits_and_defaults(key, kind, low, high, default):
    found = KEYS[key]
    assert (found.kind, found.low, found.high, found.default) == (kind, low, high, default)
    assert found.table == key.rpartition(".")[0]


def test_the_limits_are_those_that_the_settings_accept():
    """The smallest and the largest value are accepted, or excluded as the description says; the next ones are not."""
    for key in KEYS.values():
        if key.kind != "integer" or key.table in ("guide", "zoom", "video") or key.key == "octaves.above":
            continue
        name = (key.optimizers or ["lbfgs"])[0]
        for value, is_valid in ((key.low, True), (key.high, True), (key.low - 1, False), (key.high + 1, False)):
            overrides = {"optimizer.name": name, key.key: value, "network": "pocket"}
            try:
                Settings.load("marble", **overrides)
            except Exception as error:
                assert not is_valid, error
            else:
                assert is_valid, (key, value)


def test_choices_are_the_registered_names():
    assert KEYS["optimizer.name"].choices == tuple(OPTIMIZERS)
    assert "pocket" in KEYS["network"].choices
    assert set(KEYS["start"].choices) == {"photograph", "noise"}
    assert {"plain", "carried"} <= set(KEYS["octaves.kind"].choices)
    assert {"l2", "guide"} <= set(KEYS["measure"].choices)
    assert all(key.choices for key in KEYS.values() if key.kind == "choice")
    assert {f"penalties.{name}" for name in PENALTIES} <= KEYS.keys()


def test_a_key_of_some_optimizers_names_them():
    assert KEYS["optimizer.iterations"].optimizers is None
    assert set(KEYS["optimizer.step"].optimizers) == {"adam", "gradient_ascent"}
    assert KEYS["optimizer.where"].optimizers == ("lbfgs",)


def test_every_key_is_explained_in_one_line():
    for key in KEYS.values():
        assert key.about, key
        assert "\n" not in key.about
