"""RayWorker: an actor on a cluster, seen from its lane."""

import multiprocessing
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from dreamscripts.batch.ray_actor import LAST_WISH, SILENCE
from dreamscripts.errors import short
from dreamscripts.jobs.messages import Answer, Ready, Request

GONE = SILENCE + LAST_WISH + 1  # seconds without an answer after which an actor has ended itself, if it still lived
PAUSE = 0.5  # seconds between two attempts to reach an actor


class RayWorker:
    """An actor, seen from its lane. A thread talks with it."""

    def __init__(self, actor: Any):
        self._actor = actor
        self.pipe, self._bell = multiprocessing.Pipe(duplex=False)  # has an empty message for each answer
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._is_ended = False
        self._node = ""
        self._cause = ""
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def send(self, request: Request) -> None:
        """Send a request. If the actor has ended, it is lost, and `receive` says so."""
        with self._lock:
            self._requests.append(request)
        if self._node:  # otherwise the first exchange takes it
            with suppress(Exception):
                self._actor.ring.options(concurrency_group="ring").remote()

    def receive(self) -> Answer | None:
        """Return the next answer, or None if the actor has ended."""
        try:
            self.pipe.recv_bytes()
        except (EOFError, OSError):
            return None
        return self._answers.get()

    def how_it_ended(self) -> str:
        """Return how an actor ended that sends no more answers, in words."""
        self._thread.join()
        return self._cause

    def end(self) -> None:
        """End the actor at once, if it has not ended."""
        import ray

        self._is_ended = True
        self.pipe.close()
        with suppress(Exception):  # the cluster may be gone
            ray.kill(self._actor)

    def _talk(self) -> None:
        """Exchange requests and answers until the actor ends."""
        try:
            self._exchange()
        except (Exception, SystemExit) as error:  # Ray exits from its threads when the driver leaves the cluster
            self._cause = self._how(error)
        finally:
            self._bell.close()

    def _exchange(self) -> None:
        """Exchange requests and answers. What may be lost on its way is said again, for `GONE` seconds."""
        import ray
        from ray.exceptions import ActorUnavailableError, GetTimeoutError

        arrived = sent = 0
        heard: float | None = None
        exchange = self._actor.exchange.options(concurrency_group="exchange")
        while not self._is_ended:
            with self._lock:
                requests = list(self._requests)
            try:
                answers = ray.get(exchange.remote(arrived, sent, requests), timeout=None if heard is None else GONE)
            except (ActorUnavailableError, GetTimeoutError):
                if heard is None or time.monotonic() - heard > GONE:
                    raise
                time.sleep(PAUSE)
                continue
            heard = time.monotonic()
            arrived, sent = arrived + len(answers), sent + len(requests)
            with self._lock:
                del self._requests[: len(requests)]
            for answer in answers:
                self._pass_on(answer)

    def _pass_on(self, answer: Answer) -> None:
        if isinstance(answer, Ready):
            self._node = answer.node
        self._answers.put(answer)
        self._bell.send_bytes(b"")

    def _how(self, error: BaseException) -> str:
        """Return how the actor ended, in words that follow "the worker"."""
        from ray.exceptions import ActorDiedError, OutOfMemoryError

        text, place = str(error), f" on {self._node}" if self._node else ""
        if isinstance(error, OutOfMemoryError) or "low on memory" in text:
            return f"was ended by Ray{place}, because the memory of that machine was full"
        if not isinstance(error, ActorDiedError):
            return f"did not answer{place} for {GONE:.0f} seconds"
        if error._actor_init_failed:
            return f"could not be started: {short(text.strip().splitlines()[-1])}"
        if "node has died" in text:
            return f"was lost with its machine{f' {self._node}' if self._node else ''}"
        return f"was killed{place}"
