"""The snapshots of a run, to look at: of a run that goes on, was stopped, or is complete."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dreamscripts.dreams.movie import as_frame
from dreamscripts.errors import OutputError, PictureError
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import Size
from dreamscripts.runs.find_run import SNAPSHOT, snapshot_name
from dreamscripts.runs.records import Damaged, check_plain_file, read_record
from dreamscripts.runs.run_record import RunRecord, read_settings

NAME = re.compile(r"iteration_(\d{3,18})\.png", re.ASCII)
LEFT_OUT = "it is left out"
WITHOUT = "delete it to make the movie without it"
ADVICE = "restore it from a copy, or make the run again"


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of a run, in the order of the iterations."""

    paths: tuple[Path, ...]
    """Their files. The last one can be final.png."""
    size: Size
    """Height and width of the last one."""
    settings: str
    """The settings of the run, as TOML."""
    notes: tuple[str, ...]
    """What was left out, one line each."""

    def pictures(self, size: Size) -> Iterator[np.ndarray]:
        """Yield each snapshot, resized to `size`: uint8 (H, W, 3). Raises Damaged."""
        for path in self.paths:
            yield as_frame(opened(path, WITHOUT), size)


def read_snapshots(folder: Path) -> Snapshots:
    """Find the snapshots of a run. They are checked, but not decoded.

    The final picture comes last if the last iteration has no snapshot of its own. A damaged snapshot is left out.
    Raises OutputError if the record or the settings are damaged, or if there are no snapshots.
    """
    record = read_record(folder / "run.json", RunRecord, ADVICE)
    settings = read_settings(folder / "settings.toml", ADVICE).to_toml()
    found = {
        int(name[1]): path
        for path in folder.glob(SNAPSHOT)
        if (name := NAME.fullmatch(path.name)) and path.name == snapshot_name(int(name[1]))
    }
    paths = [found[number] for number in sorted(found)]
    ended = record.status in ("complete", "stopped") and record.iterates  # final.png of a resumed run is an older one
    if ended and record.iterates[-1].iteration > max(found, default=-1):
        paths.append(folder / "final.png")
    sizes: dict[Path, Size] = {}
    notes = []
    for path in paths:
        try:
            sizes[path] = size_of(path, LEFT_OUT)
        except Damaged as error:
            notes.append(str(error))
    if not sizes:
        raise OutputError(notes[0] if found else f"{folder}: contains no snapshots of the run (iteration_000.png, …)")
    return Snapshots(tuple(sizes), list(sizes.values())[-1], settings, tuple(notes))


def size_of(path: Path, advice: str) -> Size:
    """Return height and width of a PNG file whose checksums are right. It is not decoded. Raises Damaged."""
    check_plain_file(path, advice)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is decoded by `open_picture`
            with Image.open(path, formats=["PNG"]) as image:
                width, height = image.size
                image.verify()
    except Exception:  # Pillow raises errors of many kinds for damaged files
        raise Damaged(path, "it is not a whole PNG file", advice) from None
    return height, width


def opened(path: Path, advice: str) -> np.ndarray:
    """Decode a picture in an output folder: float32 (H, W, 3), 0..255. Raises Damaged."""
    check_plain_file(path, advice)
    try:
        return open_picture(path)
    except PictureError as error:
        raise Damaged(path, str(error).removeprefix(f"{path}: "), advice) from None
