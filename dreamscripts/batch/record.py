"""The files that describe a batch: batch.json, the dreams in it, and results.jsonl, what has become of them."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.jobs.job import Name
from dreamscripts.runs.records import Record, read_record
from dreamscripts.runs.run_record import Number

BATCH, RESULTS = "batch.json", "results.jsonl"


class Entry(Record):
    """A dream of the batch."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    folder: Name
    photo: str
    """The name of the photograph, to show. "": it starts from noise."""
    values: dict[str, str]
    """What distinguishes its settings, to show."""


class BatchRecord(Record):
    """The content of batch.json."""

    jobs: list[Entry]


class Result(Record):
    """How a dream has ended: a line of results.jsonl. The last line about a dream counts."""

    id: str
    state: Literal["done", "failed"]
    message: str = ""
    again: bool = False
    """Whether it failed for a reason that may pass, such as a full disk, so that the next batch tries it again."""
    loss: Number | None = None
    iterations: int = 0
    passes: int = 0
    seconds: float | None = None
    node: str = ""


def read_batch(folder: Path) -> list[Entry]:
    """Return the dreams that a folder was made for, or [] if it is new. Raises Damaged."""
    path = folder / BATCH
    if not path.exists():
        return []
    return read_record(path, BatchRecord, "its runs are whole; delete this file, and they are looked at again").jobs


def write_batch(folder: Path, jobs: Iterable[Entry]) -> None:
    """Write batch.json. Raises OutputError."""
    write_atomically(folder / BATCH, BatchRecord(jobs=list(jobs)).model_dump_json().encode())


class Results:
    """The file results.jsonl, to which a line is added for each dream that has ended.

    The process can be killed while it writes. Then the last line is not whole, and that dream is looked at again.
    """

    def __init__(self, folder: Path):
        """Read the file, and open it for more. Raises OutputError."""
        self._path = folder / RESULTS
        with output_errors(self._path):
            self._file = self._path.open("a+b")
            self._file.seek(0)
            content = self._file.read()
        self.found: dict[str, Result] = {}
        for line in content.splitlines():
            with suppress(ValidationError, ValueError):
                result = Result.model_validate_json(line)
                self.found[result.id] = result
        if content and not content.endswith(b"\n"):
            self._write(b"\n")

    def add(self, result: Result) -> None:
        """Add a result. Raises OutputError."""
        self.found[result.id] = result
        self._write(result.model_dump_json(exclude_defaults=True).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, content: bytes) -> None:
        with output_errors(self._path):
            self._file.write(content)
            self._file.flush()
