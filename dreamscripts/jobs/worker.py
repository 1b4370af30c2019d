"""The worker process: it starts Keras, does one task after the other, and keeps what it has compiled."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from dreamscripts.errors import DreamError, OutputError, short
from dreamscripts.jobs.messages import (
    Answer,
    Ended,
    PreviewTask,
    Ready,
    Report,
    StartFailed,
    StartOtherwise,
    Stop,
    Task,
)
from dreamscripts.jobs.setup import Setup

if TYPE_CHECKING:
    from dreamscripts.jobs.work import Work

log = logging.getLogger("dreamscripts")

LAST_WISH = 15.0  # seconds in which a worker without a server stops cleanly


def work_for(pipe: Connection, setup: Setup) -> None:
    """Do the tasks that come through the pipe, until it is closed. This is the whole life of a worker process."""
    for number in ("SIGINT", "SIGHUP"):  # of a terminal: they are for the server, which then speaks to the worker
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(setup.niceness)
    if setup.processors and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, setup.processors)
    log.propagate = False  # warnings become notes on the work
    os.environ.setdefault("SVT_LOG", "1")  # errors only: the encoder of AV1 would print its version and its settings
    requests = _Requests(pipe)
    if not _start(setup, requests.answer):
        return
    from dreamscripts.dreams.kept_evaluators import KeptEvaluators
    from dreamscripts.jobs.work import Work

    kept = KeptEvaluators(setup.kept)
    send = partial(_report, requests.answer)
    while (task := requests.next()) is not None:
        work = Work(setup.base, kept, requests.stop, send, setup.allowed, setup.onednn)
        answer = _ended(task, work)
        requests.answer(answer)
        if isinstance(answer, StartOtherwise):
            return


class _Requests:
    """The end of the pipe in the worker. A thread listens, so that a task can be stopped while it is done."""

    def __init__(self, pipe: Connection):
        self._pipe = pipe
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.stop = threading.Event()
        """Set if the task shall stop."""
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> Task | None:
        """Wait for the next task. None if there will be no more."""
        return self._tasks.get()

    def answer(self, answer: Answer) -> None:
        """Send an answer. It is lost if the server has gone."""
        with suppress(OSError):
            self._pipe.send(answer)

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                request = self._pipe.recv()
                if isinstance(request, Stop):
                    self.stop.set()
                else:
                    self.stop.clear()
                    self._tasks.put(request)
        self.stop.set()  # the server has gone
        self._tasks.put(None)
        time.sleep(LAST_WISH)
        os._exit(1)


def _start(setup: Setup, answer: Callable[[Answer], None]) -> bool:
    """Start Keras, and return whether it was possible. A worker of previews also loads their network."""
    from dreamscripts.backends.startup import start_keras

    try:
        start_keras(setup.onednn)
        if setup.makes_previews:
            from dreamscripts.jobs.previews import warm_up

            warm_up()
    except (DreamError, ImportError, OSError) as error:
        answer(StartFailed(str(error)))
        return False
    answer(Ready())
    return True


def _report(answer: Callable[[Answer], None], facts: Mapping[str, Any]) -> None:
    answer(Report(facts))


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
