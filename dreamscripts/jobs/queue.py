"""JobQueue: the jobs in their order, each in a file, so that they survive the process."""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

from dreamscripts.atomic_files import fitting_name, numbered, output_errors, remove_left_overs, write_atomically
from dreamscripts.errors import OutputError
from dreamscripts.jobs.events import Event, JobChanged, JobRemoved
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.messages import Task
from dreamscripts.runs.find_film import parts_of
from dreamscripts.runs.records import read_record

log = logging.getLogger(__name__)

KEPT = 500  # finished jobs: the oldest are forgotten, and their runs stay


class JobQueue:
    """The jobs for the folder `base`, in the folder `store/jobs`. Threads may share it.

    `on_change` is called with a JobChanged or JobRemoved after each change, in the thread that made it. A job that was
    running when the last process ended waits again, before all others. A file that is damaged is left alone, with a
    warning.
    """

    def __init__(self, base: Path, store: Path):
        self.base = base
        self.on_change: Callable[[Event], None] = lambda event: None
        self._folder = store / "jobs"
        self._lock = RLock()
        self._jobs: dict[str, Job] = {}
        with output_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._load()

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in their order."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: (job.place, job.created, job.id))

    def get(self, id: str) -> Job | None:
        """Return a job, or None if there is none with this identifier."""
        with self._lock:
            return self._jobs.get(id)

    def add(self, job: Job) -> Job:
        """Add a job at the end, and return it with its place. Raises OutputError if another job has its folder."""
        with self._lock:
            if job.id in self._jobs or self._is_taken(job.folder):
                raise OutputError(f"{job.folder}: another job makes this; choose another name")
            last = max((other.place for other in self._jobs.values()), default=0.0)
            job = self._save(job.model_copy(update={"place": last + 1.0}))
            self._forget_old()
        self.on_change(JobChanged(job))
        return job

    def change(self, id: str, **values: Any) -> Job:
        """Replace values of a job, and return the new job. Raises KeyError if it was removed."""
        with self._lock:
            before = self._jobs[id]
            job = Job.model_validate(before.model_dump() | values)
            if job == before:
                return job
            self._save(job)
        self.on_change(JobChanged(job))
        return job

    def remove(self, id: str) -> None:
        """Forget a job. What it has made stays. Raises KeyError if it was removed before."""
        with self._lock:
            self._delete(id)
        self.on_change(JobRemoved(id))

    def move(self, id: str, before: str | None) -> Job:
        """Put a job before another one, or at the end (None). Raises KeyError if one of them was removed."""
        with self._lock:
            moved = self._jobs[id]
            others = [job for job in self.jobs if job.id != id]
            index = len(others) if before in (None, id) else others.index(self._jobs[str(before)])
            if before == id or not others:
                return moved
            low = others[index - 1].place if index else others[0].place - 2.0
            high = others[index].place if index < len(others) else low + 2.0
            place = (low + high) / 2
            if low < place < high:
                return self.change(id, place=place)
            for number, job in enumerate([*others[:index], moved, *others[index:]], 1):  # no number is between them
                self.change(job.id, place=float(number))
            return self._jobs[id]

    def take(self, before: Task | None = None) -> Job | None:
        """Change the first job that waits to "running", and return it. None: no job waits."""
        with self._lock:
            first = next((job for job in self.jobs if job.state == "waiting"), None)
            return None if first is None else self.change(first.id, state="running", message="")

    def new_name(self, stem: str, ending: str = "") -> str:
        """Return the first of stem, stem-2, stem-3, … with this ending that neither the disk nor a job has."""
        plain = re.sub(r"[\x00-\x1f\x7f/\\:]+", "-", stem).strip(". ") or "dream"
        with self._lock:
            names = (f"{name}{ending}" for name in numbered(fitting_name(plain)))
            return next(name for name in names if not self._is_taken(name) and not _is_on_disk(self.base / name))

    def _is_taken(self, name: str) -> bool:
        """Return whether a job makes this folder, or one within it, also on a disk that ignores the case."""
        name = name.casefold()
        folders = (job.folder.casefold() for job in self._jobs.values())
        return any(folder == name or folder.startswith(f"{name}/") for folder in folders)

    def _save(self, job: Job) -> Job:
        write_atomically(self._file(job.id), job.model_dump_json(indent=1).encode())
        self._jobs[job.id] = job
        return job

    def _delete(self, id: str) -> None:
        del self._jobs[id]
        with output_errors(self._file(id)):
            self._file(id).unlink(missing_ok=True)

    def _forget_old(self) -> None:
        done = sorted((job for job in self._jobs.values() if job.state == "done"), key=lambda job: job.created)
        for job in done[:-KEPT]:
            self._delete(job.id)

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.json"

    def _load(self) -> None:
        remove_left_overs(self._folder)
        for path in sorted(self._folder.glob("*.json")):
            try:
                job = read_record(
                    path, Job, "its run, if it has one, can be resumed with `dreamscripts dream --resume`"
                )
                if path != self._file(job.id):
                    raise OutputError(f"{path}: is the job {job.id}; give the file this name")
            except OutputError as error:
                log.warning("%s", error)
                continue
            self._jobs[job.id] = job
        interrupted = [job for job in self.jobs if job.state == "running"]
        first = min((job.place for job in self._jobs.values()), default=0.0)
        for number, job in enumerate(interrupted):
            place = first - len(interrupted) + number
            self._save(job.model_copy(update={"state": "waiting", "place": place}))


def _is_on_disk(path: Path) -> bool:
    return os.path.lexists(path) or os.path.lexists(parts_of(path))
