"""The run folder: numbered snapshots, the record of the run, and the state to resume from."""

import os
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np

from dreamscripts.atomic_files import (
    lock,
    make_folder,
    make_numbered_folder,
    output_errors,
    remove_left_overs,
    sync,
    write_atomically,
)
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import OutputError
from dreamscripts.images.files import save_picture
from dreamscripts.runs import newest
from dreamscripts.runs.array_files import dump_array
from dreamscripts.runs.find_run import if_killed_at_start, snapshot_name, what_is_left
from dreamscripts.runs.records import Damaged, is_plain_file, read_record
from dreamscripts.runs.run_record import Row, RunRecord, Status, check_unchanged, losses_csv, read_settings
from dreamscripts.runs.run_state import check_state, checksum, dump_state, ends_run, read_start, read_state
from dreamscripts.settings.schema import Settings

FOR_RESUMING = ("state.npz", newest.NAME, "start.npy")
COST = 0.01  # largest share of the time that is spent on waiting for the disk
RAREST = 30.0  # seconds of a run that a power cut can cost at most, however slow the disk is
SHARE = 0.05  # largest share of the time in which newest.npz is written


class RunFolder:
    """The files of one run. No file is ever half-written.

    A run can be killed at any moment, and the power can fail. A checkpoint is the record and then the state, which
    contains the iteration to resume from. Before a checkpoint, all earlier files are on the disk. On resuming, later
    rows of the record are deleted. Between checkpoints, newest.npz has what a killed process would lose.
    """

    def __init__(self, folder: Path, settings: Settings, record: RunRecord, unlock: Callable[[], None]):
        self.folder = folder
        self.settings = settings
        self.record = record
        self.release = weakref.finalize(self, unlock)
        self.last: Iterate | None = None
        self._best: Iterate | None = None
        self._in_state: Iterate | None = None
        self._to_sync: list[Path] = []  # the snapshots since the last checkpoint
        self._in_record = len(record.iterates)  # rows at the last checkpoint
        self._next_checkpoint = self._next_newest = 0.0

    @classmethod
    def create(
        cls,
        folder: str | Path,
        settings: Settings,
        picture: np.ndarray,
        *,
        source: str | None = None,
        notes: Iterable[str] = (),
        keep_every: int = 1,
        numbered: bool = False,
    ) -> Self:
        """Create the folder of a run, with its start picture (float32 (H, W, 3)).

        `source` and `notes` are the picture's path and the notes on its conversion, for run.json. With `numbered`, a
        number is added to the folder's name if it exists. Raises OutputError if the folder cannot be created, is not
        empty, or is used by another process.
        """
        folder = Path(folder)
        if numbered:
            folder = make_numbered_folder(folder)
        else:
            _refuse_run(folder)
            make_folder(folder)
        record = RunRecord(
            status="running",
            picture=source,
            notes=list(notes),
            settings=settings.model_dump(),
            keep_every=keep_every,
            start_checksum=checksum(picture),
            iterates=[],
        )
        with output_errors(folder):
            unlock = lock(folder)
        run = cls(folder, settings, record, unlock)
        try:
            make_folder(folder)  # it was not locked before, so another process may have used it
            remove_left_overs(folder)
            run._write_start(picture)
        except BaseException:
            run.release()
            raise
        return run

    @classmethod
    def reopen(cls, folder: str | Path) -> Self:
        """Open an interrupted run. Its `last` is the iterate to continue from, or None if no iterate was saved.

        All its files are checked. Raises OutputError if the folder contains no run, if the run is complete, or if a
        file is damaged. Raises SettingsError if its settings cannot be used.
        """
        folder = Path(folder)
        try:
            unlock = lock(folder)
        except OSError:
            raise OutputError(f"{folder}: contains no run to resume") from None
        try:
            remove_left_overs(folder)
            return cls._read(folder, unlock)
        except Damaged as error:
            unlock()
            raise Damaged(error.path, error.problem, what_is_left(folder)) from None
        except BaseException:
            unlock()
            raise

    @classmethod
    def _read(cls, folder: Path, unlock: Callable[[], None]) -> Self:
        if not os.path.lexists(folder / "run.json"):
            raise OutputError(f"{folder}: contains no run to resume{if_killed_at_start(folder)}")
        record = read_record(folder / "run.json", RunRecord, "")
        if record.status == "complete":
            _remove(folder, FOR_RESUMING)  # the process may have been killed just before it did so
            raise OutputError(
                f"{folder}: this run is complete; there is nothing to resume; without --resume, a new run starts"
            )
        settings = read_settings(folder / "settings.toml", "")
        check_unchanged(folder / "settings.toml", record.settings)
        start = read_start(folder / "start.npy", settings, record.start_checksum)
        last = read_state(folder / "state.npz")
        if last is not None:
            check_state(last, folder / "state.npz", settings, start.shape, record.iterates)
        elif len(record.iterates) > 1:  # the first state is written before the second iterate
            raise Damaged(folder / "state.npz", "it is missing", "")
        record.iterates = [row for row in record.iterates if last and row.iteration <= last.iteration]
        record.status = "running"
        run = cls(folder, settings, record, unlock)
        run.last = run._best = run._in_state = last
        if last and (found := newest.read_newest(folder, last, record, settings, start.shape)):
            run.last = run._best = found.iterate
            run.record, run._to_sync = found.record, found.snapshots
        return run

    @property
    def picture(self) -> np.ndarray:
        """The start picture, float32 (H, W, 3). Raises OutputError."""
        return read_start(self.folder / "start.npy", self.settings, self.record.start_checksum)

    @property
    def has_ended(self) -> bool:
        """Whether all iterations have been saved, so that only the final files may be missing."""
        return self.last is not None and ends_run(self.last, self.settings)

    def save(self, iterate: Iterate) -> None:
        """Write the snapshot of an iterate and the losses so far. Make a checkpoint, unless the last one is recent."""
        if iterate.iteration % self.record.keep_every == 0:
            name = snapshot_name(iterate.iteration)
            self._save_picture(name, iterate, durable=False)
            self._to_sync.append(self.folder / name)
        self.record.iterates.append(Row.of(iterate))
        self._write_losses(durable=False)
        self.last = iterate
        if self._best is None or iterate.octave != self._best.octave or iterate.loss < self._best.loss:
            self._best = iterate
        now = time.monotonic()
        if now >= self._next_checkpoint:
            self._make_checkpoint()
        elif now >= self._next_newest:
            self._write_newest()

    def save_final(self, status: Status) -> None:
        """Write the final picture: the last picture or, after status "diverged", the picture with the lowest loss.

        If the run is not complete, the last iterate becomes the one to resume from.
        """
        if self.last is None:
            return
        if status != "complete" and self.last is not self._in_state:
            self._make_checkpoint()
        if status == "diverged":
            self._save_best()
        else:
            self._save_picture("final.png", self.last)
        self._write_losses(durable=True)

    def write(self, name: str, content: bytes) -> None:
        """Write another file of the run atomically. Raises OutputError."""
        write_atomically(self.folder / name, content)

    def close(self, status: Status) -> None:
        """Record how the run ended: "complete", "stopped" or "diverged". If it is complete, delete its state."""
        self.record.status = status
        self._sync_snapshots()
        self._write_record()
        sync(self.folder)
        if status == "complete":
            _remove(self.folder, FOR_RESUMING)

    def discard(self) -> None:
        """Delete the files of a run that ended before its first iterate, and its folder if it is then empty."""
        with suppress(OutputError):
            remove_left_overs(self.folder)
            _remove(self.folder, ("run.json", "settings.toml", "loss.csv", snapshot_name(0), *FOR_RESUMING))
        with suppress(OSError):
            self.folder.rmdir()

    def _write_start(self, picture: np.ndarray) -> None:
        try:
            self.write("settings.toml", self.settings.to_toml().encode())
            self.write("start.npy", dump_array(picture))
            self._write_record()
            sync(self.folder)
        except BaseException:
            self.discard()
            raise

    def _make_checkpoint(self) -> None:
        """Write the record and the state, in this order also after a power cut."""
        if self.last is None:
            return
        began = time.monotonic()
        self._sync_snapshots()
        self._write_record()
        sync(self.folder)
        self.write("state.npz", dump_state(self.last))
        sync(self.folder)
        self._in_state, self._in_record = self.last, len(self.record.iterates)
        now = time.monotonic()
        self._next_checkpoint = now + min((now - began) / COST, RAREST)

    def _write_newest(self) -> None:
        """Write the last iterate and the rows since the checkpoint, without waiting for the disk."""
        if self.last is None or self._in_state is None:
            return
        began = time.monotonic()
        content = newest.dump_newest(self.last, self._in_state.iteration, self.record.iterates[self._in_record :])
        write_atomically(self.folder / newest.NAME, content, durable=False)
        now = time.monotonic()
        self._next_newest = now + (now - began) / SHARE

    def _sync_snapshots(self) -> None:
        for path in self._to_sync:
            if path.exists():  # the person may have deleted it
                sync(path)
        self._to_sync.clear()

    def _save_picture(self, name: str, iterate: Iterate, *, durable: bool = True) -> None:
        save_picture(iterate.picture, self.folder / name, self.settings.to_toml(), durable=durable)

    def _save_best(self) -> None:
        """Save the picture with the lowest loss of the octave. An earlier process may have made it."""
        rows = self.record.iterates
        best = min((row for row in rows if row.octave == rows[-1].octave), key=lambda row: row.loss)
        snapshot = self.folder / snapshot_name(best.iteration)
        if is_plain_file(snapshot):
            self.write("final.png", snapshot.read_bytes())
        elif self._best is not None:
            self._save_picture("final.png", self._best)

    def _write_losses(self, *, durable: bool) -> None:
        write_atomically(self.folder / "loss.csv", losses_csv(self.record.iterates), durable=durable)

    def _write_record(self) -> None:
        self.write("run.json", self.record.model_dump_json(indent=1).encode())


def _refuse_run(folder: Path) -> None:
    """Raise OutputError if a folder contains a run."""
    path = folder / "run.json"
    with output_errors(folder):
        if not path.exists():
            return
    try:
        ended = read_record(path, RunRecord, "").status == "complete"
    except Damaged:
        ended = True
    advice = "" if ended else "resume it (--resume), or "
    raise OutputError(f"{folder}: already contains a run; {advice}choose another folder (--output)")


def _remove(folder: Path, names: Iterable[str]) -> None:
    with output_errors(folder):
        for name in names:
            (folder / name).unlink(missing_ok=True)
