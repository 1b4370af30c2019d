"""The supervisor with workers that only pretend: threads that follow a script, without Keras."""

import threading
import time

import pytest
from pretended_worker import Worker, facts

from dreamscripts.errors import OutputError
from dreamscripts.jobs import lane as lane_module
from dreamscripts.jobs import queue as queue_module
from dreamscripts.jobs.events import JobChanged, PreviewMade, PreviewsEnded, Progress, WorkerChanged
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.messages import Ended, JobTask, PreviewTask, Ready, Report, StartFailed, StartOtherwise, Stop
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.supervisor import Supervisor


class Studio:
    def __init__(self, tmp_path, monkeypatch):
        self.queue = JobQueue(tmp_path, tmp_path / "store")
        self.events = []
        self.workers = []
        self.lives = {"dreams": [], "previews": []}  # of the workers, in their order; the last is repeated
        monkeypatch.setattr(lane_module, "PATIENCE", 1.0)
        self.supervisor = Supervisor(self.queue, self.events.append, ["/allowed.keras"], self._worker)

    def _worker(self, setup):
        lives = self.lives[setup.name]
        life = lives.pop(0) if len(lives) > 1 else lives[0] if lives else obedient
        self.workers.append(Worker(setup, life))
        return self.workers[-1]

    def add(self, *names):
        jobs = [self.queue.add(Job(kind="dream", folder=name)) for name in names]
        self.supervisor.wake()
        return jobs

    def wait(self, condition):
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, self.events
            time.sleep(0.005)

    def states(self):
        return [job.state for job in self.queue.jobs]

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def said(self, lane):
        return [event.status for event in self.of(WorkerChanged) if event.lane == lane]


def obedient(worker):
    """Do each task at once."""
    worker.answer(Ready())
    serve(worker)


def serve(worker):
    while True:
        task = worker.request()
        if isinstance(task, JobTask):
            worker.answer(Report(facts(1)), Ended("done"))
        elif isinstance(task, PreviewTask):
            for look in task.looks:
                worker.answer(Report({"look": look, "path": task.folder / f"{look}.png"}))
            worker.answer(Ended("done"))


def lazy(worker):
    """Begin a task, and go on until it is stopped."""
    worker.answer(Ready())
    while True:
        task = worker.request()
        if not isinstance(task, Stop):
            worker.answer(
                Report(facts(3) if isinstance(task, JobTask) else {"look": next(iter(task.looks)), "path": "a"})
            )
            worker.wait_for_stop()


def mortal(worker):
    """Die with the first task, without an iteration."""
    worker.answer(Ready())
    worker.request()


@pytest.fixture
def studio(tmp_path, monkeypatch):
    made = Studio(tmp_path, monkeypatch)
    yield made
    made.supervisor.close()


def test_jobs_are_done_in_their_order(studio):
    one, two, three = studio.add("one", "two", "three")
    studio.queue.move(three.id, one.id)
    studio.supervisor.start()
    studio.wait(lambda: studio.states() == ["done"] * 3)
    assert [event.job for event in studio.of(Progress)] == [three.id, one.id, two.id]
    studio.wait(lambda: studio.supervisor.status == {"previews": ("ready", ""), "dreams": ("ready", "")})
    assert studio.said("dreams") == ["busy", "ready"]
    assert studio.workers[1].allowed == ("/allowed.keras",)


def test_the_worker_of_the_dreams_waits_for_that_of_the_previews(studio):
    begin = threading.Event()
    studio.lives["previews"] = [lambda worker: (begin.wait(), obedient(worker))]
    studio.add("one")
    studio.supervisor.start()
    time.sleep(0.1)
    assert [worker.lane for worker in studio.workers] == ["previews"]
    begin.set()
    studio.wait(lambda: studio.states() == ["done"])


def test_a_running_job_is_stopped_and_goes_on_later(studio):
    studio.lives["dreams"] = [lazy]
    (job, _) = studio.add("one", "two")
    studio.supervisor.start()
    studio.wait(lambda: studio.of(Progress))
    studio.supervisor.stop(job.id)
    studio.wait(lambda: studio.states() == ["stopped", "running"])
    assert studio.queue.get(job.id).message == "stopped after iteration 3"
    studio.queue.change(job.id, state="waiting")
    studio.supervisor.stop(studio.queue.jobs[1].id)
    studio.wait(lambda: studio.states() == ["running", "stopped"])


