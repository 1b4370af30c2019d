"""Work: what a kind of job needs of the worker process in which it runs."""

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from dreamscripts.atomic_files import lock
from dreamscripts.errors import OutputError
from dreamscripts.jobs.job import Job
from dreamscripts.settings.named_files import refuse_other_files
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    from dreamscripts.dreams.kept_evaluators import KeptEvaluators
    from dreamscripts.runs.run_record import ChoicesRecord

DYING = 20.0  # seconds after which a worker whose server was killed has ended, and its lock is free
OFTEN = 0.1  # seconds between two reports, except of iterations and frames


class OtherStart(Exception):
    """A job was begun with another setting of oneDNN than that of this process, so it needs another process."""

    def __init__(self, onednn: bool):
        super().__init__(onednn)
        self.onednn = onednn


class Work:
    """The surroundings of jobs: which files they may open, whether to stop, and whom to tell how far they are.

    base: the folder of the runs and the films.
    kept: the compiled code of earlier jobs in this process.
    stop: is set when the job shall stop.
    send: called with each report.
    allowed: the paths of files that settings may name.
    started_with: what the process was told about oneDNN when it was started (`start_keras`).
    remote: the URL of the folder where runs are kept. None: in `base`.
    """

    def __init__(
        self,
        base: Path,
        kept: "KeptEvaluators",
        stop: Event,
        send: Callable[[Mapping[str, Any]], None],
        allowed: Collection[str] = (),
        started_with: bool | None = None,
        remote: str | None = None,
    ):
        self.base = base
        self.kept = kept
        self.remote = remote
        self._stop, self._send = stop, send
        self._allowed = frozenset(allowed)
        self._started_with = started_with
        self._last = 0.0
        self.notes: list[str] = []  # on what was done, for the person

    def note(self, text: str) -> None:
        """Keep a note on what is done."""
        if text not in self.notes:
            self.notes.append(text)

    def path(self, name: str) -> Path:
        """Return the path of a run or a film in the base folder. Raises OutputError if it may lead elsewhere."""
        path = self.base
        for part in name.split("/"):
            path = path / part
            if path.is_symlink():
                raise OutputError(f"{path}: is a symbolic link, which the studio does not follow")
        return path

    @property
    def is_stopped(self) -> bool:
        """Whether the job shall stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raise KeyboardInterrupt if the job shall stop. Called at every pass."""
        if self.is_stopped:
            raise KeyboardInterrupt

    def report(self, facts: Mapping[str, Any], *, always: bool = False) -> None:
        """Say how far the job is, if it has not just been said."""
        now = time.monotonic()
        if always or now - self._last >= OFTEN:
            self._last = now
            self._send(facts)

    def settings(self, job: Job, **overrides: Any) -> Settings:
        """Read the settings of a job. Raises SettingsError, also if they name a file that is not allowed."""
        source = job.look or "the settings"
        settings = Settings.from_toml(job.settings, source, allow_files=True, **overrides)
        self.check_files(settings, source)
        return settings

    def check_files(self, settings: Settings, source: str) -> None:
        """Raise SettingsError if settings name a file that is not allowed."""
        refuse_other_files(settings, self._allowed, source)

    def check_start(self, choices: "ChoicesRecord | None") -> None:
        """Raise OtherStart if a job was begun with another setting of oneDNN than that of this process."""
        from dreamscripts.backends import compiling

        wanted, found = None if choices is None else choices.onednn, compiling.onednn()
        if wanted is not None and found is not None and wanted not in (found, self._started_with):
            raise OtherStart(wanted)

    def wait_for_lock(self, folder: Path) -> None:
        """Wait until no other process writes to a folder: a worker may still stop whose server was killed.

        Raises OutputError if this takes too long.
        """
        end = time.monotonic() + DYING
        while True:
            try:
                return lock(folder)()
            except OutputError:
                if time.monotonic() >= end:
                    raise
            except OSError:  # there is no folder yet
                return None
            self.check()
            time.sleep(0.2)
