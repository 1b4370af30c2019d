"""Actors and their lanes, without Ray: a pretended network loses what they say."""

import os
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamscripts.batch import ray_actor, ray_worker
from dreamscripts.batch.ray_actor import RayActor, places
from dreamscripts.batch.ray_worker import RayWorker
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.messages import Ended, JobTask, Ready, Report, StartFailed, Stop
from dreamscripts.jobs.setup import Setup

WATCH, SHARE = RayActor._watch_driver, ray_actor._share_processors


class Runner:
    """Stands for a TaskRunner: a task "hold" ends when it is stopped, and each other one at once."""

    def __init__(self, setup, requests, answer, node):
        self._requests, self._answer, self._node = requests, answer, node

    def run(self):
        self._answer(Ready(self._node))
        while (task := self._requests.next()) is not None:
            self._answer(Report({"iteration": 1}))
            held = task.job.folder == "hold"
            if held:
                self._requests.stop.wait(10)
            self._answer(Ended("stopped" if held else "done", task.id, self._node))


class RayActorError(Exception):
    pass


class ActorDiedError(RayActorError):
    _actor_init_failed = False


class ActorUnavailableError(RayActorError):
    pass


class GetTimeoutError(Exception):
    pass


class OutOfMemoryError(Exception):
    pass


class Network:
    """Stands for Ray: calls an actor at once, or loses the call, or its answer, by the numbers in `losses`."""

    def __init__(self, losses=()):
        self.losses, self.dead = iter(losses), None

    def reach(self, actor):
        def method(name):
            def remote(*arguments):
                if name == "ring":
                    return getattr(actor, name)()
                return lambda: getattr(actor, name)(*arguments)

            return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=remote))

        return SimpleNamespace(exchange=method("exchange"), ring=method("ring"))

    def get(self, call, timeout):
        loss = next(self.losses, 0)
        if self.dead is not None:
            raise self.dead
        answers = call() if loss != 1 else None
        if loss and timeout is not None:
            raise (ActorUnavailableError if loss == 1 else GetTimeoutError)("lost")
        return call() if answers is None else answers

    def kill(self, actor):
        self.dead = ActorDiedError("was killed by end()")


