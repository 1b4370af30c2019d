"""Run a measured program: reply to requests line by line, and time passes and products."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamscripts.errors import DreamError

# Sides of the matrices whose product is timed: the smallest fit into a cache, the largest keep all cores busy.
SIDES = {"CPU": (512, 1024, 2048), "GPU": (2048, 4096, 8192)}
REPEATS = 3
IN_A_ROW = 0.3  # seconds of passes on the device before the program waits for them

Task = Mapping[str, Any]
Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]
Product = Callable[[int], Callable[[], object]]
Requests = dict[str, Callable[..., dict[str, Any]]]


def serve(open_program: Callable[[Task], tuple[dict[str, Any], Requests]]) -> None:
    """Open the program for the task on stdin, then reply to one request after another until stdin ends.

    `open_program(task)` returns the first reply, which describes the program, and the functions for the requests, by
    name. A DreamError becomes a reply with the key "mistake".
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries must not mix with the replies

    def reply(content: Mapping[str, Any]) -> None:
        print(json.dumps(content), file=replies, flush=True)

    try:
        about, requests = open_program(json.loads(sys.stdin.readline()))
        reply(about)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            reply(requests[name](*arguments))
    except DreamError as mistake:
        reply({"mistake": str(mistake)})


def noise(task: Task, number: int = 0) -> np.ndarray:
    """Return a preprocessed picture of noise for the task: float32 (side, side, 3), the same in every process."""
    low, high = (np.array(limit, np.float32) for limit in task["limits"])
    x = np.random.default_rng(number).random((task["side"], task["side"], 3), np.float32)
    x *= high - low
    x += low
    return x


@dataclass(frozen=True)
class OnDevice:
    """Passes of a program over pictures that are on its device.

    `put(x)` copies an array (H, W, 3) to the device. `start(picture)` starts a pass and returns its gradient, which
    stays on the device and may not be computed yet. `wait(gradient)` waits until it is.
    """

    put: Callable[[np.ndarray], Any]
    start: Callable[[Any], Any]
    wait: Callable[[Any], object]


class Passes:
    """Passes of a program, with the functions for requests about them.

    `evaluate` returns the loss of a picture (H, W, 3) and its gradient, an array of the same shape. `on_device`
    computes the same without copying the picture and the gradient.
    """

    def __init__(self, task: Task, evaluate: Evaluate, on_device: OnDevice):
        self.evaluate = evaluate
        self._on_device = on_device
        self._in_a_row = 1
        self._pictures: list[Any] = []
        self._task = task
        self.mib_before = resident_mib()
        self.x = noise(task)
        started = time.perf_counter()
        evaluate(self.x)
        self.seconds_of_first = time.perf_counter() - started

    def compare(self, number: int, path: str) -> dict[str, Any]:
        """Return the loss of the task's picture `number`, and save its gradient with numpy.save to `path`."""
        loss, gradient = self.evaluate(noise(self._task, number))
        np.save(path, gradient)
        return {"loss": loss}

    def time_pass(self) -> dict[str, Any]:
        """Time one more pass from NumPy to NumPy, and then passes on the device.

        Returns `seconds` of the first, `on_device` (seconds per pass of the others), and the peak memory so far.
        """
        self.x = np.roll(self.x, 1, axis=0)  # a different picture, because the evaluator caches the last result
        started = time.perf_counter()
        self.evaluate(self.x)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "on_device": self._time_on_device(), "peak_mib": peak_mib()}

    def _time_on_device(self) -> float:
        """Time passes in a row, with one wait at the end. Returns the seconds per pass."""
        if not self._pictures:  # two, because the evaluator caches the last result
            self._pictures = [self._on_device.put(noise(self._task, number)) for number in (0, 1)]
            self._run_on_device()  # compiles
            seconds = self._run_on_device()
            self._in_a_row = min(max(math.ceil(IN_A_ROW / seconds), 1), 100)
        return self._run_on_device() / self._in_a_row

    def _run_on_device(self) -> float:
        started = time.perf_counter()
        for _ in range(self._in_a_row):
            self._pictures.reverse()
            gradient = self._on_device.start(self._pictures[0])
        self._on_device.wait(gradient)
        return time.perf_counter() - started


def timed_product(device: str, product: Product) -> Callable[[int], dict[str, Any]]:
    """Return the function for the request `multiply`: the best speed of REPEATS products of square matrices.

    `product(side)` makes two matrices and returns a function that multiplies them and waits for the result. Each round
    has another size.
    """

    def multiply(round_: int) -> dict[str, Any]:
        side = SIDES[device[:3]][round_ % 3]
        run = product(side)
        run()
        best = float("inf")
        for _ in range(REPEATS):
            started = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - started)
        return {"side": side, "gflops": 2 * side**3 / best / 1e9}

    return multiply


def random_matrices(side: int) -> np.ndarray:
    """Return two random matrices: float32 (2, side, side)."""
    return np.random.default_rng(0).random((2, side, side), np.float32)


def peak_mib() -> float:
    """Return the maximum resident memory of this process so far, in MiB."""
    # On Linux a process inherits `ru_maxrss` from its parent, so VmHWM is preferred.
    if peak := _status_mib("VmHWM"):
        return peak
    if sys.platform == "win32":
        from psutil import Process

        return Process().memory_info().peak_wset / 2**20
    from resource import RUSAGE_SELF, getrusage  # not on Windows

    return getrusage(RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def resident_mib() -> float:
    """Return the resident memory of this process in MiB, or its maximum so far if the current value is unknown."""
    return _status_mib("VmRSS") or peak_mib()


def _status_mib(key: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None  # not Linux
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{key}:")), None)
