"""The folder of a comparison that is not complete: what it compares, and each trial that is finished."""

import logging
import os
import re
import weakref
import zlib
from contextlib import suppress
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from dreamscripts.atomic_files import lock, make_folder, output_errors, remove_left_overs, sync, write_atomically
from dreamscripts.dreams.trial import Pass, Trial, budgets_of
from dreamscripts.errors import OutputError
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.runs.array_files import dump_array
from dreamscripts.runs.comparison_snapshots import remove_snapshots, save_snapshots
from dreamscripts.runs.find_run import if_killed_at_start
from dreamscripts.runs.records import Damaged, Record, read_array, read_record
from dreamscripts.runs.run_record import ChoicesRecord, read_settings
from dreamscripts.runs.run_state import checksum
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    from dreamscripts.networks.tuning import Choices  # imports Keras, which takes seconds

log = logging.getLogger(__name__)

RECORD = "unfinished.json"
TRIAL = re.compile(r"trial_(\d{2,6})\.(json|npy)")
ADVICE = "its finished trials are lost; start again in another --output"
OTHER = "choose another --output"
AGAIN = "this trial is made again"
PICTURES = ("pictures", "snapshots")  # of a trial; they are not in its record


class ComparisonRecord(Record):
    """The content of unfinished.json: what is compared."""

    picture: str
    """The path of the picture. No file is opened by it."""
    settings_name: str
    optimizers: list[str] = Field(min_length=2)
    passes: int = Field(ge=2, le=1_000_000)
    """Passes of each trial."""
    choices: ChoicesRecord | None = None
    """The algorithms, so that all trials use the same."""

    @field_validator("optimizers")
    @classmethod
    def _check_optimizers(cls, names: list[str]) -> list[str]:
        if unknown := [name for name in names if name not in OPTIMIZERS]:
            raise ValueError(f"there is no optimizer '{unknown[0]}'")
        return names


class PassRecord(Record):
    """A pass of a trial."""

    number: int
    seconds: float
    loss: float
    lowest: float
    terms: dict[str, float]


class TrialRecord(Record):
    """A finished trial, without its pictures."""

    comparison: int
    """The checksum of the comparison that the trial belongs to."""
    optimizer: str
    step: float | None
    restart: int | None
    passes: list[PassRecord] = Field(min_length=1)
    loss: float
    terms: dict[str, float] = Field(min_length=1)
    seconds_per_pass: float
    overhead: float
    mebibytes: float | None
    ended_by: str

    @model_validator(mode="after")
    def _check_passes(self) -> Self:
        for number, made in enumerate(self.passes, 1):
            if made.number != number or made.terms.keys() != self.terms.keys():
                raise ValueError(f"pass {number} does not fit the trial")
        return self