@pytest.fixture(scope="module", autouse=True)
def without_ray():
    """Let actors live in this process, without changing it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ray_actor, "TaskRunner", Runner)
        monkeypatch.setattr(ray_actor, "prepare_process", lambda setup: None)
        monkeypatch.setattr(ray_actor, "_share_processors", lambda places: None)
        monkeypatch.setattr(ray_actor, "_where", lambda: ("here", 1))
        monkeypatch.setattr(RayActor, "_watch_driver", lambda self: None)
        monkeypatch.setattr(ray_actor, "LONGEST", 0.05)
        monkeypatch.setattr(ray_worker, "PAUSE", 0)
        yield monkeypatch


@pytest.fixture(scope="module")
def network(without_ray):
    """Return the only network. Tests replace what it loses."""
    network, ray, exceptions = Network(), ModuleType("ray"), ModuleType("ray.exceptions")
    ray.get, ray.kill, ray.exceptions = lambda *a, **k: network.get(*a, **k), lambda a: network.kill(a), exceptions
    for kind in (ActorDiedError, ActorUnavailableError, GetTimeoutError, OutOfMemoryError):
        setattr(exceptions, kind.__name__, kind)
    without_ray.setitem(sys.modules, "ray", ray)
    without_ray.setitem(sys.modules, "ray.exceptions", exceptions)
    return network


def start(network, losses=(), version=None):
    network.losses, network.dead = iter(losses), None
    version = version or sys.modules["dreamscripts"].__version__
    return RayWorker(network.reach(RayActor(Setup("a", "base"), version, None)))


def task(folder="a"):
    return JobTask(Job(kind="dream", folder=folder))


def answers(worker, number):
    """Return the next answers that are not reports."""
    found = []
    while len(found) < number:
        assert worker.pipe.poll(10)
        answer = worker.receive()
        found += [] if isinstance(answer, Report) else [answer]
    return found


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0, 1, 2]), max_size=20), st.integers(0, 4))
def test_nothing_is_lost_or_said_twice(network, losses, number):
    worker = start(network, losses)
    tasks = [task() for _ in range(number)]
    try:
        for each in tasks:
            worker.send(each)
        expected = [Ready("here"), *(Ended("done", each.id, "here") for each in tasks)]
        assert answers(worker, len(expected)) == expected
        assert not worker.pipe.poll(0.01)
    finally:
        worker.end()


def test_a_task_is_stopped_while_it_is_done(network):
    worker = start(network)
    try:
        answers(worker, 1)
        worker.send(task("hold"))
        time.sleep(0.1)
        worker.send(Stop())
        assert [answer.how for answer in answers(worker, 1)] == ["stopped"]
        worker.send(task())
        assert [answer.how for answer in answers(worker, 1)] == ["done"]
    finally:
        worker.end()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ActorDiedError("The actor is dead because its worker process has died."), "was killed on here"),
        (ActorDiedError("The actor died because its node has died. Node Id: 1"), "was lost with its machine here"),
        (ActorDiedError("Task was killed due to the node running low on memory."), "memory of that machine was full"),
        (OutOfMemoryError("a"), "was ended by Ray on here, because the memory of that machine was full"),
        (ActorUnavailableError("a"), "did not answer on here for 0 seconds"),
    ],
)
def test_the_end_of_an_actor_in_words(network, error, words, monkeypatch):
    monkeypatch.setattr(ray_worker, "GONE", 0.01)
    worker = start(network)
    answers(worker, 1)
    network.dead = error
    assert worker.pipe.poll(10)
    assert worker.receive() is None
    assert words in worker.how_it_ended()
    worker.send(task())  # is lost in silence
    worker.end()


def test_an_actor_that_could_not_be_made_says_why(network):
    network.dead = ActorDiedError("trace\nModuleNotFoundError: No module named 'dreamscripts'\n")
    network.dead._actor_init_failed = True
    worker = RayWorker(network.reach(None))
    assert worker.receive() is None
    assert worker.how_it_ended() == "could not be started: ModuleNotFoundError: No module named 'dreamscripts'"
    worker.end()


def test_another_version_is_refused(network):
    worker = start(network, version="0.0")
    (answer,) = answers(worker, 1)
    assert isinstance(answer, StartFailed) and "the command has 0.0" in answer.message
    worker.end()


def test_an_actor_without_its_driver_stops_and_ends(monkeypatch):
    class Ended(Exception):
        pass

    def end(code):
        raise Ended

    monkeypatch.setattr(ray_actor, "SILENCE", 0.2)
    monkeypatch.setattr(ray_actor, "LAST_WISH", 0.05)
    monkeypatch.setattr(ray_actor.os, "_exit", end)
    actor = RayActor(Setup("a", "base"), "0", None)
    began = time.monotonic()
    for _ in range(3):
        actor.exchange(0, 0, [])
    with pytest.raises(Ended):
        WATCH(actor)
    assert actor._requests.stop.is_set()
    assert time.monotonic() - began > 0.25


def test_the_places_of_a_machine():
    assert places({"CPU": 8.0, "memory": 1e9}) == 8
    assert places({"CPU": 8.0, "GPU": 2.0}) == 8
    assert places({"memory": 1e9}) == 0


def test_threads_are_shared_between_the_actors_of_a_machine(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for places_, threads in ((1, None), (3, "2"), (20, "1")):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("OMP_NUM_THREADS", "1")  # by Ray
            environment.setenv("TF_NUM_INTRAOP_THREADS", "")
            del os.environ["TF_NUM_INTRAOP_THREADS"]
            SHARE(places_)
            assert os.environ.get("OMP_NUM_THREADS") == os.environ.get("TF_NUM_INTRAOP_THREADS") == threads
