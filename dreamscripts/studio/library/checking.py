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
    while key:
        if line := _line_of_key(toml, key):
            return line
        key = key.rpartition(".")[0]  # the table
    return None


def _line_of_key(toml: str, key: str) -> int | None:
    """Return the line where a dotted key or a table is written, or None."""
    table = ""
    for number, line in enumerate(toml.splitlines(), 1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            table = _unquoted(header[1])
            if table == key:
                return number
        elif match := re.match(r"\s*([^=#]+?)\s*=", line):
            name = _unquoted(match[1])
            if (f"{table}.{name}" if table else name) == key:
                return number
    return None


def _unquoted(key: str) -> str:
    return re.sub(r"\s*\.\s*", ".", re.sub("[\"']", "", key.strip()))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a table and its inner tables, with its dotted key."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _feature(value: Any) -> dict[str, Any]:
    """Return weight, measure and channels of a layer, those that are set."""
    if not isinstance(value, Mapping):
        return {"weight": value}
    return {str(key): inner for key, inner in value.items() if inner is not None}
