"""PreviewTasks: the previews that are wanted, as the tasks of a lane."""

from collections.abc import Callable
from dataclasses import replace
from threading import RLock

from dreamscripts.jobs.events import Event, PreviewMade, PreviewsEnded
from dreamscripts.jobs.messages import Ended, PreviewTask, Report, Task

MOST_DEATHS = 3  # of workers with a photograph, without a new preview


class PreviewTasks:
    """The looks to try on photographs. The last photograph comes first. An interrupted one goes on after it."""

    def __init__(self, on_event: Callable[[Event], None]):
        self._on_event = on_event
        self._lock = RLock()
        self._tasks: list[PreviewTask] = []  # without the one under way
        self._current: PreviewTask | None = None
        self._made: set[str] = set()  # looks of the current task
        self._is_cancelled = False
        self._newer = 0  # photographs that came while the current one was done
        self._deaths = 0  # of workers since the last preview

    def add(self, task: PreviewTask) -> None:
        """Make these previews before all others, and then those that are still wanted of the same photograph."""
        with self._lock:
            looks = {**self._wanted(task.photo), **task.looks}
            first = {look: looks.pop(look) for look in task.looks}
            self.cancel(task.photo)
            self._tasks.insert(0, replace(task, looks=first | looks))
            self._newer += 1

    def _wanted(self, photo: str) -> dict[str, str]:
        """Return the looks of a photograph that are not made yet."""
        current = self._current
        tasks = [task for task in self._tasks if task.photo == photo]
        if current is not None and current.photo == photo and not self._is_cancelled:
            tasks.insert(0, replace(current, looks=self._rest(current)))
        return {look: toml for task in tasks for look, toml in task.looks.items()}

    def _rest(self, current: PreviewTask) -> dict[str, str]:
        return {look: toml for look, toml in current.looks.items() if look not in self._made}

    def cancel(self, photo: str) -> None:
        """Make no more previews of a photograph."""
        with self._lock:
            self._tasks = [task for task in self._tasks if task.photo != photo]
            if self._current is not None and self._current.photo == photo:
                self._is_cancelled = True

    def next(self, before: Task | None) -> PreviewTask | None:
        """Take the first photograph."""
        with self._lock:
            self._current = self._tasks.pop(0) if self._tasks else None
            self._made, self._is_cancelled, self._newer, self._deaths = set(), False, 0, 0
            return self._current

    def is_wanted(self, task: Task) -> bool:
        """Return whether no other photograph has come, and nobody has cancelled the previews."""
        with self._lock:
            return not self._newer and not self._is_cancelled

    def report(self, task: Task, report: Report) -> None:
        """Announce a preview."""
        look, path = report.facts["look"], report.facts["path"]
        with self._lock:
            if look not in self._made:
                self._made.add(look)
                self._deaths = 0
            if self._is_cancelled:
                return
        self._on_event(PreviewMade(task.id, look, path))

    def end(self, task: Task, ended: Ended, closing: bool) -> None:
        """Announce the end of the previews of a photograph, or keep those that were interrupted."""
        with self._lock:
            current, self._current = self._current, None
            is_interrupted = ended.how == "stopped" and not self._is_cancelled
            if is_interrupted and current is not None:
                self._tasks.insert(self._newer, replace(current, looks=self._rest(current)))
            if is_interrupted or any(other.photo == task.id for other in self._tasks):
                return  # there are more to come
        self._on_event(PreviewsEnded(task.id, ended.message))

    def give_back(self, task: Task) -> None:
        """Let the previews that are missing be the next ones again."""
        with self._lock:
            if self._current is not None and not self._is_cancelled:
                self._tasks.insert(0, replace(self._current, looks=self._rest(self._current)))

    def die(self, task: Task, cause: str) -> bool:
        """Count the deaths of workers. A photograph that brings three of them without a preview is given up."""
        with self._lock:
            self._deaths += 1
            if self._deaths < MOST_DEATHS:
                return True
        self.end(task, Ended("failed", f"the worker process {cause} {MOST_DEATHS} times in a row"), False)
        return False
