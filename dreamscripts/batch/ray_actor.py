"""RayActor: a worker as an actor, in a process that Ray starts on some machine of a cluster."""

import os
import platform
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

import dreamscripts
from dreamscripts.batch.workers import ON_GPU
from dreamscripts.jobs.messages import Answer, Report, Request, StartFailed
from dreamscripts.jobs.setup import Setup
from dreamscripts.jobs.task_runner import Requests, TaskRunner, prepare_process

LONGEST = 1.0  # seconds until an exchange ends if there is nothing to say; also the time between two reports
SILENCE = 10.0  # seconds without an exchange, after which the driver has gone
LAST_WISH = 5.0  # seconds in which an actor without a driver stops cleanly


class RayActor:
    """Does tasks in a thread of its own, while its driver calls `exchange` again and again, also as a sign of life.

    An exchange can be lost on its way. So both sides count what has arrived, and say the rest again.

    version: of the driver's dreamscripts.
    backend: the driver's KERAS_BACKEND.
    """

    def __init__(self, setup: Setup, version: str, backend: str | None):
        self._requests = Requests()
        self._taken = 0
        self._answers: deque[Answer] = deque()  # that have not arrived
        self._arrived = 0
        self._news = threading.Condition()
        self._is_urgent = False
        self._heard = time.monotonic()
        prepare_process(setup)
        node, places = _where()
        _share_processors(places)
        if backend is not None:
            os.environ["KERAS_BACKEND"] = backend
        threading.Thread(target=self._live, args=(setup, node, version), daemon=True).start()
        threading.Thread(target=self._watch_driver, daemon=True).start()

    def exchange(self, arrived: int, sent: int, requests: Sequence[Request]) -> list[Answer]:
        """Take requests, wait until there is something to say, and return the answers that have not arrived.

        arrived: the number of answers that the driver has got.
        sent: the number of requests before these, all of which have arrived.
        """
        self._heard = time.monotonic()
        for request in requests[max(0, self._taken - sent) :]:
            self._requests.take(request)
        self._taken = max(self._taken, sent + len(requests))
        with self._news:
            while self._arrived < arrived:
                self._answers.popleft()
                self._arrived += 1
            self._news.wait_for(lambda: self._is_urgent, LONGEST)
            self._is_urgent = False
            self._heard = time.monotonic()
            return list(self._answers)

    def ring(self) -> None:
        """End the exchange under way, because the driver has a request."""
        self._be_urgent()

    def _live(self, setup: Setup, node: str, version: str) -> None:
        if version != dreamscripts.__version__:
            self._answer(
                StartFailed(
                    f"{node} has dreamscripts {dreamscripts.__version__}, and the command has {version}; install the "
                    "same version on all machines"
                )
            )
            return
        TaskRunner(setup, self._requests, self._answer, node).run()

    def _answer(self, answer: Answer) -> None:
        with self._news:
            self._answers.append(answer)
        if not isinstance(answer, Report):
            self._be_urgent()

    def _be_urgent(self) -> None:
        with self._news:
            self._is_urgent = True
            self._news.notify_all()

    def _watch_driver(self) -> None:
        """End this process if the driver has gone. Ray does it, too, but a machine without a network waits for long."""
        while time.monotonic() - self._heard < SILENCE:
            time.sleep(SILENCE / 20)
        self._requests.close()
        time.sleep(LAST_WISH)
        os._exit(1)


def _where() -> tuple[str, int]:
    """Return the name of this machine in the cluster, and for how many actors it has processors or GPUs."""
    import ray

    id = ray.get_runtime_context().get_node_id()
    node = next(node for node in ray.nodes() if node["NodeID"] == id)
    is_named = node["NodeName"] != node["NodeManagerAddress"]
    return node["NodeName"] if is_named else platform.node(), places(node["Resources"])


def places(resources: Mapping[str, float]) -> int:
    """Return for how many actors there are resources: four for each GPU or, without any, one for each processor."""
    return int(resources.get("GPU", 0) * ON_GPU or resources.get("CPU", 0))


def _share_processors(places: int) -> None:
    """Let the libraries use as many threads as is fair. Alone on a machine, they use as many as without Ray."""
    os.environ.pop("OMP_NUM_THREADS", None)  # of Ray
    if places > 1:
        fair = str(max(1, (os.cpu_count() or 1) // places))
        os.environ["OMP_NUM_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = fair
