"""Lane: a worker process, and the thread that gives it one task after the other and replaces it if it dies."""

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Protocol

from dreamscripts.errors import DreamError, short
from dreamscripts.jobs.events import WorkerChanged
from dreamscripts.jobs.messages import Answer, Ended, Ready, Report, Request, StartFailed, StartOtherwise, Stop, Task
from dreamscripts.jobs.process import WorkerProcess
from dreamscripts.jobs.setup import Setup

log = logging.getLogger(__name__)

MOST_DEATHS = 3  # of workers before one is ready
PATIENCE = 15.0  # seconds in which a task stops when the lane is closed


class Tasks(Protocol):
    """Where a lane gets its tasks, and what becomes of them. The thread of the lane calls these."""

    def next(self, before: Task | None) -> Task | None:
        """Take the next task, if there is one. `before` is what the lane did last."""

    def is_wanted(self, task: Task) -> bool:
        """Return whether a task shall go on."""

    def report(self, task: Task, report: Report) -> None:
        """Learn how far a task is."""

    def end(self, task: Task, ended: Ended, closing: bool) -> None:
        """Learn how a task ended. If `closing`, it was stopped only because the server ends."""

    def give_back(self, task: Task) -> None:
        """Learn that a task is not done, because the lane had a fault. It shall be the next one again."""

    def die(self, task: Task, cause: str) -> bool:
        """Learn that the worker died while it did a task. Returns whether the next worker shall try again."""


class Worker(Protocol):
    """What does the tasks of a lane, one after the other: a process on this machine or on another one."""

    pipe: Connection
    """Readable when there is an answer, or when the worker has ended."""

    def send(self, request: Request) -> None:
        """Send a request. If the worker has ended, it is lost, and `receive` says so."""

    def receive(self) -> Answer | None:
        """Return the next answer, or None if the worker has ended."""

    def how_it_ended(self) -> str:
        """Return how a worker ended that sends no more answers, in words."""

    def end(self) -> None:
        """End the worker at once, if it has not ended."""


Start = Callable[[Setup], Worker]


class Lane:
    """A worker that does `tasks`. It is started by `start` when the lane `after` has started."""

    def __init__(
        self,
        setup: Setup,
        tasks: Tasks,
        announce: Callable[[WorkerChanged], None],
        *,
        start: Start = WorkerProcess,
        after: "Lane | None" = None,
    ):
        self.name = setup.name
        self.status = ("starting", "")
        self.worker: Worker | None = None
        self._has_started = threading.Event()
        self._setup, self._tasks, self._start = setup, tasks, start
        self._announce, self._after = announce, after
        self._closing = threading.Event()
        self._bell, self._ringer = multiprocessing.Pipe(duplex=False)
        self._ringing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"lane {self.name}", daemon=True)
        self._task: Task | None = None
        self._before: Task | None = None
        self._is_stopping = False
        self._deaths = 0

    def start(self) -> None:
        """Start the thread and its worker."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the tasks again, and start a worker again that could not be started."""
        with self._ringing:  # a pipe is for one thread at a time
            self._ringer.send(None)

    def close(self) -> None:
        """Ask the thread to stop the task and to end the worker."""
        self._closing.set()
        self.wake()

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        if self._after is not None:
            self._after._has_started.wait()
        try:
            while not self._closing.is_set():
                problem = self._try_to_live()
                self._has_started.set()
                if problem and not self._closing.is_set():
                    self._say("failed", problem)
                    self._deaths = 0
                    self._wait_for_bell()
                    self._say("starting")
        finally:
            self._has_started.set()

    def _wait_for_bell(self) -> None:
        """Wait until the lane is woken or closed from now on."""
        while self._bell.poll() and not self._closing.is_set():
            self._bell.recv()
        if not self._closing.is_set():
            self._bell.recv()

    def _try_to_live(self) -> str:
        """Live with one worker. An error, for example a full disk, is a problem in words, too."""
        try:
            return self._live()
        except DreamError as error:
            problem = str(error)
        except Exception as error:
            log.exception("the lane %s", self.name)
            problem = f"a fault of dreamscripts: {type(error).__name__}: {short(str(error))}"
        if self._task is not None:
            self._tasks.give_back(self._task)
            self._task = None
        return problem

    def _live(self) -> str:
        """Live with one worker until it ends. Returns why no worker can be started, or an empty text."""
        worker = self.worker = self._start(self._setup)
        is_ready, patience = False, float("inf")
        try:
            while True:
                if self._closing.is_set():
                    patience = min(patience, time.monotonic() + PATIENCE)
                    if self._task is None or not is_ready or time.monotonic() >= patience:
                        self._end(Ended("stopped"))
                        return ""
                if is_ready:
                    self._direct(worker)
                woken = wait([worker.pipe, self._bell], None if patience == float("inf") else 0.2)
                if self._bell in woken:
                    self._bell.recv()
                if worker.pipe in woken:
                    answer = worker.receive()
                    if answer is None:
                        return self._died(worker.how_it_ended(), is_ready)
                    if isinstance(answer, StartFailed):
                        return answer.message
                    if isinstance(answer, StartOtherwise):
                        self._setup = replace(self._setup, onednn=answer.onednn)
                        return ""
                    is_ready = self._hear(worker, answer) or is_ready
        finally:
            self.worker = None
            worker.end()

    def _direct(self, worker: Worker) -> None:
        """Give the worker a task if it has none, and stop one that is not wanted."""
        if self._task is None:  # a lane that is closing does not come here
            self._task, self._is_stopping = self._tasks.next(self._before), False
            if self._task is None:
                self._say("ready")
                return
            worker.send(self._task)
            self._say("busy")
        if not self._is_stopping and (self._closing.is_set() or not self._tasks.is_wanted(self._task)):
            self._is_stopping = True
            worker.send(Stop())

    def _hear(self, worker: Worker, answer: Answer) -> bool:
        """Take an answer. Returns whether the worker has become ready."""
        if isinstance(answer, Report) and self._task is not None:
            self._tasks.report(self._task, answer)
        elif isinstance(answer, Ended):
            self._end(answer)
        elif isinstance(answer, Ready):
            self._deaths, self._is_stopping = 0, False
            self._has_started.set()
            if self._task is not None:  # of a worker that died
                worker.send(self._task)
                self._say("busy")
            return True
        return False

    def _end(self, ended: Ended) -> None:
        if self._task is not None:
            self._tasks.end(self._task, ended, self._closing.is_set() and ended.how == "stopped")
            self._before, self._task = self._task, None

    def _died(self, cause: str, was_ready: bool) -> str:
        """Prepare for the next worker. Returns why there cannot be one, or an empty text."""
        if self._closing.is_set():
            self._end(Ended("stopped"))
            return ""
        self._say("restarted", f"the worker {cause}; a new one goes on with its work")
        if not was_ready:
            self._deaths += 1
            if self._deaths == MOST_DEATHS:
                return f"the worker {cause} each time that it was started"
        elif self._task is not None and not self._tasks.die(self._task, cause):
            self._task = None
        return ""

    def _say(self, status: str, message: str = "") -> None:
        if (status, message) != self.status:
            self.status = status, message
            self._announce(WorkerChanged(self.name, status, message))
