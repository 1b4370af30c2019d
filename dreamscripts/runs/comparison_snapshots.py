"""The small snapshots of a comparison's trials, in its folder `film`: what `dreamscripts movie` shows side by side.

Each trial has a record, and a picture after each of the same numbers of passes.
"""

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from PIL import Image
from pydantic import Field, model_validator

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.dreams.movie import as_frame
from dreamscripts.dreams.trial import MOMENTS, Trial
from dreamscripts.errors import OutputError
from dreamscripts.images.resizing import Size
from dreamscripts.runs.records import Damaged, Record, read_record
from dreamscripts.runs.run_record import Number, read_settings
from dreamscripts.runs.snapshots import WITHOUT, opened

FOLDER = "film"
NAME = re.compile(r"trial_(\d{2,6})(\.json|_pass_\d{3,7}\.jpg)", re.ASCII)
MOST_TRIALS = 1000
ADVICE = "delete it to make the movie without this trial"
INSTEAD = "the snapshot before it is shown instead"


class MomentRecord(Record):
    """A snapshot: the number of passes, and the lowest loss so far."""

    passes: Annotated[int, Field(ge=1, le=1_000_000)]
    lowest: Number


class SnapshotsRecord(Record):
    """The snapshots of a trial."""

    comparison: int
    """The checksum of the comparison that the trial belongs to."""
    optimizer: Annotated[str, Field(max_length=255)]
    name: Annotated[str, Field(max_length=1000)]
    """The optimizer and the value that the trial varies, to show."""
    varied: float
    """This value, to put the trials of an optimizer in order."""
    loss: Number
    """Loss of the final picture, without jitter."""
    moments: list[MomentRecord] = Field(min_length=1, max_length=MOMENTS)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        for before, moment in pairwise(self.moments):
            if moment.passes <= before.passes:
                raise ValueError(f"pass {moment.passes} cannot follow pass {before.passes}")
        return self


@dataclass(frozen=True)
class TrialSnapshots:
    """The snapshots of a trial that were found."""

    record: SnapshotsRecord
    paths: tuple[Path, ...]
    """The file to show at each moment."""

    def pictures(self, size: Size) -> Iterator[np.ndarray]:
        """Yield the picture of each moment, resized to `size`: uint8 (H, W, 3). Raises Damaged."""
        for path in self.paths:
            yield as_frame(opened(path, WITHOUT), size)


@dataclass
class ComparisonSnapshots:
    """The snapshots of all finished trials, those of the same optimizer together."""

    trials: list[TrialSnapshots]
    settings: str
    """The settings of the comparison, as TOML."""
    size: Size = (0, 0)
    """Height and width of the snapshots."""
    notes: list[str] = field(default_factory=list)
    """What is missing, one line each."""

    @property
    def best(self) -> list[TrialSnapshots]:
        """The trial of each optimizer with the lowest loss of the final picture."""
        by_optimizer: dict[str, list[TrialSnapshots]] = {}
        for trial in self.trials:
            by_optimizer.setdefault(trial.record.optimizer, []).append(trial)
        return [min(trials, key=lambda trial: trial.record.loss) for trials in by_optimizer.values()]


def save_snapshots(folder: Path, number: int, trial: Trial, comparison: int) -> None:
    """Write the snapshots of trial `number`, and then their record. `comparison` is the checksum of the comparison.

    Raises OutputError.
    """
    if not trial.snapshots:
        return
    with output_errors(folder / FOLDER):
        (folder / FOLDER).mkdir(exist_ok=True)
    for passes, picture in trial.snapshots.items():
        write_atomically(_picture_path(folder, number, passes), _jpeg(picture), durable=False)
    lowest = {made.number: made.lowest for made in trial.passes}
    last = trial.passes[-1].lowest  # of a trial that ended early
    record = SnapshotsRecord(
        comparison=comparison,
        optimizer=trial.optimizer,
        name=trial.name,
        varied=float(trial.step or trial.restart or 0),
        loss=float(trial.loss),
        moments=[MomentRecord(passes=passes, lowest=float(lowest.get(passes, last))) for passes in trial.snapshots],
    )
    path = folder / FOLDER / f"trial_{number:02}.json"
    write_atomically(path, record.model_dump_json(indent=1).encode(), durable=False)


def remove_snapshots(folder: Path) -> None:
    """Delete the snapshots of all trials. Raises OSError."""
    if (folder / FOLDER).is_dir():
        for path in [path for path in (folder / FOLDER).iterdir() if NAME.fullmatch(path.name)]:
            path.unlink()
        (folder / FOLDER).rmdir()


def read_comparison(folder: Path) -> ComparisonSnapshots:
    """Find the snapshots of a comparison. They are checked, but not decoded.

    A snapshot that is damaged is replaced by the one before. Raises OutputError if a record is damaged, or if there are
    no snapshots.
    """
    if not os.path.lexists(folder / FOLDER):
        if os.path.lexists(folder / "compare.json"):
            raise OutputError(
                f"{folder}: this comparison has no snapshots, because an older version made it; make it again with "
                "`dreamscripts compare`"
            )
        raise OutputError(f"{folder}: no trial of this comparison is finished yet; try again later")
    if (folder / FOLDER).is_symlink():
        raise OutputError(f"{folder / FOLDER}: is a link; replace it with the folder that it points to")
    settings = read_settings(folder / "settings.toml", "restore it from a copy, or make the comparison again").to_toml()
    found = [(int(name[1]), path) for path in (folder / FOLDER).glob("*.json") if (name := NAME.fullmatch(path.name))]
    records = {number: read_record(path, SnapshotsRecord, ADVICE) for number, path in sorted(found)[:MOST_TRIALS]}
    current = records[max(records)].comparison if records else 0  # the settings may have been changed before --resume
    latest = {
        (record.optimizer, record.varied): number  # a trial may have been made again
        for number, record in records.items()
        if record.comparison == current
    }
    optimizers = list(dict.fromkeys(optimizer for optimizer, _ in latest))
    comparison = ComparisonSnapshots([], settings)
    for _, number in sorted(latest.items(), key=lambda item: (optimizers.index(item[0][0]), item[0][1])):
        _add(comparison, folder, number, records[number])
    if not comparison.trials:
        raise OutputError(f"{folder / FOLDER}: contains no whole snapshots of a trial")
    return comparison


def _add(comparison: ComparisonSnapshots, folder: Path, number: int, record: SnapshotsRecord) -> None:
    """Add the snapshots of a trial. Raises Damaged if they were not made after the same passes as the others."""
    passes = [moment.passes for moment in record.moments]
    if comparison.trials and passes != [moment.passes for moment in comparison.trials[0].record.moments]:
        raise Damaged(folder / FOLDER / f"trial_{number:02}.json", "its passes differ from those of the others", ADVICE)
    whole: list[Path] = []
    missing = 0  # at the beginning
    for path in (_picture_path(folder, number, count) for count in passes):
        try:
            comparison.size = opened(path, INSTEAD).shape[:2]  # they are small
            whole.append(path)
        except Damaged as error:
            comparison.notes.append(str(error))
            whole += whole[-1:]
            missing += not whole
    if whole:
        comparison.trials.append(TrialSnapshots(record, (*whole[:1] * missing, *whole)))


def _jpeg(picture: np.ndarray) -> bytes:
    """Return the content of a JPEG file: a PNG takes 16 times as long, which is more than 1 % of a trial."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85, subsampling=0)
    return buffer.getvalue()


def _picture_path(folder: Path, number: int, passes: int) -> Path:
    return folder / FOLDER / f"trial_{number:02}_pass_{passes:03}.jpg"