class ComparisonFolder:
    """The files of one comparison. No file is ever half-written.

    Each trial is saved when it is finished: its pictures, and then its numbers. A comparison can be killed at any
    moment. A trial that is not finished, or whose files are damaged, is made again.
    """

    def __init__(self, folder: Path, settings: Settings, record: ComparisonRecord):
        self.folder = folder
        self.settings = settings
        self.record = record
        self.finished: list[Trial] = []
        self.release = weakref.finalize(self, lock(folder))
        self._number = 0  # of the last trial

    @classmethod
    def create(cls, folder: Path, settings: Settings, picture: np.ndarray, record: ComparisonRecord) -> Self:
        """Create the folder of a comparison of `picture` (float32 (H, W, 3), 0..255).

        Raises OutputError if the folder cannot be created or is not empty.
        """
        if os.path.lexists(folder / RECORD):
            raise OutputError(f"{folder}: already contains a comparison; resume it (--resume), or {OTHER}")
        make_folder(folder)
        with output_errors(folder):
            comparison = cls(folder, settings, record)
        try:
            remove_left_overs(folder)
            write_atomically(folder / "settings.toml", settings.to_toml().encode())
            comparison._write_array("start.npy", picture)
            comparison._write_record()
            sync(folder)
        except BaseException:
            comparison.discard()
            raise
        return comparison

    @classmethod
    def reopen(cls, folder: Path) -> Self:
        """Open an interrupted comparison. Raises OutputError if the folder contains none, or if it is damaged."""
        if not os.path.lexists(folder / RECORD):
            if os.path.lexists(folder / "compare.json"):
                raise OutputError(f"{folder}: this comparison is complete; there is nothing to resume")
            raise OutputError(f"{folder}: contains no comparison to resume{if_killed_at_start(folder)}")
        record = read_record(folder / RECORD, ComparisonRecord, ADVICE)
        settings = read_settings(folder / "settings.toml", ADVICE)
        with output_errors(folder):
            comparison = cls(folder, settings, record)
        try:
            remove_left_overs(folder)
            comparison._read_trials()
        except BaseException:
            comparison.release()
            raise
        return comparison

    @property
    def picture(self) -> np.ndarray:
        """The start picture, float32 (H, W, 3), 0..255. Raises OutputError."""
        return read_array(self.folder / "start.npy", (None, None, 3), ADVICE)

    def keep_choices(self, choices: "Choices", onednn: bool | None) -> None:
        """Record the algorithms, before the first trial. Raises OutputError."""
        if self.record.choices is None:
            self.record.choices = ChoicesRecord.model_validate({"onednn": onednn, **choices.record()}, strict=False)
            self._write_record()

    def choices(self) -> "Choices | None":
        """Return the algorithms of the trials, or None if none has been started."""
        from dreamscripts.networks.tuning import Choices

        if self.record.choices is None:
            return None
        return Choices.read(self.record.choices.model_dump(exclude={"onednn"}))

    def save(self, trial: Trial) -> None:
        """Write the files of a finished trial. Raises OutputError."""
        self._number += 1
        save_snapshots(self.folder, self._number, trial, self._checksum())
        pictures = np.stack([trial.pictures[budget] for budget in budgets_of(self.record.passes)])
        self._write_array(f"trial_{self._number:02}.npy", pictures)
        facts = {field.name: getattr(trial, field.name) for field in fields(trial) if field.name not in PICTURES}
        passes = [asdict(made) for made in trial.passes]
        record = TrialRecord.model_validate(facts | {"passes": passes, "comparison": self._checksum()}, strict=False)
        write_atomically(self.folder / f"trial_{self._number:02}.json", record.model_dump_json().encode())
        sync(self.folder)
        self.finished.append(trial)

    def complete(self) -> None:
        """Delete the files that are only needed to resume, after the report has been written."""
        sync(self.folder)  # the report is on the disk before the record is deleted
        with output_errors(self.folder):
            self._remove_unfinished()

    def discard(self) -> None:
        """Delete the files of a comparison without a finished trial, and its folder if it is then empty."""
        with suppress(OSError):  # the folder contains other files, or has gone
            self._remove_unfinished()
            remove_snapshots(self.folder)
            (self.folder / "settings.toml").unlink(missing_ok=True)
            self.folder.rmdir()

    def _remove_unfinished(self) -> None:
        for name in (RECORD, "start.npy"):
            (self.folder / name).unlink(missing_ok=True)
        for path in [path for path in self.folder.iterdir() if TRIAL.fullmatch(path.name)]:
            path.unlink()

    def _read_trials(self) -> None:
        height, width, _ = self.picture.shape
        budgets = budgets_of(self.record.passes)
        found = [(int(name[1]), path) for path in self.folder.iterdir() if (name := TRIAL.fullmatch(path.name))]
        for self._number, path in sorted(found):
            if path.suffix != ".json":
                continue
            try:
                record = read_record(path, TrialRecord, AGAIN)
                if record.comparison != self._checksum():
                    raise Damaged(path, "it belongs to a comparison with other settings", AGAIN)
                pictures = read_array(path.with_suffix(".npy"), (len(budgets), height, width, 3), AGAIN)
            except Damaged as error:
                log.warning("%s", error)
                continue
            facts = record.model_dump(exclude={"comparison", "passes"})
            passes = [Pass(**made.model_dump()) for made in record.passes]
            self.finished.append(Trial(**facts, passes=passes, pictures=dict(zip(budgets, pictures, strict=True))))

    def _checksum(self) -> int:
        """Return a number that differs if the picture, the settings or the record differ."""
        content = self.settings.to_toml() + self.record.model_dump_json()
        return zlib.crc32(content.encode(), self._checksum_of_picture)

    @cached_property
    def _checksum_of_picture(self) -> int:
        return checksum(self.picture)

    def _write_array(self, name: str, array: np.ndarray) -> None:
        write_atomically(self.folder / name, dump_array(array.astype(np.float32, copy=False)))

    def _write_record(self) -> None:
        write_atomically(self.folder / RECORD, self.record.model_dump_json().encode())
