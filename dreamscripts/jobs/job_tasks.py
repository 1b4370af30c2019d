"""JobTasks: jobs as the tasks of one lane or of several."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import Any, Protocol

from dreamscripts.jobs.events import Event, Progress
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.messages import Ended, JobTask, Report, Task

MOST_DEATHS = 3  # of workers with a job, without a new iteration


class Jobs(Protocol):
    """Where jobs come from, and where their states are kept. Threads may share it."""

    def take(self, before: Task | None) -> Job | None:
        """Choose a job that waits, and change its state to "running". `before` is what the lane did last."""

    def get(self, id: str) -> Job | None:
        """Return a job, or None if there is none with this identifier."""

    def change(self, id: str, **values: Any) -> Job:
        """Replace values of a job, and return the new job. Raises KeyError if it was removed."""


class JobTasks:
    """Jobs for lanes, which may share it. A job is stopped if somebody asks for it, or removes it.

    hands_back: whether a job whose worker died waits again, so that another lane can take it.
    """

    def __init__(self, jobs: Jobs, on_event: Callable[[Event], None], *, hands_back: bool = False):
        self._jobs, self._on_event, self._hands_back = jobs, on_event, hands_back
        self._lock = RLock()  # between taking a job and stopping it
        self._to_stop: set[str] = set()
        self._given_back: list[str] = []  # for example jobs whose end could not be written to the disk
        self._newest: dict[str, tuple[str, int]] = {}  # the unit, and the number of the newest iteration or frame
        self._deaths: Counter[str] = Counter()  # of workers since then

    def stop(self, id: str) -> None:
        """Stop a job that waits at once, and one that runs at its next pass."""
        with self._lock:
            job = self._jobs.get(id)
            if job is not None and job.state == "waiting":
                self._change(id, state="stopped", message="stopped before it was its turn")
            elif job is not None and job.state == "running":
                self._to_stop.add(id)

    def next(self, before: Task | None) -> JobTask | None:
        """Take a job that was given back, or one that waits."""
        with self._lock:
            while self._given_back:
                job = self._jobs.get(self._given_back.pop())
                if job is not None:
                    return JobTask(job)
            job = self._jobs.take(before)
            return None if job is None else JobTask(job)

    def is_wanted(self, task: Task) -> bool:
        """Return whether nobody has stopped or removed a job."""
        with self._lock:
            return task.id not in self._to_stop and self._jobs.get(task.id) is not None

    def report(self, task: Task, report: Report) -> None:
        """Announce the progress of a job."""
        facts = report.facts
        unit = "iteration" if facts["frame"] is None else "frame"
        number = facts[unit]
        if number is not None:
            with self._lock:
                _, newest = self._newest.get(task.id, (unit, number))
                if number > newest:
                    self._deaths.pop(task.id, None)
                self._newest[task.id] = unit, max(number, newest)
        self._on_event(Progress(task.id, facts))

    def end(self, task: Task, ended: Ended, closing: bool) -> None:
        """Change the state of a job that has ended. It waits again if only the server ends."""
        with self._lock:
            is_stopped = task.id in self._to_stop
            state, message = str(ended.how), ended.message
            if ended.how == "stopped":
                state = "waiting" if closing and not is_stopped else "stopped"
                message = self._where(task.id)
            self._change(task.id, state=state, message=message, again=ended.again, node=ended.node)
            self._forget(task.id)

    def give_back(self, task: Task) -> None:
        """Let a job be the next one again, or let it wait for any lane."""
        with self._lock:
            if self._hands_back:
                self._change(task.id, state="waiting")
            else:
                self._given_back.append(task.id)

    def die(self, task: Task, cause: str) -> bool:
        """Count the deaths of workers. A job that brings three of them without a new iteration has failed."""
        with self._lock:
            self._deaths[task.id] += 1
            if self._deaths[task.id] < MOST_DEATHS:
                if self._hands_back:
                    self._change(task.id, state="waiting")
                return not self._hands_back
            self._forget(task.id)
            self._change(
                task.id,
                state="failed",
                again=True,
                message=f"the worker process {cause} {MOST_DEATHS} times in a row without a new iteration; if the "
                "memory of this machine was too small, use a smaller size",
            )
            return False

    def _where(self, id: str) -> str:
        """Return where a job was stopped."""
        unit, newest = self._newest.get(id, ("iteration", 0))
        return f"stopped after {unit} {newest}" if newest > 0 else f"stopped before the first {unit}"

    def _forget(self, id: str) -> None:
        """Forget what is only for a job that runs."""
        self._to_stop.discard(id)
        self._newest.pop(id, None)
        self._deaths.pop(id, None)

    def _change(self, id: str, **values: Any) -> Job | None:
        """Change a job, unless somebody has removed it."""
        with suppress(KeyError):
            return self._jobs.change(id, **values)
        return None
