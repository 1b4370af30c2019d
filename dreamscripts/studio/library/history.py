"""History: all runs, films and sheets in the base folder, whoever made them. The run folders are the database."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

from dreamscripts.settings.loading import named_files
from dreamscripts.studio.library import dreams, films, within
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.photographs import Photographs
from dreamscripts.studio.library.run import Details, Run, RunPage
from dreamscripts.studio.library.scanning import Found, find, scan
from dreamscripts.studio.library.sheet_record import read_sheet
from dreamscripts.studio.library.within import Missing

LIMIT, MOST = 60, 500  # runs in a part of the history


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
        self._scanning = RLock()  # one scan at a time
        self._lock = RLock()  # for what was found
        self._found: dict[str, tuple[Found, Run | None]] = {}  # None: dreamscripts has not made it
        self._runs: dict[str, Run] = {}
        self._looks: list[str] = []

    def scan(self) -> Changes:
        """Look at all folders. Only what has changed is read again."""
        with self._scanning:
            self._looks = self._names_of_looks()
            found = {self.id_of(one.name): one for one in scan(self._folder.base)}
            changes = [run for id, one in found.items() if (run := self._update(id, one))]
            with self._lock:
                missing = self._found.keys() - found.keys()
                gone = [id for id in missing if self._forget(id)]
            return Changes(changes, gone)

    def refresh(self, name: str) -> Run | None:
        """Look at one run folder or film, by its name within the base folder ("run" or "sheet/run")."""
        id = self.id_of(name)
        with self._scanning:
            self._looks = self._looks or self._names_of_looks()
            one = find(self._folder.base, name) if not any(part.startswith(".") for part in name.split("/")) else None
            if one is None:
                self._forget(id)
                return None
            self._update(id, one, again=True)
            return self._runs.get(id)

    @property
    def runs(self) -> list[Run]:
        """All runs of the last scan, newest first."""
        with self._lock:
            return sorted(self._runs.values(), key=lambda run: (-run.created, run.id))

    def id_of(self, name: str) -> str:
        """Return the identifier of the run folder or film with this name, whether it exists or not."""
        return self._folder.identify("run", name)

    def get(self, id: str) -> Run:
        """Return a run of the last scan. Raises Missing."""
        with self._lock:
            run = self._runs.get(id)
        if run is None:
            raise Missing("this dream is not here any more")
        return run

    def path(self, id: str) -> Path:
        """Return the folder of a run, or the file of a film. Raises Missing."""
        return self._folder.base / self.get(id).folder

    def details(self, id: str) -> Details:
        """Read all of a run. Raises Missing."""
        run = self.get(id)
        kind = self._found[id][0].kind
        if kind == "dream":
            return dreams.read_details(self._folder.base, run, self._photographs)
        return (films.picture_details if kind == "picture" else films.film_details)(self._folder.base, run)

    def page(self, before: str = "", limit: int = LIMIT, look: str = "", photo: str = "") -> RunPage:
        """Return a part of the history, newest first. `before` is the cursor of the part before, "" at first.

        With `look` or `photo`, only runs with this name of a look or a photograph. A run that arrives meanwhile does
        not move the others.
        """
        runs = self.runs
        chosen = [run for run in runs if look in ("", run.look) and photo in ("", run.photo_name)]
        if before:
            created, _, last = before.partition("_")
            place = (-_number(created), last)
            chosen = [run for run in chosen if (-run.created, run.id) > place]
        limit = min(max(limit, 1), MOST)
        part = chosen[:limit]
        following = f"{part[-1].created!r}_{part[-1].id}" if len(chosen) > limit else None
        names = [sorted({name for run in runs if (name := getattr(run, key))}) for key in ("look", "photo_name")]
        return RunPage(part, following, *names)

    def _update(self, id: str, one: Found, again: bool = False) -> Run | None:
        """Read a run if it has changed or is being written. Return it if its summary has become another one."""
        before = self._found.get(id)
        if before and before[0] == one and not again and not (before[1] and before[1].state == "running"):
            return None
        run = self._summary(id, one)
        with self._lock:
            self._found[id] = (one, run)
            if run is None:
                self._runs.pop(id, None)
                return None
            self._runs[id] = run
        return run if before is None or before[1] != run else None

    def _summary(self, id: str, one: Found) -> Run | None:
        base, name = self._folder.base, one.name
        if one.kind == "begun film":
            return films.summarize_begun(base, name, id, self._looks)
        if one.kind != "dream":
            summarize = films.summarize_film if one.kind == "film" else films.summarize_picture
            return summarize(base, name, id, self._looks)
        run = dreams.summarize(base, name, id, self._looks, self._photographs)
        sheet = name.rpartition("/")[0]
        if sheet and (record := read_sheet(base, sheet)):
            run = replace(
                run, look=record.look, photo_name=record.photo_name, sheet=self._folder.identify("sheet", sheet)
            )
        return run

    def _forget(self, id: str) -> bool:
        """Forget what is no longer there. Return whether it was a run."""
        with self._lock:
            self._found.pop(id, None)
            return self._runs.pop(id, None) is not None

    def _names_of_looks(self) -> list[str]:
        own = (name.removesuffix(".toml") for name in within.names(self._folder.base) if name.endswith(".toml"))
        return [*named_files(), *own]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")
