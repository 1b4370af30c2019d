"""Start a measuring process, send requests to it, and end it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Self

from dreamscripts.backends.startup import SHARING
from dreamscripts.errors import DreamError


class MeasuringError(DreamError):
    """A measuring process that died or reported an error."""


class Worker:
    """A process that runs a module of this package on a task and replies to one request after another.

    Task, requests and replies are lines of JSON. `environment` is added to the environment of this process. A variable
    with the value None is removed. A Worker is a context manager that always ends its process. `start` and `request`
    raise MeasuringError if the process reports a user error or died. If it died, the message has the last line that it
    printed.
    """

    def __init__(
        self, name: str, module: str, task: Mapping[str, Any], environment: Mapping[str, str | None] | None = None
    ):
        self.name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__; read if the process died
        variables = {**SHARING, **os.environ, **(environment or {})}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"dreamscripts.benchmarks.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env={key: value for key, value in variables.items() if value is not None},
            start_new_session=True,  # Ctrl-C goes to the parent, which then ends all processes
        )
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._task = task

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()  # it has nothing to save
        self._process.wait()
        self._replies.close()
        self._stderr.close()

    def start(self) -> dict[str, Any]:
        """Send the task, and wait until the program is ready. Returns the description of the program."""
        return self._send(self._task)

    def request(self, name: str, *arguments: Any) -> dict[str, Any]:
        """Send a request and return the reply."""
        return self._send([name, *arguments])

    def _send(self, content: Any) -> dict[str, Any]:
        try:
            self._requests.write(f"{json.dumps(content)}\n")
            self._requests.flush()
        except BrokenPipeError:
            pass  # the process died; there is no reply below
        line = self._replies.readline()
        if not line:
            raise MeasuringError(f"the process of {self.name} {self._end()}")
        reply = json.loads(line)
        if "mistake" in reply:
            raise MeasuringError(reply["mistake"])
        return reply

    def _end(self) -> str:
        """Wait for the process to end and return how it ended, in words."""
        code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = f"; its last message: {lines[-1].strip()[:300]}" if lines else ""
        if code < 0:
            memory = ", probably because memory ran out" if code == -9 else ""
            return f"was ended by signal {-code}{memory}{last}"
        return f"died with exit code {code}{last}"
