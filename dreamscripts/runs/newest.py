"""The newest iterate of a run, newest.npz: what a killed process would lose since the last checkpoint.

It is written often and not waited for, so it can be missing or damaged after a power cut. The checkpoint then counts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.runs.find_run import snapshot_name
from dreamscripts.runs.records import Damaged, Record, is_plain_file, parse_record
from dreamscripts.runs.run_record import Count, Row, RunRecord
from dreamscripts.runs.run_state import check_state, dump_state, read_iterate
from dreamscripts.settings.schema import Settings

NAME = "newest.npz"
SINCE = "since"  # the array with the rows


class Since(Record):
    """The rows since a checkpoint."""

    after: Count
    """The iteration of the checkpoint."""
    rows: list[Row]


class Newest(NamedTuple):
    """The newest iterate of a run, the record of the run with its row, and the snapshots since the checkpoint."""

    iterate: Iterate
    record: RunRecord
    snapshots: list[Path]


def dump_newest(iterate: Iterate, after: int, rows: Sequence[Row]) -> bytes:
    """Return the content of newest.npz: an iterate, and the rows since the checkpoint of iteration `after`."""
    since = Since(after=after, rows=list(rows)).model_dump_json()
    return dump_state(iterate, {SINCE: np.frombuffer(since.encode(), np.uint8)})


def read_newest(
    folder: Path, checkpoint: Iterate, record: RunRecord, settings: Settings, start: tuple[int, ...]
) -> Newest | None:
    """Read newest.npz in the folder of a run. Returns None if it does not continue the checkpoint, or is not whole.

    `record` has the rows until the checkpoint, and `start` is the shape of the start picture. Raises OutputError if
    there is too little memory.
    """
    path = folder / NAME
    try:
        iterate, arrays = read_iterate(path, {SINCE})
        since = parse_record(arrays[SINCE].tobytes(), path, Since, "")
        rows = [*record.iterates, *since.rows]
        record = RunRecord.model_validate(record.model_dump() | {"iterates": [row.model_dump() for row in rows]})
        check_state(iterate, path, settings, start, rows)
    except (Damaged, ValidationError):
        return None
    names = [snapshot_name(row.iteration) for row in since.rows if row.iteration % record.keep_every == 0]
    snapshots = [folder / name for name in names]
    continues = since.after == checkpoint.iteration < iterate.iteration
    return Newest(iterate, record, snapshots) if continues and all(map(is_plain_file, snapshots)) else None
