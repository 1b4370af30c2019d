"""Request: what a person asks of a batch, on the command line or in a jobs file."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dreamscripts.errors import SettingsError, plain_words
from dreamscripts.settings.loading import parse_override, parse_toml, read_text

MOST_JOBS = 1_000_000
SEEDS = re.compile(r"(\d+)(?:-(\d+))?")

Values = dict[str, list[Any]]


@dataclass(frozen=True)
class Request:
    """The photographs, and the settings that each of them gets."""

    photographs: Sequence[str] = ()
    """Files, folders, patterns and lists."""
    settings: Sequence[str] = ()
    """Names or files."""
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The values of each dotted key. Each value is combined with each value of the other keys."""
    seeds: Sequence[int] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    """The value of each dotted key, in all settings."""
    folder: Path | None = None
    """The folder of the jobs file: relative names are relative to it."""

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield {dotted key: value} of each combination of the grid and the seeds. The last key changes first."""
        axes = {**self.grid, **({"seed": self.seeds} if self.seeds else {})}
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True))


class _JobsFile(BaseModel):
    """The keys of a jobs file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    photographs: list[str] = Field(default_factory=list)
    settings: list[str] = Field(default_factory=list)
    seeds: str | Annotated[int, Field(ge=0)] | list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)
    grid: dict[str, Any] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)


def read_jobs_file(path: Path) -> Request:
    """Read a jobs file: TOML with photographs, settings, seeds, [grid] and [set]. Raises SettingsError."""
    if not path.is_file():
        raise SettingsError(f"{path}: there is no such jobs file")
    table = parse_toml(read_text(path), str(path))
    if "features" in table:
        raise SettingsError(f"{path}: is a settings file; use: dreamscripts batch PHOTO... -s {path}")
    try:
        asked = _JobsFile.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        known = "; the keys are photographs, settings, seeds, [grid] and [set]"
        words = f"there is no key '{key}'{known}" if first["type"] == "extra_forbidden" else plain_words(first["msg"])
        raise SettingsError(f"{path}: {words if first['type'] == 'extra_forbidden' else f'{key}: {words}'}") from None
    grid = {
        key: _axis(key, values if isinstance(values, list) else [values]) for key, values in _flat(asked.grid).items()
    }
    seeds = asked.seeds if isinstance(asked.seeds, list) else parse_seeds(str(asked.seeds))
    return Request(asked.photographs, asked.settings, grid, seeds, _flat(asked.set), path.parent)


def parse_grid(texts: Sequence[str]) -> Values:
    """Parse texts `key=value,value`. A value that is not valid TOML is a string. Raises SettingsError."""
    grid: Values = {}
    for text in texts:
        key, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise SettingsError(f"--grid {text}: write it as key=value,value, such as optimizer.step=1,2,4")
        if key in grid:
            raise SettingsError(f"--grid {key}: is given twice; write all values in one")
        grid[key] = _axis(key, [parse_override(f"{key}={value}")[1] for value in _separate(values)])
    return grid


def parse_seeds(text: str) -> list[int]:
    """Parse "0-3" or "1,5,7". Raises SettingsError."""
    seeds = dict[int, None]()
    for part in text.split(","):
        match = SEEDS.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not first <= last < first + MOST_JOBS:
            raise SettingsError(f"--seeds {text}: write them as 0-3 or 1,5,7")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


def _axis(key: str, values: list[Any]) -> list[Any]:
    """Return the values of a key, each once. Raises SettingsError."""
    if not values:
        raise SettingsError(f"the grid has no value of {key}")
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _separate(text: str) -> list[str]:
    """Split a text at the commas that are not in brackets or quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{(") - (character in ")}]")
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: value} of a table and its inner tables."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
