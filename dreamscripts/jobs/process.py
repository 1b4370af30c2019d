"""WorkerProcess: a worker process, seen from the server."""

import multiprocessing
import signal
from contextlib import suppress

from dreamscripts.jobs.messages import Answer, Request
from dreamscripts.jobs.setup import Setup
from dreamscripts.jobs.worker import work_for

ENDING = 5.0  # seconds that the system needs at most to end a process


class WorkerProcess:
    """A process that was just started, and the pipe to it."""

    def __init__(self, setup: Setup):
        context = multiprocessing.get_context("spawn")  # a fork would have the threads and the sockets of the server
        self.pipe, others = context.Pipe()
        self._process = context.Process(
            target=work_for, args=(others, setup), name=f"dreamscripts {setup.name}", daemon=True
        )
        self._process.start()
        others.close()  # so that the end of the process ends the pipe

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return self._process.pid

    def send(self, request: Request) -> None:
        """Send a request. If the process has died, it is lost, and `receive` says so."""
        with suppress(OSError):
            self.pipe.send(request)

    def receive(self) -> Answer | None:
        """Return the next answer, or None if the process has ended."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def how_it_ended(self) -> str:
        """Return how a process ended that sends no more answers, in words."""
        self._process.join(ENDING)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended with code {code}"

    def end(self) -> None:
        """End the process at once, if it has not ended."""
        self.pipe.close()
        self._process.kill()
        self._process.join(ENDING)
