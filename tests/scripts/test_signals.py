"""Signals that stop a command, as the system sends them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from dreamscripts.errors import DreamError, OutputError
from dreamscripts.scripts import signals
from dreamscripts.scripts.signals import stoppable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")


def send(name):
    os.kill(os.getpid(), getattr(signal, name))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU"])
def test_each_of_them_stops(name):
    with pytest.raises(KeyboardInterrupt), stoppable():
        send(name)
        time.sleep(5)


def test_one_that_comes_after_the_end_does_nothing():
    with stoppable():
        pass
    send("SIGTERM")
    send("SIGHUP")


def test_a_repeated_one_does_not_disturb_the_end():
    saved = []
    with pytest.raises(KeyboardInterrupt), stoppable():
        try:
            send("SIGXCPU")
        finally:
            send("SIGXCPU")
            send("SIGHUP")
            saved.append("final.png")
    assert saved == ["final.png"]


def test_one_that_a_library_swallowed_stops_at_the_next_pass():
    with pytest.raises(KeyboardInterrupt), stoppable():
        with suppress(KeyboardInterrupt):
            send("SIGINT")
        signals.check()


def test_one_that_a_library_turned_into_another_error_is_turned_back():
    with pytest.raises(KeyboardInterrupt), stoppable():
        try:
            send("SIGTERM")
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None
    with pytest.raises(DreamError), stoppable():  # without a signal, an error is itself
        raise DreamError("a mistake")


def test_a_disk_that_is_full_while_the_command_stops_is_said():
    with pytest.raises(OutputError), stoppable():
        try:
            send("SIGTERM")
        except KeyboardInterrupt:
            raise OutputError("final.png: the disk is full") from None


def test_an_ignored_one_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with stoppable():
        send("SIGHUP")
        signals.check()


SLOW_END = """
import time
from dreamscripts.scripts.signals import stoppable
with stoppable():
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("ending", flush=True)
        time.sleep(60)
"""


def test_a_second_ctrl_c_ends_the_process_at_once():
    process = subprocess.Popen([sys.executable, "-c", SLOW_END], stdout=subprocess.PIPE, text=True)
    for line in ("started", "ending"):
        assert process.stdout.readline() == f"{line}\n"
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    process.stdout.close()


def test_after_the_command_no_stop_is_requested():
    with pytest.raises(KeyboardInterrupt), stoppable():
        send("SIGINT")
    signals.check()