def test_a_waiting_job_is_stopped_at_once(studio):
    (job,) = studio.add("one")
    studio.supervisor.stop(job.id)
    studio.supervisor.stop("0" * 16)
    studio.supervisor.start()
    studio.wait(lambda: studio.said("dreams") == ["ready"])
    assert studio.states() == ["stopped"]


def test_a_job_that_is_removed_while_it_runs_is_stopped_and_forgotten(studio):
    studio.lives["dreams"] = [lazy]
    (job,) = studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.of(Progress))
    studio.queue.remove(job.id)
    studio.supervisor.wake()
    studio.wait(lambda: studio.said("dreams") == ["busy", "ready"])
    assert studio.queue.jobs == []


def test_closing_leaves_a_job_that_waits_and_can_be_done_twice(studio):
    studio.lives["dreams"] = [lazy]
    studio.add("one", "two")
    studio.supervisor.start()
    studio.wait(lambda: studio.of(Progress))
    studio.supervisor.close()
    assert studio.states() == ["waiting", "waiting"]
    assert studio.queue.jobs[0].folder == "one"
    studio.supervisor.close()


def test_closing_does_not_wait_for_ever_for_a_worker_that_does_not_hear(studio):
    studio.lives["dreams"] = [
        lambda worker: (worker.answer(Ready()), worker.request(), worker.request(), worker.request())
    ]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.states() == ["running"])
    began = time.monotonic()
    studio.supervisor.close()
    assert time.monotonic() - began < 5
    assert studio.states() == ["waiting"]


def test_closing_before_the_start_is_no_error(studio):
    studio.supervisor.close()
    assert studio.workers == []


def test_a_worker_that_dies_is_replaced_and_the_job_goes_on(studio):
    studio.lives["dreams"] = [mortal, mortal, obedient]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.states() == ["done"])
    assert studio.said("dreams")[:5] == ["busy", "restarted", "busy", "restarted", "busy"]
    (said, _) = [event.message for event in studio.of(WorkerChanged) if event.status == "restarted"]
    assert said == "the worker was killed (SIGKILL); a new one goes on with its work"
    assert all(event.job.state != "waiting" for event in studio.of(JobChanged)[1:])


def test_three_deaths_without_a_new_iteration_are_a_failure_in_words(studio):
    studio.lives["dreams"] = [mortal, mortal, mortal, obedient]
    studio.add("one", "two")
    studio.supervisor.start()
    studio.wait(lambda: studio.states() == ["failed", "done"])
    assert "3 times in a row without a new iteration" in studio.queue.jobs[0].message
    assert "SIGKILL" in studio.queue.jobs[0].message


def test_each_new_iteration_gives_a_job_three_more_lives(studio):
    def mortal_after(number):
        def life(worker):
            worker.answer(Ready())
            worker.request()
            worker.answer(Report(facts(number)))

        return life

    studio.lives["dreams"] = [mortal_after(number) for number in (0, 1, 1, 2, 2, 3)] + [obedient]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.states()[0] in ("done", "failed"))
    assert studio.states() == ["done"]


def test_a_worker_that_cannot_start_says_why_and_tries_again_when_it_is_woken(studio):
    studio.lives["dreams"] = [lambda worker: worker.answer(StartFailed("there is no Keras")), obedient]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.supervisor.status["dreams"] == ("failed", "there is no Keras"))
    time.sleep(0.05)
    assert studio.states() == ["waiting"]
    studio.supervisor.wake()
    studio.wait(lambda: studio.states() == ["done"])


def test_a_worker_that_dies_while_it_starts_is_not_started_for_ever(studio):
    studio.lives["previews"] = [lambda worker: None]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.supervisor.status["previews"][0] == "failed")
    assert [worker.lane for worker in studio.workers].count("previews") == 3
    studio.wait(lambda: studio.states() == ["done"])  # the dreams have nothing to do with it


def test_a_run_that_was_begun_with_another_onednn_gets_such_a_worker(studio):
    def other(worker):
        worker.answer(Ready())
        worker.request()
        worker.answer(StartOtherwise(False))

    studio.lives["dreams"] = [other, obedient]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.states() == ["done"])
    assert [worker.onednn for worker in studio.workers if worker.lane == "dreams"] == [None, False]
    assert "restarted" not in studio.said("dreams")


def test_a_full_disk_stops_a_lane_in_words_until_it_is_woken(studio, monkeypatch):
    write = queue_module.write_atomically

    def full(path, content):
        if b'"done"' in content:
            raise OutputError(f"{path}: the disk is full")
        write(path, content)

    monkeypatch.setattr(queue_module, "write_atomically", full)
    studio.add("one", "two")
    studio.supervisor.start()
    studio.wait(lambda: studio.supervisor.status["dreams"][0] == "failed")
    assert "the disk is full" in studio.supervisor.status["dreams"][1]
    monkeypatch.setattr(queue_module, "write_atomically", write)
    studio.supervisor.wake()
    studio.wait(lambda: studio.states() == ["done", "done"])


