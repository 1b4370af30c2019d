import subprocess
import sys

import pytest
from conftest import NO_KERAS

from dreamscripts.errors import Diverged, OutputError, PictureError
from dreamscripts.jobs import task_runner
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.kind import KINDS
from dreamscripts.jobs.messages import Ended, JobTask, StartFailed, StartOtherwise
from dreamscripts.jobs.process import WorkerProcess
from dreamscripts.jobs.setup import Setup
from dreamscripts.jobs.work import OtherStart

HEAVY = {"keras", "tensorflow", "jax", "torch", "scipy", "matplotlib", "av", "cv2"}


def test_the_supervisor_imports_nothing_that_takes_seconds():
    program = "import dreamscripts.jobs.supervisor, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_the_kinds_are_the_modules():
    assert set(KINDS) == {"dream", "zoom", "movie"}


@pytest.fixture
def ending(work, monkeypatch):
    """Return a function that lets a kind of job raise an error, and returns how the task ended."""

    def end(error=None, note=""):
        def do(job, work):
            if note:
                task_runner.log.warning("%s", note)
            if error:
                raise error

        monkeypatch.setattr(task_runner, "_do", lambda task, work: (do(task.job, work), "; ".join(work.notes))[1])
        return task_runner._ended(JobTask(Job(kind="dream", folder="a")), work)

    return end


def test_a_task_ends_in_words(ending, work):
    assert ending() == Ended("done")
    assert ending(note="octave 1 of 3 is skipped") == Ended("done", "octave 1 of 3 is skipped")
    assert ending(PictureError("a.png: is no picture")) == Ended("failed", "a.png: is no picture")
    assert ending(Diverged("the loss became NaN")).how == "failed"
    assert ending(MemoryError()) == Ended("failed", "the memory is too small; use a smaller size", again=True)
    assert ending(ValueError("odd\nshape")) == Ended(
        "failed", "a fault of dreamscripts: ValueError: odd shape", again=True
    )
    assert ending(KeyboardInterrupt()) == Ended("stopped")
    assert ending(OtherStart(False)) == StartOtherwise(False)
    work.stop.set()
    assert ending(ValueError("of a library that turned KeyboardInterrupt into it")) == Ended("stopped")
    assert ending(OutputError("the disk is full")) == Ended("failed", "the disk is full", again=True)


def test_a_job_of_an_unknown_kind_is_refused(work):
    ended = task_runner._ended(JobTask(Job(kind="poem", folder="a")), work)
    assert ended.how == "failed"
    assert "the kinds are dream, movie, zoom" in ended.message


def test_a_process_that_cannot_start_keras_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv(*next(iter(NO_KERAS.items())))
    process = WorkerProcess(Setup("dreams", tmp_path))
    try:
        assert process.pipe.poll(60)
        answer = process.receive()
        assert isinstance(answer, StartFailed)
        assert "none of them" in answer.message
        assert process.receive() is None
        assert process.how_it_ended() == "ended with code 0"
    finally:
        process.end()


def test_a_process_that_was_killed_says_by_what(tmp_path):
    process = WorkerProcess(Setup("dreams", tmp_path))
    try:
        process._process.kill()
        assert process.receive() is None
        assert process.how_it_ended() == "was killed (SIGKILL)"
    finally:
        process.end()


def test_a_request_that_nobody_reads_is_lost_in_silence(tmp_path):
    process = WorkerProcess(Setup("dreams", tmp_path))
    process.end()
    process.send(JobTask(Job(kind="dream", folder="a")))
