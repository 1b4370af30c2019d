"""Find the interrupted run that a person means, and what is left of a damaged run."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from PIL import Image

from dreamscripts.atomic_files import numbered
from dreamscripts.errors import OutputError
from dreamscripts.runs.records import is_plain_file, read_record
from dreamscripts.runs.run_record import RunRecord, path_text

SNAPSHOT = "iteration_[0-9]*.png"


def snapshot_name(iteration: int) -> str:
    """Return the name of the snapshot of an iteration."""
    return f"iteration_{iteration:03d}.png"


def latest_folder(name: str) -> Path:
    """Return the last existing folder of name, name-2, name-3, …, or `name` if it does not exist."""
    existing = list(takewhile(Path.exists, numbered(name)))
    return existing[-1] if existing else Path(name)


def interrupted_run(picture: Path) -> Path:
    """Return the folder in the working directory with the latest interrupted run of a picture.

    Raises OutputError if there is none.
    """
    found = list(_interrupted_runs(path_text(picture)))
    if not found:
        raise OutputError(f"{picture}: there is no interrupted run of it in this folder; use --output FOLDER")
    return max(found)[1]


def _interrupted_runs(picture: str) -> Iterator[tuple[int, Path]]:
    """Yield the time of the last change and the folder of each interrupted run."""
    for path in Path().glob("*/run.json"):
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
    for _, path in reversed(snapshots):
        if is_plain_file(path) and _opens(path):
            return f"{path.name} is whole: start a new dream from it with --from {path} {path}"
    return "start again in another --output"


def _opens(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True
