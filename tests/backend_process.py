"""A process for one Keras backend, which runs programs for the tests.

A program is a function of a test module. Its arguments and its result are pickled. The process runs this module as a
script.
"""

import importlib.util
import inspect
import json
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# A possible configuration of Keras by the user. No program may depend on it.
CONFIGURATION = {"image_data_format": "channels_first", "floatx": "float16", "backend": "tensorflow"}


class BackendProcess:
    """A process in which Keras runs on `backend`, with its files in the folder `home`."""

    def __init__(self, backend: str, home: Path):
        (home / "keras.json").write_text(json.dumps(CONFIGURATION))
        self._stderr = (home / "stderr").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=home,
            env=os.environ | {"KERAS_BACKEND": backend, "KERAS_HOME": str(home)},
        )

    def run(self, program: Callable, *arguments: Any, silent: bool = False) -> Any:
        """Run `program` in the process and return its result. Fails if it raises, or if it prints with `silent`."""
        pickle.dump((inspect.getfile(program), program.__name__, arguments), self._process.stdin)
        self._process.stdin.flush()
        try:
            answer, error = pickle.load(self._process.stdout)
        except EOFError:
            answer, error = None, f"the process ended with code {self._process.wait()}"
        self._stderr.seek(0)
        printed = self._stderr.read().decode()
        self._stderr.seek(0)
        self._stderr.truncate()
        assert not error, f"{error}\n{printed}"
        assert not silent or not printed, printed
        return answer

    def end(self) -> None:
        """End the process, which has nothing to save."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()


@cache
def _load(path: str) -> ModuleType:
    """Import the module in a file, with the name of the file."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _serve() -> None:
    """Write the results to standard output. Redirect all other output to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from dreamscripts.backends import startup

    startup.start_keras()
    while True:
        try:
            path, name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = getattr(_load(path), name)(*arguments), ""
        except Exception:
            answer = None, traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    _serve()
