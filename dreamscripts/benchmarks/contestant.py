"""The contestant's side of a measuring process: answer line by line."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dreamscripts.errors import DreamError

# Sides of the matrices whose product is timed: the smallest fit into a cache, the largest keep all cores busy.
SIDES = {"CPU": (512, 1024, 2048), "GPU": (2048, 4096, 8192)}
REPEATS = 3

Task = Mapping[str, Any]
Evaluate = Callable[[np.ndarray], tuple[float, np.ndarray]]
Product = Callable[[int], Callable[[], object]]
Questions = dict[str, Callable[..., dict[str, Any]]]


def serve(open_contestant: Callable[[Task], tuple[dict[str, Any], Questions]]) -> None:
    """Open the contestant of the task on stdin, say what it says of itself, then answer until nobody asks.

    `open_contestant(task)` gives what to say, and the functions that answer questions, by name.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between the answers

    def answer(what: Mapping[str, Any]) -> None:
        print(json.dumps(what), file=answers, flush=True)

    try:
        about, questions = open_contestant(json.loads(sys.stdin.readline()))
        answer(about)
        for line in sys.stdin:
            question, *arguments = json.loads(line)
            answer(questions[question](*arguments))
    except DreamError as mistake:
        answer({"mistake": str(mistake)})


def noise(task: Task, number: int = 0) -> np.ndarray:
    """One of the task's square pictures as the network sees it: float32 (H, W, 3), the same in every process."""
    low, high = (np.array(limit, np.float32) for limit in task["limits"])
    x = np.random.default_rng(number).random((task["side"], task["side"], 3), np.float32)
    x *= high - low
    x += low
    return x


class Passes:
    """Passes of one way to evaluate a picture, as a contestant answers for them."""

    def __init__(self, task: Task, evaluate: Evaluate):
        self.evaluate = evaluate
        self._task = task
        self.mib_before = resident_mib()
        self.x = noise(task)
        started = time.perf_counter()
        evaluate(self.x)
        self.seconds_of_first = time.perf_counter() - started

    def compare(self, number: int, path: str) -> dict[str, Any]:
        """The loss of that picture of the task; its gradient goes into a file."""
        loss, gradient = self.evaluate(noise(self._task, number))
        np.save(path, gradient)
        return {"loss": loss}

    def time_pass(self) -> dict[str, Any]:
        """Seconds of one more pass, from NumPy to NumPy, and the most memory that the process has had so far."""
        self.x = np.roll(self.x, 1, axis=0)  # another picture, as ours knows the last one
        started = time.perf_counter()
        self.evaluate(self.x)
        return {"seconds": time.perf_counter() - started, "peak_mib": peak_mib()}


def timed_product(device: str, product: Product) -> Callable[[int], dict[str, Any]]:
    """The answer to `multiply`: the best rate of a few products of square float32 matrices, another size each round.

    `product(side)` makes two matrices and gives a function that multiplies them and waits until that is done.
    """

    def multiply(round_: int) -> dict[str, Any]:
        side = SIDES[device[:3]][round_ % 3]
        multiplied = product(side)
        multiplied()
        best = float("inf")
        for _ in range(REPEATS):
            started = time.perf_counter()
            multiplied()
            best = min(best, time.perf_counter() - started)
        return {"side": side, "gflops": 2 * side**3 / best / 1e9}

    return multiply


def random_matrices(side: int) -> np.ndarray:
    """Two of them: float32 (2, side, side)."""
    return np.random.default_rng(0).random((2, side, side), np.float32)


def peak_mib() -> float:
    """The most memory that was ever resident in this process, in MiB."""
    # A process inherits `ru_maxrss` from the one that started it, where Linux has its own count.
    return _status_mib("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )


def resident_mib() -> float:
    """The memory that is resident in this process now, in MiB; its peak so far where the system does not say."""
    return _status_mib("VmRSS") or peak_mib()


def _status_mib(key: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None  # not Linux
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{key}:")), None)
