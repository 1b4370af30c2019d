"""TaskRunner: start Keras, do one task after the other, and keep what was compiled. Every sort of worker uses it."""

import logging
import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from dreamscripts.backends.startup import SHARING
from dreamscripts.errors import DreamError, OutputError, short
from dreamscripts.jobs.messages import (
    Answer,
    Ended,
    PreviewTask,
    Ready,
    Report,
    Request,
    StartFailed,
    StartOtherwise,
    Stop,
    Task,
)
from dreamscripts.jobs.setup import Setup

if TYPE_CHECKING:
    from dreamscripts.jobs.work import Work

log = logging.getLogger("dreamscripts")


def prepare_process(setup: Setup) -> None:
    """Prepare this process, which does nothing but tasks."""
    if hasattr(os, "nice"):
        os.nice(setup.niceness)
    if setup.processors and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, setup.processors)
    for name, value in SHARING.items():
        os.environ.setdefault(name, value)
    log.propagate = False  # warnings become notes on the work
    os.environ.setdefault("SVT_LOG", "1")  # errors only: the encoder of AV1 would print its version and its settings


class Requests:
    """The requests to a worker. One thread brings them, so that another one can be stopped while it does a task."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.stop = threading.Event()
        """Set if the task shall stop."""

    def take(self, request: Request) -> None:
        """Take a request."""
        if isinstance(request, Stop):
            self.stop.set()
        else:
            self.stop.clear()
            self._tasks.put(request)

    def close(self) -> None:
        """Stop the task. There will be no more."""
        self.stop.set()
        self._tasks.put(None)

    def next(self) -> Task | None:
        """Wait for the next task. None if there will be no more."""
        return self._tasks.get()


class TaskRunner:
    """Does the tasks of `requests`, and calls `answer` with each answer. `node` is the name of its machine."""

    def __init__(self, setup: Setup, requests: Requests, answer: Callable[[Answer], None], node: str = ""):
        self._setup, self._requests, self._answer = setup, requests, answer
        self._node = node or platform.node()

    def run(self) -> None:
        """Do tasks until there will be no more, or until another process is needed."""
        if not self._start():
            return
        from dreamscripts.dreams.kept_evaluators import KeptEvaluators
        from dreamscripts.jobs.work import Work

        setup, requests = self._setup, self._requests
        kept = KeptEvaluators(setup.kept)
        while (task := requests.next()) is not None:
            work = Work(setup.base, kept, requests.stop, self._report, setup.allowed, setup.onednn, setup.remote)
            answer = _ended(task, work)
            if isinstance(answer, StartOtherwise):
                self._answer(answer)
                return
            self._answer(replace(answer, node=self._node))

    def _start(self) -> bool:
        """Start Keras, and return whether it was possible. A worker of previews also loads their network."""
        from dreamscripts.backends.startup import start_keras

        try:
            start_keras(self._setup.onednn)
            if self._setup.makes_previews:
                from dreamscripts.jobs.previews import warm_up

                warm_up()
        except (DreamError, ImportError, OSError) as error:
            self._answer(StartFailed(str(error)))
            return False
        self._answer(Ready(self._node))
        return True

    def _report(self, facts: Mapping[str, Any]) -> None:
        self._answer(Report(facts))


def _ended(task: Task, work: "Work") -> Ended | StartOtherwise:
    """Do a task, and return how it ended."""
    from dreamscripts.jobs.work import OtherStart

    notes = _Notes(work)
    log.addHandler(notes)
    try:
        return Ended("done", _do(task, work))
    except OtherStart as other:
        return StartOtherwise(other.onednn)
    except KeyboardInterrupt:
        return Ended("stopped")
    except OutputError as error:  # perhaps while a stopped task saved what it had
        return Ended("failed", str(error), again=True)
    except Exception as error:
        if work.is_stopped:  # a library can turn KeyboardInterrupt into another error
            return Ended("stopped")
        return Ended("failed", _words(error), again=not isinstance(error, DreamError))
    finally:
        log.removeHandler(notes)


def _do(task: Task, work: "Work") -> str:
    """Do a task, and return notes on it."""
    if isinstance(task, PreviewTask):
        from dreamscripts.jobs.previews import make_previews

        return make_previews(task, work, lambda look, path: work.report({"look": look, "path": path}, always=True))
    from dreamscripts.jobs.kind import KINDS

    if task.job.kind not in KINDS:
        raise DreamError(f"there is no job of the kind '{task.job.kind}'; the kinds are {', '.join(KINDS)}")
    KINDS[task.job.kind].do(task.job, work)
    return "; ".join(work.notes)


class _Notes(logging.Handler):
    """Makes the warnings of the package notes on the work."""

    def __init__(self, work: "Work"):
        super().__init__(logging.WARNING)
        self._work = work

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning."""
        self._work.note(record.getMessage())


def _words(error: Exception) -> str:
    """Return the message of an error. One that is not a DreamError is a fault of this package, and is logged."""
    if isinstance(error, DreamError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the memory is too small; use a smaller size"
    logging.getLogger(__name__).error("a task failed", exc_info=error)
    return f"a fault of dreamscripts: {type(error).__name__}: {short(str(error))}"
