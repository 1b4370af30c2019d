"""History: all runs, films and sheets in the base folder, whoever made them. The run folders are the database."""

from dataclasses import dataclass, field
from pathlib import Path

from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.photographs import Photographs
from dreamscripts.studio.library.run import Details, Run, RunPage

LIMIT = 60  # runs in a part of the history


@dataclass(frozen=True)
class Changes:
    """What a scan has found."""

    changed: list[Run] = field(default_factory=list)
    """New runs, and those that have changed."""
    gone: list[str] = field(default_factory=list)
    """The identifiers of runs that are no longer there."""


class History:
    """The runs in the folder. Threads may share it. Only `scan` and `refresh` look into the folder for new runs."""

    def __init__(self, folder: StudioFolder, photographs: Photographs):
        self._folder = folder
        self._photographs = photographs

    def scan(self) -> Changes:
        """Look at all folders. Only what has changed is read again."""
        return Changes()

    def refresh(self, name: str) -> Run | None:
        """Look at one run folder or film, by its name within the base folder ("run" or "sheet/run")."""
        return None

    @property
    def runs(self) -> list[Run]:
        """All runs of the last scan, newest first."""
        return []

    def id_of(self, name: str) -> str:
        """Return the identifier of the run folder or film with this name, whether it exists or not."""
        return self._folder.identify("run", name)

    def get(self, id: str) -> Run:
        """Return a run of the last scan. Raises Missing."""
        raise NotImplementedError

    def path(self, id: str) -> Path:
        """Return the folder of a run, or the file of a film. Raises Missing."""
        raise NotImplementedError

    def details(self, id: str) -> Details:
        """Read all of a run. Raises Missing."""
        raise NotImplementedError

    def page(self, before: str = "", limit: int = LIMIT, look: str = "", photo: str = "") -> RunPage:
        """Return a part of the history, newest first. `before` is the cursor of the part before, "" at first.

        With `look` or `photo`, only runs with this name of a look or a photograph. An unknown cursor starts again.
        """
        return RunPage([], None, [], [])
