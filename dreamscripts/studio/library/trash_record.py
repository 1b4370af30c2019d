"""The record of something in the trash, item.json beside it. Anybody may have changed it."""

from pathlib import Path

from pydantic import Field

from dreamscripts.errors import DreamError
from dreamscripts.runs.records import Record, parse_record
from dreamscripts.studio.library import within
from dreamscripts.studio.library.run import Run
from dreamscripts.studio.library.within import Missing

RECORD = "item.json"
MOST_OF_RECORD = 1_000_000  # bytes


class TrashRecord(Record):
    """The content of item.json."""

    name: str
    """Where it was: its name within the base folder."""
    content: str
    """Its name beside this record."""
    run: Run
    """As it was then."""
    trashed: float = Field(ge=0, allow_inf_nan=False)
    """Seconds since 1970."""
    bytes: int = Field(ge=0)


def read_trashed(store: Path, id: str) -> TrashRecord:
    """Read the record of an item in the trash. Raises Missing."""
    try:
        content = within.read(store, "trash", id, RECORD, most=MOST_OF_RECORD)
        record = parse_record(content, store / "trash" / id / RECORD, TrashRecord, "")
    except DreamError:
        record = None
    if record is None or not _is_plain(record.name) or within.status(store, "trash", id, record.content) is None:
        raise Missing("this is not in the trash any more")
    return record


def _is_plain(name: str) -> bool:
    """Return whether a name leads to a place within the base folder: a name, or that of a sheet and a name in it."""
    parts = name.split("/")
    return len(parts) <= 2 and all(part and not part.startswith(".") and "\0" not in part for part in parts)
