"""Sheets: nine dreams of one photograph, with three values each of two settings, as the cells of one picture."""

import time
from dataclasses import dataclass
from functools import cached_property

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.jobs.job import check_name
from dreamscripts.studio.library import within
from dreamscripts.studio.library.editing import changed
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.library.run import FileLink, Run
from dreamscripts.studio.library.scanning import SHEET
from dreamscripts.studio.library.sheet_picture import draw
from dreamscripts.studio.library.sheet_record import Axis, SheetRecord, Value, find_sheet, read_sheet
from dreamscripts.studio.library.within import Missing


@dataclass(frozen=True)
class Cell:
    """A dream of a sheet."""

    folder: str
    """The name of its run folder within the base folder: "sheet/run"."""
    run: str
    """The identifier of this run, whether it exists or not."""
    record: SheetRecord
    x: Value
    y: Value

    @cached_property
    def settings(self) -> str:
        """TOML, with the values of the axes. Raises SettingsError."""
        return changed(self.record.settings, {self.record.x.key: self.x, self.record.y.key: self.y})


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
    """The sheets in the base folder. Threads may share them."""

    def __init__(self, folder: StudioFolder, history: History, looks: Looks):
        self._folder = folder
        self._history = history
        self._looks = looks

    def make(self, folder: str, photo: str | None, photo_name: str, look: str, toml: str, x: Axis, y: Axis) -> Sheet:
        """Make the folder of a new sheet, and write its record. `folder` is its name within the base folder.

        Raises SettingsError if the settings, or those of a cell, have a problem, and OutputError.
        """
        if x.key == y.key:
            raise SettingsError("a sheet needs two different settings")
        for axis in (x, y):
            if len(set(axis.values)) < len(axis.values):
                raise SettingsError(f"{axis.key}: a sheet needs three different values")
        record = SheetRecord(
            created=time.time(), photo=photo, photo_name=photo_name, look=look, settings=toml, x=x, y=y
        )
        sheet = self._sheet(_checked(folder), record)
        for row in sheet.cells:
            for cell in row:
                self._looks.load(cell.settings)
        path = self._folder.base / folder
        with output_errors(path):
            path.mkdir()
        write_atomically(path / SHEET, record.model_dump_json(indent=1).encode())
        return sheet

    def all(self) -> list[Sheet]:
        """Return the sheets, newest first."""
        base = self._folder.base
        names = (name for name in within.names(base) if not name.startswith(".") and within.is_file(base, name, SHEET))
        sheets = [self._sheet(name, record) for name in names if (record := read_sheet(base, name))]
        return sorted(sheets, key=lambda sheet: (-sheet.record.created, sheet.id))

    def get(self, id: str) -> Sheet:
        """Return a sheet. Raises Missing."""
        return self._sheet(*find_sheet(self._folder, id))

    def picture(self, id: str) -> bytes:
        """Draw the sheet as it is now: a PNG. Raises Missing."""
        sheet = self.get(id)
        runs = [[self._run(cell.run) for cell in row] for row in sheet.cells]
        return draw(self._folder.base, sheet.record, runs)

    def _sheet(self, folder: str, record: SheetRecord) -> Sheet:
        id = self._folder.identify("sheet", folder)
        cells = tuple(tuple(self._cell(folder, record, x, y) for x in record.x.values) for y in record.y.values)
        found = [run for row in cells for cell in row if (run := self._run(cell.run)) and run.picture]
        version = max((run.picture.version for run in found if run.picture), default=0)
        return Sheet(id, folder, record, cells, FileLink(id, "sheet.png", version + len(found)) if found else None)

    def _cell(self, folder: str, record: SheetRecord, x: Value, y: Value) -> Cell:
        name = f"{folder}/{_plain(record.x.key)}={x}_{_plain(record.y.key)}={y}"
        return Cell(name, self._history.id_of(name), record, x, y)

    def _run(self, id: str) -> Run | None:
        try:
            return self._history.get(id)
        except Missing:
            return None


def _checked(folder: str) -> str:
    """Return the name of a new sheet's folder. Raises OutputError if it is not a plain name."""
    try:
        if "/" in check_name(folder):
            raise ValueError("it contains /")
    except ValueError as error:
        raise OutputError(f"this cannot be the name of a sheet: {error}") from None
    return folder


def _plain(key: str) -> str:
    """Return a key as it can be in the name of a folder: layers can contain any character."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in key)
