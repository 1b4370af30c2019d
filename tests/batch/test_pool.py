"""The pool with workers that only pretend."""

import threading
import time

import pytest
from pretended_worker import Worker, facts

from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.pool import Pool
from dreamscripts.batch.store import LocalStore
from dreamscripts.jobs.events import JobChanged, WorkerChanged
from dreamscripts.jobs.messages import Ended, JobTask, Ready, Report, StartFailed
from dreamscripts.jobs.setup import Setup


class Makers:
    """A pool whose workers follow scripts. The last script is repeated."""

    def __init__(self, folder, dreams):
        self.ledger = Ledger(LocalStore(folder), dreams)
        self.events = []
        self.setups = []
        self.lives = []
        self.pool = Pool(self.ledger, Setup("worker", folder), self.events.append, start=self._start)

    def _start(self, setup):
        self.setups.append(setup)
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0] if self.lives else obedient
        return Worker(setup, life)

    def make(self, workers=2):
        self.pool.grow([()] * workers)
        end = time.monotonic() + 10
        while not self.ledger.is_finished and not self.pool.problem:
            assert time.monotonic() < end, self.events
            time.sleep(0.002)
        return [job.state for job in self.ledger.jobs]


def obedient(worker):
    """Do each task at once."""
    worker.answer(Ready())
    serve(worker)


def serve(worker):
    while True:
        if isinstance(worker.request(), JobTask):
            worker.answer(Report(facts(1)), Ended("done", node="here"))


def mortal(worker):
    """Die with the first task."""
    worker.answer(Ready())
    worker.request()


def failing(worker):
    worker.answer(Ready())
    while True:
        if isinstance(worker.request(), JobTask):
            worker.answer(Ended("failed", "the disk is full", again=True))


@pytest.fixture
def makers(tmp_path, planned):
    made = Makers(tmp_path / "batch", planned(seeds=range(4)))
    yield made
    made.pool.close()
    made.ledger.close()


def test_all_jobs_are_made_by_several_workers(makers):
    assert makers.make(workers=3) == ["done"] * 12
    assert [setup.name for setup in makers.setups] == ["worker 1", "worker 2", "worker 3"]
    states = [event.job.state for event in makers.events if isinstance(event, JobChanged)]
    assert (states.count("running"), states.count("done")) == (12, 12)
    assert {makers.ledger.result(job.id).node for job in makers.ledger.jobs} == {"here"}


def test_a_job_whose_worker_died_is_made_by_another(makers):
    makers.lives = [mortal, obedient]
    assert makers.make() == ["done"] * 12
    assert [event.status for event in makers.events if isinstance(event, WorkerChanged)].count("restarted") == 1


def test_a_worker_that_never_comes_back_holds_no_job(makers):
    silence = threading.Event()
    makers.lives = [mortal, obedient, lambda worker: silence.wait()]
    assert makers.make() == ["done"] * 12
    silence.set()


def test_a_job_that_kills_every_worker_has_failed(makers):
    doomed = makers.ledger.jobs[0].id

    def life(worker):
        worker.answer(Ready())
        while True:
            task = worker.request()
            if not isinstance(task, JobTask):
                continue
            if task.id == doomed:
                return
            worker.answer(Ended("done"))

    makers.lives = [life]
    states = makers.make()
    assert states.count("done") == 11
    assert makers.ledger.get(doomed).state == "failed"
    assert "3 times in a row" in makers.ledger.get(doomed).message
    assert makers.ledger.result(doomed).again


def test_a_new_iteration_gives_a_job_more_lives(makers):
    counts = {}

    def life(worker):
        worker.answer(Ready())
        task = worker.request()
        counts[task.id] = number = counts.get(task.id, 0) + 1
        worker.answer(Report(facts(number - 1)), Report(facts(number)))
        if number == 5:
            worker.answer(Ended("done"))

    makers.lives = [life]
    assert makers.make() == ["done"] * 12
    assert set(counts.values()) == {5}


def test_failures_that_are_not_the_fault_of_the_jobs_end_the_batch(makers):
    makers.lives = [failing]
    states = makers.make()
    assert makers.pool.problem == "the disk is full"
    assert states.count("failed") in (3, 4)  # the other worker may have begun one


def test_a_worker_that_cannot_start_ends_the_batch_in_words(makers):
    makers.lives = [lambda worker: worker.answer(StartFailed("there is no Keras"))]
    makers.make()
    assert makers.pool.problem == "there is no Keras"


def test_one_worker_that_cannot_start_does_not_end_the_batch(makers):
    makers.lives = [lambda worker: worker.answer(StartFailed("there is no Keras")), obedient]
    assert makers.make() == ["done"] * 12


def test_closing_stops_what_is_under_way_and_leaves_it_for_the_next_command(makers, planned):
    def lazy(worker):
        worker.answer(Ready())
        worker.request()
        worker.answer(Report(facts(3)))
        worker.wait_for_stop()

    makers.lives = [lazy]
    makers.pool.grow([(), ()])
    while sum(job.state == "running" for job in makers.ledger.jobs) < 2:
        time.sleep(0.002)
    makers.pool.close()
    assert {job.state for job in makers.ledger.jobs} == {"waiting"}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_are_kept_busy(makers, workers):
    def slow(worker):
        worker.answer(Ready())
        while True:
            if isinstance(worker.request(), JobTask):
                time.sleep(0.05)
                worker.answer(Ended("done"))

    makers.lives = [slow]
    began = time.monotonic()
    makers.make(workers)
    assert time.monotonic() - began < 12 / workers * 0.05 * 2 + 0.5  # half of the efficiency, on a busy machine
