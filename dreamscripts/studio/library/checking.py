"""What a form shows of settings: their values by dotted keys, and what is wrong with them, with its line."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dreamscripts.errors import DreamError, SettingsError, shown
from dreamscripts.settings.describing import describe
from dreamscripts.settings.optimizer_keys import DEFAULT
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.editing import SOURCE, parsed

TABLES = ("guide", "tiles", "zoom", "video")  # tables that may not be set
AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
AT_END = " (at end of document)"
NAMED = re.compile(
    r"there is no setting '([^']+)'|^([\w.-]+) = |'(optimizer\.\w+)'|^([\w.]+) is missing|^([a-z_]+\.[a-z_]+) "
)
"""The dotted key in a message."""
MOST_EXACT = 2**63
"""A larger number than TOML promises to keep, which no setting can have."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with settings."""

    message: str
    line: int | None
    """From 1. None: no single line."""


@dataclass(frozen=True)
class Checked:
    """Settings in TOML, with all values that they have."""

    toml: str
    values: dict[str, Any] = field(default_factory=dict)
    """The value of each dotted key, also of those that have their default value."""
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    """weight, measure and channels of each layer."""
    network: str = ""
    optimizer: str = ""
    problem: Problem | None = None
    settings: Settings | None = None
    """None if there is a problem."""


def values_of(toml: str, settings: Settings) -> Checked:
    """Return what a form shows of valid settings."""
    table, optimizer = settings.model_dump(exclude={"features", "instead"}), settings.optimizer.name
    values = {key: value for key, value in _flat(table) if key not in TABLES}
    for key in describe(Settings):
        if key.kind != "weights" and (key.optimizers is None or optimizer in key.optimizers):
            values.setdefault(key.key, None)  # of a table that is not set
    features = {layer: _feature(feature.model_dump()) for layer, feature in settings.features.items()}
    return Checked(toml, values, features, settings.network, optimizer, settings=settings)


def explained(toml: str, error: DreamError) -> Checked:
    """Return what a form shows of settings with a problem: the values that are written in them, as far as possible."""
    message = shown(str(error).removeprefix(f"{SOURCE}: "))
    line = line_of(toml, message)
    message = AT_LINE.sub("", message).replace(AT_END, "")
    checked = Checked(toml, problem=Problem(f"This {message}" if message.startswith("is ") else message, line))
    try:
        table = parsed(toml)
    except SettingsError:
        return checked
    features = table.pop("features", None)
    optimizer = table.get("optimizer")
    return replace(
        checked,
        values={key: value for key, value in _flat(table) if not key.startswith("instead.")},
        features={layer: _feature(value) for layer, value in features.items()} if isinstance(features, dict) else {},
        network=str(table.get("network", "")),
        optimizer=str(optimizer.get("name", DEFAULT)) if isinstance(optimizer, dict) else DEFAULT,
    )


def line_of(toml: str, message: str) -> int | None:
    """Return the line that a message is about: the one that it names, or that of the key that it names."""
    if match := AT_LINE.search(message):
        return int(match[1])
    if AT_END in message:
        return max(1, len(toml.splitlines()))
    match = NAMED.search(message)
    key = next(filter(None, match.groups()), "") if match else ""
    lines = _lines(toml) if key else {}
    while key and key not in lines:
        key = key.rpartition(".")[0]  # the table
    return lines.get(key)


def _lines(toml: str) -> dict[str, int]:
    """Return the line where each dotted key and each table is written first.

    Without regular expressions, which could need hours for a long line of a stranger, while nothing else runs.
    """
    table, lines = "", dict[str, int]()
    for number, line in enumerate(toml.splitlines(), 1):
        text = line.strip()
        name, equals, _ = text.partition("=")
        if text.startswith("[") and "]" in text:
            table = _unquoted(text.lstrip("[").partition("]")[0])
            lines.setdefault(table, number)
        elif equals and "#" not in name:
            name = _unquoted(name)
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _unquoted(key: str) -> str:
    return ".".join(part.strip() for part in key.replace('"', "").replace("'", "").split("."))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a table and its inner tables, with its dotted key."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _for_json(value)


def _for_json(value: Any) -> Any:
    """Return a value of TOML for JSON, which has no dates, no times, and no numbers of thousands of digits."""
    if isinstance(value, Mapping):
        return {str(key): _for_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(inner) for inner in value]
    if isinstance(value, int):
        return value if abs(value) < MOST_EXACT else hex(value)
    return value if value is None or isinstance(value, float | str) else str(value)


def _feature(value: Any) -> dict[str, Any]:
    """Return weight, measure and channels of a layer, those that are set."""
    if not isinstance(value, Mapping):
        return {"weight": _for_json(value)}
    return {str(key): _for_json(inner) for key, inner in value.items() if inner is not None}
