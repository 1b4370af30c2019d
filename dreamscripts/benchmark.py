"""How long a pass takes, and what surrounds it: measured in processes of their own, one pass of each in turn.

Processes, because a backend reads its switches only once, when it is imported; in turn, because the speed of a
shared machine drifts, so that only ratios of interleaved passes mean much.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from dreamscripts.settings import Settings

OURS = "as a run does it"
# How the same pass runs in other hands: with TensorFlow's compiler left alone, and without oneDNN, which
# TensorFlow itself leaves off on AMD processors.
OTHERS = {
    "plain tf.function": {},
    "plain tf.function, no oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}


class Worker:
    """A process that makes one pass each time it is asked."""

    def __init__(self, settings: Settings, plain: bool, environment: dict[str, str]):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dreamscripts.benchmark", settings.model_dump_json(), json.dumps(plain)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        self.about = self._read()

    def time_pass(self) -> float:
        """Seconds of one more pass."""
        return self._ask("pass")["seconds"]

    def finish(self) -> dict[str, Any]:
        """An iteration of the optimizer, the peak of memory, and the end of the process."""
        last = self._ask("finish")
        self._process.wait()
        return last

    def _ask(self, what: str) -> dict[str, Any]:
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the measuring process died; its own words stand above")
        return json.loads(line)


def measure(settings: Settings, passes: int) -> Iterator[str]:
    """Yield the lines of a report on `settings` at their size, on a square picture, from `passes` passes of each."""
    imported = median(_seconds_of("-c", "import dreamscripts") for _ in range(5))
    helped = median(_seconds_of("-m", "dreamscripts", "--help") for _ in range(5))
    workers = {OURS: Worker(settings, False, {})}
    about = workers[OURS].about
    if about["versions"].get("tensorflow"):
        workers |= {name: Worker(settings, True, environment) for name, environment in OTHERS.items()}

    yield f"machine      {about['device']}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    yield "versions     " + ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    yield f"task         {settings.network} ({', '.join(settings.features)}), {settings.size}×{settings.size}"
    yield f"import       {imported:.2f} s for `import dreamscripts`, {helped:.2f} s for `dreamscripts --help`"
    yield f"start-up     {about['start_up']:.1f} s to the network, {about['first_pass']:.1f} s for the first pass"

    seconds = {name: [] for name in workers}
    for _ in range(passes):
        for name, worker in workers.items():
            seconds[name].append(worker.time_pass())
    ends = {name: worker.finish() for name, worker in workers.items()}

    compiled = "XLA" if about["xla"] else "the backend's own kernels"
    yield f"passes       {passes} of each, in turn; ours with {compiled}; median (least to most)"
    for name, times in seconds.items():
        ratio = median(ours / other for ours, other in zip(seconds[OURS], times, strict=True))
        yield (
            f"  {name:<30} {median(times):.3f} s ({min(times):.3f} to {max(times):.3f})  {1 / median(times):.2f} "
            f"passes/s  {ends[name]['peak_mib']:.0f} MiB peak" + ("" if name == OURS else f"  ours/this {ratio:.2f}")
        )
    end = ends[OURS]
    yield (
        f"iteration    {end['iteration']:.2f} s for {end['passes']} passes; outside of them (SciPy, Python) "
        f"{end['outside']:.3f} s, {100 * end['outside'] / end['iteration']:.1f} %"
    )


def _seconds_of(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _work(settings: Settings, plain: bool) -> None:
    """The worker's side: say what there is, then answer line by line."""
    started = time.perf_counter()
    import numpy as np

    from dreamscripts.waking import wake

    wake()
    from dreamscripts import backends
    from dreamscripts.dreaming import build_evaluator, open_network
    from dreamscripts.optimizers import OPTIMIZERS

    network = open_network(settings)
    side = settings.size
    evaluator = build_evaluator(network, settings, side, side, xla=not plain)
    start_up = time.perf_counter() - started
    rng = np.random.default_rng(0)

    def timed_pass() -> float:
        x = network.preprocessing.enter(rng.uniform(0, 255, (side, side, 3)))
        started = time.perf_counter()
        evaluator.loss(x)
        return time.perf_counter() - started

    first = timed_pass()
    about = {"device": backends.device(), "versions": backends.versions(), "xla": evaluator.xla}
    print(json.dumps(about | {"start_up": start_up, "first_pass": first}), flush=True)
    for line in sys.stdin:
        if line.strip() == "pass":
            print(json.dumps({"seconds": timed_pass()}), flush=True)
            continue
        inside, before = evaluator.seconds, evaluator.passes
        x = network.preprocessing.enter(rng.uniform(0, 255, (side, side, 3)))
        started = time.perf_counter()
        next(OPTIMIZERS[settings.optimizer.name](evaluator, x, settings.optimizer, network.preprocessing))
        iteration = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        end = {"iteration": iteration, "passes": evaluator.passes - before, "peak_mib": peak}
        print(json.dumps(end | {"outside": iteration - (evaluator.seconds - inside)}), flush=True)
        return


if __name__ == "__main__":
    _work(Settings.model_validate_json(sys.argv[1]), json.loads(sys.argv[2]))
