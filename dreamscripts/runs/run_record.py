"""The record of a run, run.json, and the facts of its state: what they may contain."""

import csv
import io
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, PlainSerializer, model_validator

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.runs.records import Damaged, Record, check_plain_file
from dreamscripts.settings.loading import parse_toml
from dreamscripts.settings.schema import Precision, Settings

NOT_FINITE = {str(value): value for value in (math.inf, -math.inf, math.nan)}

Count = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[  # JSON has no infinity and no NaN, so they are written as texts
    float,
    BeforeValidator(lambda value: NOT_FINITE.get(value, value) if isinstance(value, str) else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else str(value), when_used="json"),
]
Passes = Annotated[int, Field(ge=0, lt=2**63, validation_alias=AliasChoices("passes", "evaluations"))]  # its old name
Status = Literal["running", "stopped", "diverged", "complete"]


def path_text(path: Path) -> str:
    """Return the absolute path as text that JSON can hold."""
    return as_text(path.resolve())


def as_text(path: str | Path) -> str:
    """Return a path as text that JSON can hold. Bytes that are not UTF-8 are replaced by their code."""
    return os.fsencode(path).decode(errors="backslashreplace")


class Row(Record):
    """An iterate in the record."""

    octave: Count
    iteration: Count
    passes: Passes
    seconds: Seconds
    loss: Number
    terms: dict[str, Number]

    @classmethod
    def of(cls, iterate: Iterate) -> Self:
        """Describe an iterate."""
        return cls(
            octave=iterate.octave,
            iteration=iterate.iteration,
            passes=iterate.passes,
            seconds=round(iterate.seconds, 3),
            loss=float(iterate.loss),
            terms={name: float(value) for name, value in iterate.terms.items()},
        )


class LayerTimes(Record):
    """The seconds of two algorithms for a layer."""

    layer: str
    direct: Seconds
    winograd: Seconds


class ChoicesRecord(Record):
    """The algorithms of a run, so that a resumed run uses the same."""

    onednn: bool | None = None
    xla: bool
    winograd_from: Seconds | None
    trials: list[LayerTimes] = Field(default_factory=list)
    precision: Precision | None = None
    """What precision = "auto" became. Older versions did not write it, and had no "auto"."""


class RunRecord(Record):
    """The content of run.json."""

    status: Status
    picture: str | None
    """The path of the photograph, to show and to compare. No file is opened by it. None: the run starts from noise."""
    notes: list[str] = Field(default_factory=list)
    settings: dict[str, Any]
    keep_every: int = Field(ge=1)
    start_checksum: int | None = None
    """The CRC-32 of start.npy. Older versions did not write it."""
    device: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    choices: ChoicesRecord | None = None
    iterates: list[Row]

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        for before, row in pairwise(self.iterates):
            if row.iteration <= before.iteration or row.octave < before.octave or row.passes < before.passes:
                raise ValueError(f"iteration {row.iteration} cannot follow iteration {before.iteration}")
            if row.terms.keys() != before.terms.keys():
                raise ValueError(f"iteration {row.iteration} has other terms than iteration {before.iteration}")
        return self


class Facts(Record):
    """An iterate without its arrays, as the state contains it."""

    octave: Count
    iteration: Count
    loss: Number
    terms: dict[str, Number]
    passes: Passes
    seconds: Seconds
    preprocessing: Literal[tuple(PREPROCESSINGS)]  # type: ignore[valid-type]
    stretched: bool = False  # older versions did not write it
    drawn: Count
    ends_octave: bool
    checksum: int | None = None
    """The CRC-32 of the arrays and the other facts. Older versions did not write it."""

    @classmethod
    def of(cls, iterate: Iterate) -> Self:
        """Describe an iterate."""
        row = Row.of(iterate)
        return cls(
            **row.model_dump() | {"seconds": iterate.seconds},
            preprocessing=iterate.preprocessing,
            stretched=iterate.stretched,
            drawn=iterate.drawn,
            ends_octave=iterate.ends_octave,
        )


def read_settings(path: Path, advice: str) -> Settings:
    """Read settings.toml in an output folder. `advice` says what can be done if it is damaged. Raises Damaged."""
    check_plain_file(path, advice)
    try:
        return Settings.load(path, allow_files=True)
    except SettingsError as error:
        raise Damaged(path, str(error).removeprefix(f"{path}: "), advice) from None


def check_unchanged(path: Path, settings: dict[str, Any], record: str = "run.json") -> None:
    """Raise OutputError if the settings in a file, which were read, are not those in the `record`."""
    if parse_toml(path.read_text("utf-8"), str(path)) != _without_none(settings):
        raise OutputError(
            f"{path}: differs from the settings in {record}, so one of the two files was changed after the start of "
            "the run; undo the change, or start a new run with it (--settings)"
        )


def _without_none(value: Any) -> Any:
    """Return a value without what is None in its tables, as TOML has no null."""
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def losses_csv(rows: Sequence[Row]) -> bytes:
    """Return the content of loss.csv."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    numbers = ["octave", "iteration", "passes", "seconds", "loss"]
    table.writerow([*numbers, *rows[0].terms])
    table.writerows([*(getattr(row, key) for key in numbers), *row.terms.values()] for row in rows)
    return text.getvalue().encode()
