"""Small pictures for the report of a batch. Each is made once, when its run has a picture."""

import io
import math
import time
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.errors import PictureError
from dreamscripts.images.pillow import quiet, refusals
from dreamscripts.regular_files import open_regular
from dreamscripts.reports.batch_cells import Cell, State
from dreamscripts.runs.find_run import snapshot_name

SIDE = 384  # pixels
QUALITY = 80
FOLDER = "thumbnails"
PHOTOGRAPHS = "photographs"  # the folder within FOLDER for the start pictures of runs


class Thumbnails:
    """The small pictures of a batch: of the results, and one of each photograph.

    A cell is looked at again only when its state changes. A picture that is damaged or missing has no thumbnail.
    If the pictures are `elsewhere`, so that they are missing here, a thumbnail that was made before stays.
    """

    def __init__(self, folder: Path, elsewhere: bool = False):
        self._folder, self._elsewhere = folder, elsewhere
        self._seen: dict[str, State] = {}
        self.made: set[str] = set()
        """The names of the cells that have a thumbnail: thumbnails/NAME.jpg."""
        self.photographs: dict[str, str] = {}
        """For each photograph, the cell whose start picture shows it: thumbnails/photographs/NAME.jpg."""
        self.shapes: dict[str, float] = {}
        """Height ÷ width of the pictures of each photograph, as far as it is known."""

    def update(self, cells: Iterable[Cell], seconds: float = math.inf) -> None:
        """Make the thumbnails of cells whose state has changed. Raises OutputError if they cannot be written.

        After so many seconds it leaves the rest to the next call.
        """
        end = time.monotonic() + seconds
        for cell in cells:
            if self._seen.get(cell.name) == cell.state:
                continue
            if time.monotonic() > end:
                break
            self._seen[cell.name] = cell.state
            self.made.discard(cell.name)
            if cell.state == "waiting":
                continue
            if cell.photo and cell.photo not in self.photographs:
                start = self._folder / cell.name / snapshot_name(0)
                if self._make(cell, start, self._folder / FOLDER / PHOTOGRAPHS):
                    self.photographs[cell.photo] = cell.name
            final = self._folder / cell.name / "final.png"
            if cell.state != "running" and self._make(cell, final, self._folder / FOLDER):
                self.made.add(cell.name)

    def paths(self) -> dict[str, Path]:
        """Return the thumbnails of the results, by the names of their cells."""
        return {name: self._folder / FOLDER / f"{name}.jpg" for name in self.made}

    def _make(self, cell: Cell, picture: Path, folder: Path) -> bool:
        """Make a thumbnail, unless there is one that is newer than the picture. Return whether it exists now."""
        thumbnail = folder / f"{cell.name}.jpg"
        try:
            stays = self._elsewhere and thumbnail.exists() and not picture.exists()
            if not stays and not _is_current(thumbnail, picture):
                small = _small(picture)
                with output_errors(folder):
                    folder.mkdir(parents=True, exist_ok=True)
                write_atomically(thumbnail, small, durable=False)
            if cell.photo not in self.shapes:
                with open_regular(thumbnail, PictureError, "picture") as file, refusals(thumbnail):
                    width, height = Image.open(file, formats=("JPEG",)).size
                self.shapes[cell.photo] = round(height / width, 4)
        except PictureError:
            return False
        return True


def _is_current(thumbnail: Path, picture: Path) -> bool:
    try:
        return thumbnail.stat().st_mtime_ns >= picture.stat().st_mtime_ns
    except OSError:
        return False


def _small(picture: Path) -> bytes:
    """Return a JPEG of at most SIDE pixels per side. Raises PictureError."""
    with open_regular(picture, PictureError, "picture") as file, quiet(), refusals(picture):
        with Image.open(file, formats=("PNG",)) as image:
            small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
