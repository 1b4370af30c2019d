"""A worker that only pretends: a thread that follows a script, without Keras."""

import multiprocessing
import threading
from contextlib import suppress

from dreamscripts.jobs.messages import Ended, Stop


def facts(number, **others):
    """Return the progress of a job after an iteration."""
    return {"iteration": number, "frame": None, "passes": number, "share": 0.5, **others}


class Worker:
    """Stands for a process. `life(worker)` runs in a thread, and the process is dead when it returns."""

    def __init__(self, setup, life):
        self.setup = setup
        self.lane, self.onednn, self.allowed = setup.name, setup.onednn, setup.allowed
        self.pipe, self._own = multiprocessing.Pipe()
        self._thread = threading.Thread(target=self._live, args=[life], daemon=True)
        self._thread.start()

    def _live(self, life):
        with suppress(EOFError, OSError):
            life(self)
        self._own.close()

    # as the server sees it
    def send(self, request):
        with suppress(OSError):
            self.pipe.send(request)

    def receive(self):
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def how_it_ended(self):
        return "was killed (SIGKILL)"

    def end(self):
        self.pipe.close()
        self._thread.join(5)

    # as the process sees it
    def answer(self, *answers):
        for answer in answers:
            self._own.send(answer)

    def request(self):
        return self._own.recv()

    def wait_for_stop(self):
        while not isinstance(self.request(), Stop):
            pass
        self.answer(Ended("stopped"))
