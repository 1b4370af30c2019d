import os
import signal
import subprocess
import sys

import pytest

from dreamscripts.benchmarks.process import MeasuringError, Worker
from dreamscripts.settings.schema import Settings


def test_a_process_replies_and_ends_with_its_block():
    with Worker("NumPy", "matrices", {}) as worker:
        assert worker.start() == {"device": "CPU"}
        assert worker.request("multiply", 0)["side"] == 512
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)


def test_a_process_that_dies_is_named_with_its_last_message():
    says = r"the process of ours died with exit code 1; its last message: KeyError"
    with Worker("ours", "ours", {"no": "settings"}) as worker, pytest.raises(MeasuringError, match=says):
        worker.start()


def test_a_process_that_is_killed_is_named_with_the_signal_and_what_it_may_mean():
    with Worker("NumPy", "matrices", {}) as worker:
        worker.start()
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
        with pytest.raises(
            MeasuringError, match=r"the process of NumPy was ended by signal 9, probably .* memory ran out"
        ):
            worker.request("multiply", 0)


def test_a_user_error_comes_through_unchanged(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "ghost")
    task = {"settings": Settings(features={"block1_conv1": 1}).model_dump(mode="json")}
    says = r"^Keras cannot use the backend 'ghost'"
    with Worker("the weights", "preparing", task) as worker, pytest.raises(MeasuringError, match=says):
        worker.start()


def test_what_a_library_prints_does_not_mix_with_the_replies():
    program = """
from dreamscripts.benchmarks.program import serve

def open_chatterbox(task):
    print("hello!")
    return task, {"sum": lambda a, b: {"is": a + b}}

serve(open_chatterbox)
"""
    asked = '{"one": 1}\n["sum", 2, 3]\n'
    done = subprocess.run([sys.executable, "-c", program], input=asked, capture_output=True, text=True, check=True)
    assert done.stdout == '{"one": 1}\n{"is": 5}\n'
    assert done.stderr == "hello!\n"
