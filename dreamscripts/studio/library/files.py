"""Files: open a file of a run, a photograph or a sheet by its identifier and one of a few names, never by a path."""

from dataclasses import dataclass
from typing import BinaryIO

from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.photographs import Photographs


@dataclass(frozen=True)
class OpenFile:
    """An open file to send. Whoever gets it closes `file`."""

    file: BinaryIO
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970."""
    kind: str
    """The media type, one of a few that are safe: image/png, image/jpeg, video/mp4, …, text/plain, text/csv."""
    download: str
    """A name for the file where it is saved."""


class Files:
    """Opens the files that FileLink names."""

    def __init__(self, folder: StudioFolder, photographs: Photographs, history: History):
        self._folder = folder
        self._photographs = photographs
        self._history = history

    def open(self, id: str, name: str) -> OpenFile:
        """Open a file. Raises Missing if there is none, and for every name that is not one of those in FileLinks.

        `name` of a photograph: photograph.png, thumbnail.jpg, preview-LOOK.png. Of a run: final.png,
        iteration_000.png, start.png, settings.toml, loss.csv, loss.png, thumbnail.jpg. Of a film: film.mp4, or with
        its other ending, and thumbnail.jpg. Of a sheet: sheet.png. A thumbnail is made when it is first asked for.
        """
        raise NotImplementedError
