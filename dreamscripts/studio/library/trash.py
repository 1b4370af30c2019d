"""Trash: what was deleted waits in the store until it is restored or the trash is emptied."""

from dataclasses import dataclass

from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.run import Run


@dataclass(frozen=True)
class Trashed:
    """A run, film or sheet in the trash."""

    id: str
    """That of the run or sheet when it was deleted."""
    run: Run
    """As it was then. Of a sheet, it has the sheet's name and no picture."""
    trashed: float
    """Seconds since 1970."""
    bytes: int


class Trash:
    """The trash of the studio."""

    def __init__(self, folder: StudioFolder, history: History):
        self._folder = folder
        self._history = history

    def put_run(self, id: str) -> Trashed:
        """Move a run or film into the trash. Raises Missing, and OutputError if it is being written."""
        raise NotImplementedError

    def put_sheet(self, id: str) -> Trashed:
        """Move a sheet and all its runs into the trash. Raises Missing, and OutputError if one is being written."""
        raise NotImplementedError

    def items(self) -> list[Trashed]:
        """Return what is in the trash, newest first."""
        return []

    def restore(self, id: str) -> str:
        """Move something back, and return its name within the base folder: a numbered one if its name is taken.

        Raises Missing and OutputError. `History.refresh` then finds it.
        """
        raise NotImplementedError

    def empty(self) -> None:
        """Delete everything in the trash for good."""
