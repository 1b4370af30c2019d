"""Sheets: nine dreams of one photograph, with three values each of two settings, as the cells of one picture."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from dreamscripts.runs.records import Record
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.library.run import FileLink

Value = int | float
Values = Annotated[list[Value], Field(min_length=3, max_length=3)]


class Axis(Record):
    """A setting and its three values."""

    key: str
    values: Values


class SheetRecord(Record):
    """The content of sheet.json, in the folder of the sheet."""

    created: float
    photo: str | None
    """The identifier of the photograph, or None for noise."""
    photo_name: str
    look: str
    settings: str
    """TOML, without the values of the axes."""
    x: Axis
    y: Axis


@dataclass(frozen=True)
class Cell:
    """A dream of a sheet."""

    folder: str
    """The name of its run folder within the base folder: "sheet/run"."""
    run: str
    """The identifier of this run, whether it exists or not."""
    settings: str
    """TOML, with the values of the axes."""


@dataclass(frozen=True)
class Sheet:
    """A sheet, with its cells in rows: those of a row have the same value of `y`."""

    id: str
    folder: str
    record: SheetRecord
    cells: tuple[tuple[Cell, ...], ...]
    picture: FileLink | None
    """The picture of the sheet, as soon as one of its dreams has a picture."""


class Sheets:
    """The sheets in the base folder."""

    def __init__(self, folder: StudioFolder, history: History, looks: Looks):
        self._folder = folder
        self._history = history
        self._looks = looks

    def make(self, folder: str, photo: str | None, photo_name: str, look: str, toml: str, x: Axis, y: Axis) -> Sheet:
        """Make the folder of a new sheet, and write its record. `folder` is its name within the base folder.

        Raises SettingsError if the settings, or those of a cell, have a problem, and OutputError.
        """
        raise NotImplementedError

    def all(self) -> list[Sheet]:
        """Return the sheets, newest first."""
        return []

    def get(self, id: str) -> Sheet:
        """Return a sheet. Raises Missing."""
        raise NotImplementedError

    def picture(self, id: str) -> bytes:
        """Draw the sheet as it is now: a PNG. Raises Missing."""
        raise NotImplementedError
