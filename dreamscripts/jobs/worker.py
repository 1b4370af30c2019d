"""The worker process of a pipe: the requests come through it, and the answers go back."""

import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from dreamscripts.jobs.messages import Answer
from dreamscripts.jobs.setup import Setup
from dreamscripts.jobs.task_runner import Requests, TaskRunner, prepare_process

LAST_WISH = 15.0  # seconds in which a worker without a server stops cleanly


def work_for(pipe: Connection, setup: Setup) -> None:
    """Do the tasks that come through the pipe, until it is closed. This is the whole life of a worker process."""
    for number in ("SIGINT", "SIGHUP"):  # of a terminal: they are for the server, which then speaks to the worker
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    prepare_process(setup)
    requests = Requests()
    threading.Thread(target=_listen, args=(pipe, requests), daemon=True).start()

    def answer(answer: Answer) -> None:
        with suppress(OSError):  # the server has gone
            pipe.send(answer)

    TaskRunner(setup, requests, answer).run()


def _listen(pipe: Connection, requests: Requests) -> None:
    """Take the requests from the pipe. A worker whose server has gone ends soon."""
    with suppress(EOFError, OSError):
        while True:
            requests.take(pipe.recv())
    requests.close()
    time.sleep(LAST_WISH)
    os._exit(1)
