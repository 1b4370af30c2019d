"""RayCluster: workers on the machines of a Ray cluster."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dreamscripts
from dreamscripts.backends.startup import hidden_stderr
from dreamscripts.batch.ray_actor import RayActor, places
from dreamscripts.batch.ray_worker import RayWorker
from dreamscripts.batch.workers import ON_GPU
from dreamscripts.errors import DreamError, short
from dreamscripts.jobs.setup import Setup

ANSWERING = 10.0  # seconds in which the head of a cluster answers
ADVICE = "start one (RAY_AUTH_MODE=token ray start --head --include-dashboard=false), or give its address (host:port)"


def prepare_environment() -> None:
    """Set the variables that Ray reads when it is imported: no usage statistics, and nothing without a token.

    Only the command calls this, before anything imports Ray. Values that the user has set are not changed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "token")


class RayCluster:
    """A cluster that somebody has started, and that this machine belongs to.

    address: "auto" for the cluster of this machine or of RAY_ADDRESS, or "host:port" of the head.

    Raises DreamError if there is no such cluster, or if it cannot be used.
    """

    def __init__(self, address: str):
        try:
            import ray
        except ImportError:
            raise DreamError('a cluster needs Ray; install it: pip install "dreamscripts[cluster]"') from None
        self._ray: Any = ray
        _check_that_somebody_listens(address)
        # Ray prints when a worker dies, and has no setting for it. The lanes say it.
        ray._private.worker.print_to_stdstream = lambda data, ignore_prefix: None
        try:
            with _same_signals(), hidden_stderr():  # it prints a warning each second
                ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # each version of Ray raises others
            raise DreamError(_problem(error, address)) from None

    def start(self, setup: Setup) -> RayWorker:
        """Ask the cluster for a worker. It waits until a machine has a place for it."""
        needs: dict[str, Any] = {"num_cpus": 0, "num_gpus": 1 / ON_GPU} if self._has_gpus() else {"num_cpus": 1}
        actor = self._ray.remote(
            max_restarts=0,  # the lane starts another one
            concurrency_groups={"exchange": 1, "ring": 1},
            scheduling_strategy="SPREAD",
            **needs,
        )(RayActor)
        setup = replace(setup, base=setup.base.absolute())
        return RayWorker(actor.remote(setup, dreamscripts.__version__, os.environ.get("KERAS_BACKEND")))

    def slots(self) -> int:
        """Return how many workers the cluster can hold now: four for each GPU or, without any, one per processor."""
        return places(self._ray.cluster_resources())

    def close(self) -> None:
        """Leave the cluster. It ends the workers that are left."""
        self._ray.shutdown()

    def _has_gpus(self) -> bool:
        return bool(self._ray.cluster_resources().get("GPU"))


@contextmanager
def _same_signals() -> Iterator[None]:
    """Let SIGTERM do what it did before. With Ray's handler, it would end a command that has not saved what it has."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _check_that_somebody_listens(address: str) -> None:
    """Raise DreamError if nothing listens at "host:port". Ray itself would try for minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition(":")
    if port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERING).close()
        except (OSError, OverflowError) as error:
            raise DreamError(f"--ray {address}: no cluster answers there ({error}); {ADVICE}") from None


def _problem(error: Exception, address: str) -> str:
    """Return in one line why Ray cannot be used, and what to do."""
    from ray.exceptions import AuthenticationError

    if isinstance(error, AuthenticationError):
        return (
            "Ray finds no token on this machine; make one (ray get-auth-token --generate), and copy ~/.ray/auth_token "
            "to all machines of the cluster"
        )
    if isinstance(error, ConnectionError) and address == "auto":
        return f"--ray auto: there is no cluster on this machine; {ADVICE}"
    if isinstance(error, ConnectionError):
        return (
            f"--ray {address}: the cluster does not let this machine in; ~/.ray/auth_token and RAY_AUTH_MODE must be "
            "the same on all machines"
        )
    return f"--ray {address}: {short(' '.join(str(error).split()))}"
