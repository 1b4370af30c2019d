"""The command `dreamscripts studio` as a process: started, asked for its memory, killed, started again."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psutil

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/#token=\S+")
STARTS = 60.0
"""Seconds until the address must be printed, on a busy machine."""


class StudioProcess:
    """A studio in `folder`, on the same port whenever it is started. Its output goes into the file `printed`."""

    def __init__(self, folder: Path, printed: Path, *arguments: str):
        self.folder, self.printed, self.arguments = folder, printed, arguments
        self.port = free_port()
        self.address = ""
        self.running = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.running:
            self.stop()

    @property
    def origin(self) -> str:
        """The address without path and token."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the command and wait until it has printed its address."""
        with self.printed.open("ab") as output:
            begin = output.tell()
            command = ["studio", self.folder, "--port", self.port, "--no-browser", *self.arguments]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dreamscripts", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        self.running = True
        end = time.monotonic() + STARTS
        while not (found := ADDRESS.search(self.output()[begin:])):
            assert self.process.poll() is None, f"the studio ended: {self.output()[begin:]}"
            assert time.monotonic() < end, f"no address after {STARTS:.0f} s: {self.output()[begin:]}"
            time.sleep(0.02)
        self.address = found[0]
        assert self.address.startswith(self.origin), f"not on port {self.port}: {self.address}"

    def output(self) -> str:
        """Return all that the studio has printed, at all its starts."""
        return self.printed.read_text(errors="replace")

    def memory(self) -> int:
        """Return the resident bytes of the server, without its workers."""
        return psutil.Process(self.process.pid).memory_info().rss

    def workers(self) -> list[psutil.Process]:
        """Return the processes that dream, with the most used memory first."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        spawned = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return sorted(spawned, key=lambda child: -child.memory_info().rss)

    def kill(self) -> None:
        """Kill the server at once. Its workers end on their own."""
        self.running = False
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop the studio as Ctrl-C does, and kill what is left. Fail if it has ended before."""
        self.running = False
        code = self.process.poll()
        assert code is None, f"the studio ended by itself with {code}: {self.output()}"
        family = [psutil.Process(self.process.pid), *self.workers()]
        self.process.send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(family, timeout=15)
        for process in left:
            process.kill()
        self.process.wait()
        assert not left, f"these processes did not end after Ctrl-C: {left}"


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def kill(process: psutil.Process) -> None:
    """Kill a process at once, as the system does when memory runs out."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
