"""JobTasks: the jobs of a queue as the tasks of a lane."""

from collections.abc import Callable
from contextlib import suppress
from threading import RLock

from dreamscripts.jobs.events import Event, Progress
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.messages import Ended, JobTask, Report, Task
from dreamscripts.jobs.queue import JobQueue

MOST_DEATHS = 3  # of workers with a job, without a new iteration


class JobTasks:
    """The jobs of a queue, in their order. A job is stopped if somebody asks for it, or removes it."""

    def __init__(self, queue: JobQueue, on_event: Callable[[Event], None]):
        self._queue, self._on_event = queue, on_event
        self._lock = RLock()  # between taking a job and stopping it
        self._to_stop: set[str] = set()
        self._newest = -1  # iteration or frame of the job under way
        self._unit = "iteration"
        self._deaths = 0  # of workers since then

    def stop(self, id: str) -> None:
        """Stop a job that waits at once, and one that runs at its next pass."""
        with self._lock:
            job = self._queue.get(id)
            if job is not None and job.state == "waiting":
                self._change(id, state="stopped", message="stopped before it was its turn")
            elif job is not None and job.state == "running":
                self._to_stop.add(id)

    def next(self) -> JobTask | None:
        """Take the first job that waits, or one whose end could not be written to the disk."""
        with self._lock:
            job = next((job for job in self._queue.jobs if job.state in ("running", "waiting")), None)
            if job is None:
                return None
            self._newest, self._deaths = -1, 0
            job = self._change(job.id, state="running", message="")
            return None if job is None else JobTask(job)

    def is_wanted(self, task: Task) -> bool:
        """Return whether nobody has stopped or removed a job."""
        with self._lock:
            return task.id not in self._to_stop and self._queue.get(task.id) is not None

    def report(self, task: Task, report: Report) -> None:
        """Announce the progress of a job."""
        facts = report.facts
        self._unit = "iteration" if facts["frame"] is None else "frame"
        number = facts[self._unit]
        if number is not None and number > self._newest:
            self._newest, self._deaths = number, 0
        self._on_event(Progress(task.id, facts))

    def end(self, task: Task, ended: Ended, closing: bool) -> None:
        """Change the state of a job that has ended. It waits again if only the server ends."""
        with self._lock:
            is_stopped = task.id in self._to_stop
            self._to_stop.discard(task.id)
            if ended.how == "stopped":
                state = "waiting" if closing and not is_stopped else "stopped"
                self._change(task.id, state=state, message=self._where())
            else:
                self._change(task.id, state=ended.how, message=ended.message)

    def die(self, task: Task, cause: str) -> bool:
        """Count the deaths of workers. A job that brings three of them without a new iteration has failed."""
        self._deaths += 1
        if self._deaths < MOST_DEATHS:
            return True
        self._to_stop.discard(task.id)
        self._change(
            task.id,
            state="failed",
            message=f"the worker process {cause} {MOST_DEATHS} times in a row without a new iteration; if the memory "
            "of this machine was too small, use a smaller size",
        )
        return False

    def _where(self) -> str:
        """Return where a job was stopped."""
        if self._newest > 0:
            return f"stopped after {self._unit} {self._newest}"
        return f"stopped before the first {self._unit}"

    def _change(self, id: str, **values: str) -> Job | None:
        """Change a job, unless somebody has removed it."""
        with suppress(KeyError):
            return self._queue.change(id, **values)
        return None
