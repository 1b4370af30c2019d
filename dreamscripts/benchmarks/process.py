"""The parent's side of a measuring process: start it, ask it, end it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Self

from dreamscripts.errors import DreamError

# Several processes share a GPU, which TensorFlow and JAX would take for themselves to the last byte.
SHARING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


class MeasuringError(DreamError):
    """A measuring process that could not do its part."""


class Worker:
    """A process that runs a module of this package on a task and answers one question after another.

    Task, questions and answers are lines of JSON. `environment` is added to this process's own; what is None there is
    taken away. A context manager, which ends the process however it is left. Asked, it raises MeasuringError where the
    process died, with its last words, or found a mistake, with what to do.
    """

    def __init__(
        self, name: str, module: str, task: Mapping[str, Any], environment: Mapping[str, str | None] | None = None
    ):
        self.name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__; read where the process died
        asked = {**SHARING, **os.environ, **(environment or {})}
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"dreamscripts.benchmarks.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env={key: value for key, value in asked.items() if value is not None},
            start_new_session=True,  # Ctrl-C is for the parent, which then ends all of them
        )
        self._task = task

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()  # it has nothing to save
        self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def begin(self) -> dict[str, Any]:
        """Hand over the task; what the process says of itself once it is ready."""
        return self._say(self._task)

    def ask(self, question: str, *arguments: Any) -> dict[str, Any]:
        """The answer to a question."""
        return self._say([question, *arguments])

    def _say(self, what: Any) -> dict[str, Any]:
        try:
            self._process.stdin.write(f"{json.dumps(what)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died, and the line below finds no answer
        line = self._process.stdout.readline()
        if not line:
            raise MeasuringError(f"the process of {self.name} {self._end()}")
        answer = json.loads(line)
        if "mistake" in answer:
            raise MeasuringError(answer["mistake"])
        return answer

    def _end(self) -> str:
        code = self._process.wait()
        self._stderr.seek(0)
        words = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = f"; its last words: {words[-1].strip()[:300]}" if words else ""
        if code < 0:
            memory = ", as the system does where memory runs out" if code == -9 else ""
            return f"was ended by signal {-code}{memory}{last}"
        return f"died with exit code {code}{last}"
