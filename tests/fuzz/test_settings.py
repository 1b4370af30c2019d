"""Settings files with mistakes: each is read, or refused in one line that names the file and the key."""

import random
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from fuzz.harness import attempt, mutants, mutate

from dreamscripts.errors import SettingsError, shown
from dreamscripts.settings.loading import parse_override
from dreamscripts.settings.schema import Settings

pytestmark = pytest.mark.slow

WHOLE: dict[str, Any] = {
    "network": "pocket",
    "weights": "imagenet",
    "start": "photograph",
    "size": 64,
    "seed": 1,
    "convolutions": "direct",
    "precision": "float32",
    "measure": "mean",
    "features": {
        "block2_conv1": {"weight": 0.5, "measure": "l2", "channels": {"3": 1.0, "5": -0.5}},
        "block1_conv1": 1,
    },
    "instead": {"vgg16": {"block1_conv1": {"weight": 1.0, "channels": [3, 5]}}},
    "penalties": {"continuity": 0.1, "dream_l2": 0.02, "total_variation": 0.0},
    "jitter": {"noise": 5.0, "shift": 8, "rotate": 10.0, "scale": 0.1},
    "octaves": {"kind": "plain", "count": 3, "scale": 1.4, "above": 1},
    "tiles": {"kind": "tutorial", "size": 32},
    "optimizer": {"name": "adam", "iterations": 3, "passes": 2, "clip": True, "step": 1.5, "max_score": 5.0},
}
NAME = "x" * 5000
VALUES = [
    *(True, 0, -1, 3, 2**31, 2**63, -(2**63), 10**30, 10**400, 10**4000),
    *(0.5, 3.0, -0.0, 1e-300, 1e39, 1e300, float("inf"), float("-inf"), float("nan")),
    *("", "none", "0", "96", "0.5", "true", "1e999", "nul\0nul", "two\nlines", "\x1b[2J", "日本", "{text}", "%s", NAME),
    *(date(2020, 2, 29), datetime(2020, 1, 1)),
    *([], [[]], [3, 3], [True, 1], [1.5], ["3"], [-1], [10**30], [{}], [{"a": 1}], [{}, {}]),
    *(
        {},
        {"": 1},
        {"weight": 1},
        {"name": {}},
        {"kind": []},
        {"3": 1, "03": 1},
        {"-1": 1},
        {NAME: 1},
        {"a": {"b": {}}},
    ),
]
KEYS = ["", "a.b", " ", "size", "weight", "name", "channels", "3", "none", "\0", "{text}", NAME]
DEPTHS = (5, 99, 101, 400, 2000, 100_000)


def nested(before: str, after: str) -> Callable[[random.Random], str]:
    def text(chance: random.Random) -> str:
        depth = chance.choice(DEPTHS)
        return f"{chance.choice(['a', 'size', 'features.a', 'tiles'])} = {before * depth}1{after * depth}\n"

    return text


TEXTS: list[Callable[[random.Random], str]] = [
    nested("[", "]"),
    nested("{a = ", "}"),
    lambda chance: "a." * chance.choice(DEPTHS) + "a = 1\n",
    lambda chance: f"[{'features.' * chance.choice(DEPTHS)}a]\nb = 1\n",
    lambda chance: "".join("[[features]]\n" for _ in range(chance.choice(DEPTHS) // 10)),
    lambda chance: f"{chance.choice(['seed', 'size', 'x'])} = {'9' * chance.choice((19, 30, 4299, 4301, 100_000))}\n",
    lambda chance: f"size = 0x{'f' * chance.choice((8, 16, 17, 5000))}\n",
    lambda chance: f"{'k' * chance.choice(DEPTHS)} = 1\n",
    lambda chance: (
        f"network = {chance.choice(['1979-02-30', '25:61:00', '2020-01-01T00:00:00+99:99', '1__0', '+-1'])}\n"
    ),
]
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252")


def changed(chance: random.Random) -> bytes:
    """Return settings in which one value, key or table is replaced."""
    whole = {key: value.copy() if isinstance(value, dict) else value for key, value in WHOLE.items()}
    table: dict = whole
    while True:
        key = chance.choice([*table]) if table else ""
        inner = table.get(key)
        if not isinstance(inner, dict) or chance.random() < 0.3:
            break
        table[key] = table = inner.copy()
    if chance.random() < 0.3:
        key = chance.choice(KEYS)
    if chance.random() < 0.1:
        table.pop(key, None)
    else:
        table[key] = chance.choice(VALUES)
    return tomli_w.dumps(whole).encode()


def bad_file(chance: random.Random) -> bytes:
    """Return the bytes of a settings file with a mistake."""
    whole = tomli_w.dumps(WHOLE)
    match chance.randrange(8):
        case 0:
            return mutate(whole.encode(), chance)
        case 1:
            return (
                (whole + "# é\n")
                .encode(chance.choice(ENCODINGS))
                .replace(b"\n", chance.choice((b"\n", b"\r\n", b"\r")))
            )
        case 2 | 3:
            return chance.choice(TEXTS)(chance).encode()
        case _:
            return changed(chance)


def load_and_repeat(*arguments: Any, **overrides: Any) -> None:
    """Load settings. What is accepted must be written so that it loads again, to the same settings."""
    again = Path("again.toml")
    try:
        settings = Settings.load(*arguments, **overrides)
        again.write_text(settings.to_toml(), "utf-8")
        assert Settings.load(again, allow_files=True) == settings
    except SettingsError as error:
        raise SettingsError(shown(str(error))) from None  # as a command prints it: a name may contain a newline


def test_a_settings_file_is_read_or_refused_in_one_line_that_names_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Settings.load("bad_trip")  # imports what children need
    bad = {}
    for number, chance in enumerate(mutants(1)):
        content = bad_file(chance)
        Path("bad.toml").write_bytes(content)
        outcome = attempt(lambda: load_and_repeat("bad.toml"), tmp_path)
        faults = outcome.faults(forecast=200e6)
        if outcome.error and not outcome.error.startswith("bad.toml"):
            faults.append(f"does not name the file: {outcome.error[:200]}")
        if faults:
            bad[number] = (content[:200], faults)
    assert number > 10
    assert not bad, f"{len(bad)} of {number + 1}: {dict(list(bad.items())[:5])}"


def test_an_override_is_used_or_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = [*WHOLE, *(f"{table}.{key}" for table, inner in WHOLE.items() if isinstance(inner, dict) for key in inner)]
    keys += [
        "features.block2_conv1.channels",
        "optimizer.history",
        "a..b",
        ".",
        "x" * 5000,
        "\0",
        "size.a.b",
        "tiles.a",
    ]
    values = [
        *(tomli_w.dumps({"a": value})[4:].strip() for value in VALUES),
        "",
        "=",
        "1\nsize = 2",
        "[" * 3000,
        "9" * 5000,
    ]
    Settings.load("bad_trip")
    bad = {}
    for number, chance in enumerate(mutants(2)):
        text = f"{chance.choice(keys)}={chance.choice(values)}"

        def load(text: str = text) -> None:
            load_and_repeat("bad_trip", **dict([parse_override(text)]))

        if faults := attempt(load, tmp_path).faults(forecast=200e6):
            bad[number] = (text[:200], faults)
    assert number > 10
    assert not bad, f"{len(bad)} of {number + 1}: {dict(list(bad.items())[:5])}"