def test_a_listener_that_fails_does_not_end_the_lane(studio):
    studio.add("one")

    def listen(event):
        if isinstance(event, Progress) and not studio.failed:
            studio.failed = True
            raise ValueError("a fault")

    studio.failed = False
    studio.supervisor._jobs._on_event = listen
    studio.supervisor.start()
    studio.wait(
        lambda: studio.supervisor.status["dreams"] == ("failed", "a fault of dreamscripts: ValueError: a fault")
    )
    assert studio.states() == ["running"]
    studio.supervisor.wake()
    studio.wait(lambda: studio.states() == ["done"])


def preview(studio, photo, *looks):
    studio.supervisor.preview(photo, studio.queue.base / "a.png", dict.fromkeys(looks, ""), studio.queue.base)


def test_previews_arrive_one_by_one(studio):
    studio.supervisor.start()
    preview(studio, "a", "one", "two")
    studio.wait(lambda: studio.of(PreviewsEnded))
    folder = studio.queue.base
    assert studio.of(PreviewMade) == [PreviewMade("a", look, folder / f"{look}.png") for look in ("one", "two")]
    assert studio.of(PreviewsEnded) == [PreviewsEnded("a", "")]


def interrupted(worker):
    """Make one preview, and then wait until it shall stop."""
    worker.answer(Ready())
    task = worker.request()
    worker.answer(Report({"look": next(iter(task.looks)), "path": "first"}))
    worker.wait_for_stop()
    serve(worker)


def test_new_looks_of_a_photograph_go_first_and_those_before_them_are_not_lost(studio):
    studio.lives["previews"] = [interrupted]
    studio.supervisor.start()
    preview(studio, "a", "one", "two", "three")
    studio.wait(lambda: studio.of(PreviewMade))
    preview(studio, "a", "current", "three")
    studio.wait(lambda: studio.of(PreviewsEnded))
    assert [event.look for event in studio.of(PreviewMade)] == ["one", "current", "three", "two"]
    assert len(studio.of(PreviewsEnded)) == 1


def test_a_new_photograph_goes_first_and_the_other_goes_on_after_it(studio):
    studio.lives["previews"] = [interrupted]
    studio.supervisor.start()
    preview(studio, "a", "one", "two", "three")
    studio.wait(lambda: studio.of(PreviewMade))
    preview(studio, "b", "one")
    studio.wait(lambda: len(studio.of(PreviewsEnded)) == 2)
    made = [(event.photo, event.look) for event in studio.of(PreviewMade)]
    assert made == [("a", "one"), ("b", "one"), ("a", "two"), ("a", "three")]
    assert [event.photo for event in studio.of(PreviewsEnded)] == ["b", "a"]


@pytest.mark.parametrize("again", [False, True])
def test_previews_are_cancelled_or_asked_for_again(again, studio):
    studio.lives["previews"] = [lazy]
    studio.supervisor.start()
    preview(studio, "a", "one", "two")
    studio.wait(lambda: studio.of(PreviewMade))
    if again:
        preview(studio, "a", "three")
        studio.wait(lambda: studio.of(PreviewMade)[-1].look == "three")
        assert not studio.of(PreviewsEnded)
    studio.supervisor.cancel_previews("a")
    studio.wait(lambda: studio.of(PreviewsEnded))
    studio.wait(lambda: studio.supervisor.status["previews"] == ("ready", ""))
    assert len(studio.of(PreviewsEnded)) == 1


def test_a_photograph_that_kills_three_workers_is_given_up(studio):
    studio.lives["previews"] = [mortal, mortal, mortal, obedient]
    studio.supervisor.start()
    preview(studio, "a", "one")
    studio.wait(lambda: studio.of(PreviewsEnded))
    assert "3 times in a row" in studio.of(PreviewsEnded)[0].message
    preview(studio, "b", "one")
    studio.wait(lambda: len(studio.of(PreviewsEnded)) == 2)


def test_a_preview_is_made_while_a_job_runs(studio):
    studio.lives["dreams"] = [lazy]
    studio.add("one")
    studio.supervisor.start()
    studio.wait(lambda: studio.of(Progress))
    preview(studio, "a", "one")
    studio.wait(lambda: studio.of(PreviewsEnded))
    assert studio.states() == ["running"]
