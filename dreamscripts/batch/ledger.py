"""Ledger: the jobs of a batch, which lanes take, and what has become of them."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from dreamscripts.atomic_files import fitting_name, lock, output_errors
from dreamscripts.batch.plan import Planned
from dreamscripts.batch.record import Entry, Result, Results, read_batch, write_batch
from dreamscripts.batch.store import THUMBNAILS, Store
from dreamscripts.errors import OutputError
from dreamscripts.jobs.job import Job, State
from dreamscripts.jobs.messages import Task
from dreamscripts.runs.records import Damaged, parse_record, read_record
from dreamscripts.runs.run_record import RunRecord, path_text

ENDED = ("done", "failed")

Group = tuple[str, tuple[int, int]]


class Ledger:
    """The dreams of a batch in a store, with those of earlier commands. Threads may share it.

    It is a `Jobs` for lanes. A lane gets dreams that use what its worker has compiled, as long as there are any. Of new
    dreams, the snapshot of every `keep_every`th iteration is kept. Only one process of a machine can have the ledger of
    a store. Raises OutputError.
    """

    def __init__(self, store: Store, planned: Sequence[Planned], keep_every: int = 1):
        with output_errors(store.folder):
            self.release = lock(store.folder)
        self.store = store
        self.folder = store.folder
        self._keep_every = keep_every
        self.on_change: Callable[[Job], None] = lambda job: None
        self.renamed: list[str] = []
        """New run folders that have a number, because another dream in the store has their name."""
        self.is_held = False
        """Whether no more jobs shall be taken."""
        self._lock = RLock()
        self._jobs: dict[str, Job] = {}
        self._work: dict[str, float] = {}
        self._group: dict[str, Group] = {}
        self._waiting: dict[Group, deque[str]] = {}
        self._busy: Counter[Group] = Counter()  # lanes
        try:
            self.entries = {entry.id: entry for entry in read_batch(store.folder)}
            self._results = Results(store.folder)
            self._add(planned)
        except BaseException:
            self.release()
            raise

    def _add(self, planned: Sequence[Planned]) -> None:
        names = _Names(self.store, [entry.folder for entry in self.entries.values()])
        before = dict(self.entries)
        for dream in planned:
            id = dream.id
            if id in self._jobs:
                continue
            entry = self.entries.get(id)
            if entry is None:
                shown = "" if dream.photo is None else dream.photo.name
                entry = Entry(id=id, folder=names.choose(dream), photo=shown, values=dict(dream.variant.values))
                if entry.folder != dream.name:
                    self.renamed.append(entry.folder)
                self.entries[id] = entry
            self._jobs[id] = self._job(dream, entry)
            self._work[id] = dream.variant.work(dream.size)
            self._group[id] = dream.group
            if self._jobs[id].state == "waiting":
                self._waiting.setdefault(dream.group, deque()).append(id)
        self._complete_values(planned)
        if self.entries != before:
            write_batch(self.folder, self.entries.values())

    def _complete_values(self, planned: Sequence[Planned]) -> None:
        """Show of each planned dream what distinguishes any dream in the store, also what has its usual value."""
        keys = dict.fromkeys(key for entry in self.entries.values() for key in entry.values)
        for dream in planned:
            entry = self.entries[dream.id]
            if missing := [key for key in keys if key not in entry.values]:
                values = {key: str(dream.variant.settings.value(key)) for key in missing}
                self.entries[dream.id] = entry.model_copy(update={"values": entry.values | values})

    def _job(self, dream: Planned, entry: Entry) -> Job:
        """Return the job of a dream, as it was left by the last command."""
        state: State = "waiting"
        message = ""
        result = self._results.found.get(entry.id)
        if result is not None and not result.again:
            is_there = result.state == "failed" or self.store.has(entry.folder)
            state, message = (result.state, result.message) if is_there else (state, message)
        return Job(
            id=entry.id,
            kind="dream",
            folder=entry.folder,
            photo=None if dream.photo is None else path_text(dream.photo),
            look=dream.variant.values["settings"],
            settings=dream.variant.toml,
            keep_every=self._keep_every,
            state=state,
            message=message,
        )

    @property
    def jobs(self) -> list[Job]:
        """The jobs of this command, in the order of the plan."""
        with self._lock:
            return list(self._jobs.values())

    @property
    def is_finished(self) -> bool:
        """Whether every job has ended."""
        with self._lock:
            return not self._waiting and not self._busy.total()

    def work(self, id: str) -> float:
        """Return the estimated work of a job: its passes, times their pixels."""
        return self._work[id]

    def result(self, id: str) -> Result | None:
        """Return how a dream has ended, in this command or in an earlier one."""
        with self._lock:
            return self._results.found.get(id)

    def take(self, before: Task | None) -> Job | None:
        """Choose a job that waits, and change its state to "running".

        It comes from the group of the job `before`, or else from one of the same settings, or else from the one that
        has the most jobs for each lane.
        """
        with self._lock:
            if not self._waiting or self.is_held:
                return None
            last = self._group.get(before.id) if before is not None else None
            group = last if last in self._waiting else max(self._waiting, key=lambda group: self._rank(group, last))
            waiting = self._waiting[group]
            id = waiting.popleft()
            if not waiting:
                del self._waiting[group]
            self._busy[group] += 1
            return self._replace(id, state="running", message="")

    def _rank(self, group: Group, last: Group | None) -> tuple[bool, float]:
        return last is not None and group[0] == last[0], len(self._waiting[group]) / (1 + self._busy[group])

    def get(self, id: str) -> Job | None:
        """Return a job, or None if there is none with this identifier."""
        with self._lock:
            return self._jobs.get(id)

    def change(self, id: str, **values: Any) -> Job:
        """Replace values of a job. If it has ended, its result is written. Raises KeyError and OutputError."""
        before, job = self._jobs[id], self._jobs[id].model_copy(update=values)
        ends = job.state in ENDED and before.state not in ENDED
        result = self._result_of(job) if ends else None  # without the lock, because a store can be slow
        with self._lock:
            if result is not None:
                self._results.add(result)
            self._replace(id, **values)
            if before.state == "running" and job.state != "running":
                self._busy[self._group[id]] -= 1
                if job.state not in ENDED:
                    self._waiting.setdefault(self._group[id], deque()).appendleft(id)
        return job

    def _replace(self, id: str, **values: Any) -> Job:
        job = self._jobs[id] = self._jobs[id].model_copy(update=values)
        self.on_change(job)
        return job

    def _result_of(self, job: Job) -> Result:
        """Read from its run folder how a dream has ended."""
        state: Literal["done", "failed"] = "done" if job.state == "done" else "failed"
        facts: dict[str, Any] = {}
        content = self.store.record(job.folder)
        with suppress(Damaged):  # somebody has changed it
            rows = [] if content is None else parse_record(content, Path(job.folder), RunRecord, "").iterates
            if rows:
                last = rows[-1]
                facts = {"loss": last.loss, "iterations": len(rows) - 1, "passes": last.passes, "seconds": last.seconds}
        message = job.message.removeprefix(f"{job.photo}: ")
        return Result(id=job.id, state=state, message=message, again=job.again, node=job.node, **facts)

    def close(self) -> None:
        """Let another process have the folder."""
        self._results.close()
        self.release()


class _Names:
    """The names of run folders: each once, and none that the folder has already, unless it is of the same dream."""

    def __init__(self, store: Store, taken: Sequence[str]):
        self._store = store
        self._taken = {THUMBNAILS, *(name.casefold() for name in taken)}
        self._next: Counter[str] = Counter()

    def choose(self, dream: Planned) -> str:
        """Return the name for a new dream."""
        for name in self._candidates(fitting_name(dream.name)):
            if name.casefold() in self._taken:
                continue
            path = self._store.folder / name
            if not (os.path.lexists(path) or self._store.has(name)) or _is_of(path, dream):
                self._taken.add(name.casefold())
                return name
        raise AssertionError  # there is always a next number

    def _candidates(self, stem: str) -> Iterator[str]:
        while True:
            self._next[stem] += 1
            number = self._next[stem]
            yield stem if number == 1 else f"{stem}-{number}"


def _is_of(path: Path, dream: Planned) -> bool:
    """Return whether a run folder is of this dream: its record of the batch was lost."""
    try:
        record = read_record(path / "run.json", RunRecord, "")
        toml = (path / "settings.toml").read_text("utf-8")
    except (OutputError, OSError, UnicodeError):
        return False
    return toml == dream.variant.toml and record.picture == (dream.photo and path_text(dream.photo))
