"""The record of a sheet, sheet.json in its folder, and the names of its cells. Anybody may have changed it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from dreamscripts.errors import DreamError
from dreamscripts.runs.records import Record, parse_record
from dreamscripts.studio.library import within
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.scanning import SHEET
from dreamscripts.studio.library.within import Missing

MOST_OF_RECORD = 1_000_000  # bytes

Value = Annotated[int, Field(ge=-(2**63), lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)]
Values = Annotated[list[Value], Field(min_length=3, max_length=3)]


class Axis(Record):
    """A setting and its three values."""

    key: str = Field(min_length=1, max_length=100)
    values: Values


class SheetRecord(Record):
    """The content of sheet.json."""

    created: float = Field(ge=0, allow_inf_nan=False)
    photo: str | None
    """The identifier of the photograph, or None for noise."""
    photo_name: str
    look: str
    settings: str
    """TOML, without the values of the axes."""
    x: Axis
    y: Axis


def read_sheet(base: Path, name: str) -> SheetRecord | None:
    """Read the record of the sheet in the folder base/name. None: it is none, or the record is damaged."""
    try:
        content = within.read(base, name, SHEET, most=MOST_OF_RECORD)
        return parse_record(content, base / name / SHEET, SheetRecord, "")
    except DreamError:
        return None


def find_sheet(folder: StudioFolder, id: str) -> tuple[str, SheetRecord]:
    """Return the name and the record of a sheet. Raises Missing."""
    for name in within.names(folder.base):
        if (
            folder.identify("sheet", name) == id
            and not name.startswith(".")
            and (record := read_sheet(folder.base, name))
        ):
            return name, record
    raise Missing("this sheet is not here any more")
