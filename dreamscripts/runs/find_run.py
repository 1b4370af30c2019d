"""Find the interrupted run that a person means, and what is left of a damaged run."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from PIL import Image

from dreamscripts.atomic_files import LEFT_OVER, numbered, output_errors
from dreamscripts.errors import OutputError, quoted
from dreamscripts.runs.records import is_plain_file, read_record
from dreamscripts.runs.run_record import RunRecord, path_text

BEFORE_RECORD = {"settings.toml", "start.npy"}
SNAPSHOT = "iteration_[0-9]*.png"


def snapshot_name(iteration: int) -> str:
    """Return the name of the snapshot of an iteration."""
    return f"iteration_{iteration:03d}.png"


WITHOUT_RECORD = {*BEFORE_RECORD, "loss.csv", snapshot_name(0), "state.npz"}  # also while a run is discarded


def latest_folder(name: str) -> Path:
    """Return the last existing folder of name, name-2, name-3, …, or `name` if it does not exist."""
    return [Path(name), *_existing(name)][-1]


def if_killed_at_start(folder: Path) -> str:
    """Return what to do if a folder has only the files that are written before the record, else an empty text."""
    with suppress(OSError):
        names = {path.name for path in folder.iterdir() if not LEFT_OVER.fullmatch(path.name)}
        if names and names <= BEFORE_RECORD:
            return "; if the command was killed when it started, delete this folder and start again"
    return ""


def remove_if_killed_at_start(folder: Path) -> None:
    """Delete the files of a run that has no record, because a process was killed when it started or discarded the run.

    Call this only with a folder that no other process writes to. Raises OutputError.
    """
    with output_errors(folder):
        if not folder.is_dir() or os.path.lexists(folder / "run.json"):
            return
        names = {path.name for path in folder.iterdir()}
        if all(name in WITHOUT_RECORD or LEFT_OVER.fullmatch(name) for name in names):
            for name in names:
                (folder / name).unlink()
            folder.rmdir()


def is_complete(folder: Path) -> bool:
    """Return whether a folder contains a complete run. Raises Damaged if its record is damaged."""
    path = folder / "run.json"
    return path.exists() and read_record(path, RunRecord, what_is_left(folder)).status == "complete"


def interrupted_run(picture: Path | None, name: str = "") -> Path:
    """Return the folder in the working directory with the latest interrupted run of a picture (None: of noise).

    With `name`, only the folders name, name-2, name-3, … are searched. If none of them has such a run, the last of them
    is returned, and opening it says why. Without `name`, OutputError is raised.
    """
    folders = _existing(name) if name else Path().glob("*")
    if found := list(_interrupted_runs(folders, path_text(picture) if picture else None)):
        return max(found)[1]
    if name:
        return latest_folder(name)
    raise OutputError(f"{picture}: there is no interrupted run of it in this folder; use --output FOLDER")


def _existing(name: str) -> Iterator[Path]:
    return takewhile(Path.exists, numbered(name))


def _interrupted_runs(folders: Iterable[Path], picture: str | None) -> Iterator[tuple[int, Path]]:
    """Yield the time of the last change and the folder of each interrupted run."""
    for path in (folder / "run.json" for folder in folders):
        try:
            record = read_record(path, RunRecord, "")
        except OutputError:  # of another program, or damaged
            continue
        if record.picture == picture and record.status != "complete":
            yield path.stat().st_mtime_ns, path.parent


def what_is_left(folder: Path) -> str:
    """Say what can still be done with a damaged run: the last snapshot that can be opened may start a new dream."""
    numbers = {path: path.stem.removeprefix("iteration_") for path in folder.glob(SNAPSHOT)}
    snapshots = sorted((int(number), path) for path, number in numbers.items() if number.isdecimal())
    for number, path in reversed(snapshots):
        if number and is_plain_file(path) and _opens(path):
            word = quoted(str(path))
            return f"{path.name} is whole; to start a new dream from it: dreamscripts dream {word} --from {word}"
    return "start again in another --output"


def _opens(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True
