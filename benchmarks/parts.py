"""The parts of the benchmark on a GPU. Run by gpu.py: parts.py PART SIZE QUICK. Each number is a line of JSON.

VGG16 has random weights, so nothing is downloaded. The picture is smoothed noise. All times are medians, and programs
wait for the device before a time is taken.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from dreamscripts.benchmarks.program import OnDevice, Passes
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter

PRECISIONS = ("mixed_bfloat16", "tf32", "float32")
REPEATS = 5
ITERATIONS, PASSES = 15, 7
LARGE = (4000, 6000)


@dataclass(frozen=True)
class Setup:
    """The side of the square picture, and whether everything is small."""

    side: int
    quick: bool

    def settings(self, **changes: Any) -> Settings:
        """Return `bad_trip` with random weights, and the changes."""
        network = "pocket" if self.quick else "vgg16"
        return Settings.load("bad_trip", network=network, weights="random", size=self.side, **changes)

    @property
    def precisions(self) -> tuple[str, ...]:
        return PRECISIONS[-1:] if self.quick else PRECISIONS

    @property
    def iterations(self) -> int:
        return 2 if self.quick else ITERATIONS

    @property
    def picture(self) -> np.ndarray:
        """Return a photograph's stand-in: smooth noise, (side, side, 3), 0 to 255."""
        from dreamscripts.images.resizing import bilinear

        coarse = np.random.default_rng(0).uniform(0, 255, (16, 16, 3)).astype(np.float32)
        return bilinear(coarse, (self.side, self.side))


def emit(what: str, value: float | str, unit: str = "", **more: str) -> None:
    """Print a number for gpu.py."""
    print(json.dumps({"what": what, "value": value, "unit": unit, **more}), flush=True)


def emit_about(settings: Settings) -> None:
    """Print the device, the versions and the settings."""
    import keras

    from dreamscripts.backends import host

    versions = ", ".join(f"{name} {number}" for name, number in host.versions().items())
    about = f"{settings.network} with random weights, `bad_trip`, {settings.size}×{settings.size} pixels."
    for what, value in (("device", host.device()), (keras.backend.backend(), versions), ("settings", about)):
        emit(what, value, part="about")


def opened(settings: Settings, height: int, width: int) -> Any:
    """Return the evaluator for the settings."""
    from dreamscripts.dreams.prepare import build_evaluator, open_network

    return build_evaluator(open_network(settings), settings, height, width)


def timed(evaluator: Any, settings: Settings, on_device: OnDevice) -> Iterator[dict[str, Any]]:
    """Yield the times of passes: from NumPy to NumPy, and on the device."""
    limits = [limit.tolist() for limit in evaluator.preprocessing.limits]
    passes = Passes(
        {"side": settings.side, "limits": limits}, lambda x: (evaluator.loss(x), evaluator.gradient(x)), on_device
    )
    passes.time_pass()  # compiles
    return (passes.time_pass() for _ in range(REPEATS))


def milliseconds(replies: Iterator[dict[str, Any]], key: str = "on_device") -> float:
    """Return the median of the times of passes."""
    return 1000 * median(reply[key] for reply in replies)


def without_jitter(settings: Settings) -> Settings:
    """Return the settings without random transforms, as a single pass has none."""
    return settings.model_copy(update={"jitter": Jitter()})


def passes(setup: Setup) -> None:
    """Time a pass in every precision: alone on the device, by the evaluator of tensors, and from NumPy to NumPy."""
    from dreamscripts.backends.startup import start_keras

    start_keras()
    from dreamscripts.benchmarks.ours import pass_on_device

    emit_about(setup.settings())
    for precision in setup.precisions:
        settings = without_jitter(setup.settings(precision=precision))
        evaluator = opened(settings, setup.side, setup.side)
        alone = pass_on_device(evaluator)
        replies = list(timed(evaluator, settings, alone))
        emit("a pass on the device", milliseconds(replies), "ms", precision=precision)
        emit("from NumPy to NumPy", milliseconds(replies, "seconds"), "ms", precision=precision)
        tensors = OnDevice(alone.put, evaluator.gradient, alone.wait)
        emit("from tensor to tensor", milliseconds(timed(evaluator, settings, tensors)), "ms", precision=precision)


def loops(setup: Setup) -> None:
    """Time whole dreams with L-BFGS and gradient ascent on the device, and what of it is not spent in passes."""
    from dreamscripts.backends.startup import start_keras

    start_keras()
    from dreamscripts.benchmarks.ours import pass_on_device

    counts = {"optimizer.iterations": setup.iterations, "optimizer.passes": PASSES}
    optimizers = {"L-BFGS with max_change": {}, "gradient ascent": {"optimizer.name": "gradient_ascent"}}
    for precision in setup.precisions[:2]:
        for name, changes in optimizers.items():
            settings = setup.settings(precision=precision, **counts, **changes)
            evaluator = opened(settings, setup.side, setup.side)
            alone = milliseconds(timed(evaluator, settings, pass_on_device(evaluator)))
            what = f"{setup.iterations}×{PASSES} passes of {name}"
            for again in ("first time", "again"):
                seconds, within = _dream(setup, settings, evaluator)
                emit(f"{what}, {again}", seconds, "s", precision=precision)
            emit(f"a pass within {name}", within, "ms", precision=precision)
            share = 100 * (1 - alone / within)
            emit(f"{name}: share of an iteration outside of passes", share, "%", precision=precision)


def _dream(setup: Setup, settings: Settings, evaluator: Any) -> tuple[float, float]:
    """Dream once. Returns the seconds, and the milliseconds of an iteration for each of its passes."""
    from dreamscripts.dreams.dream import dream

    started = time.perf_counter()
    ends, counts = [], []
    for iterate in dream(setup.picture, settings, evaluator=evaluator):
        ends.append(time.perf_counter())
        counts.append(iterate.passes)
    assert iterate.picture is not None  # on the host
    within = 1000 * median(np.diff(ends) / np.diff(counts))
    return time.perf_counter() - started, float(within)


def large(setup: Setup) -> None:
    """Time one pass over 24 megapixels in exact tiles, and compare it with its pixels' share of a small pass.

    The large picture stays on the device, as those of the optimizers do.
    """
    from dreamscripts.backends.startup import start_keras

    start_keras()
    from keras import ops

    from dreamscripts.benchmarks.ours import pass_on_device

    height, width = (3 * setup.side, 4 * setup.side) if setup.quick else LARGE
    tiles = {"kind": "exact", "size": 2 * setup.side} if setup.quick else {"kind": "exact"}
    for precision in setup.precisions[:2]:
        settings = without_jitter(setup.settings(precision=precision, tiles=tiles))
        one = opened(settings, setup.side, setup.side)
        alone = milliseconds(timed(one, settings, pass_on_device(one))) / 1000
        evaluator = opened(settings, height, width)
        x = ops.convert_to_tensor(np.random.default_rng(0).uniform(-100, 100, (height, width, 3)), "float32")
        seconds = []
        for _ in range(2):  # the first compiles
            evaluator.reset()
            started = time.perf_counter()
            evaluator.loss(x)
            seconds.append(time.perf_counter() - started)
        share = alone * height * width / setup.side**2
        what = f"{height * width / 1e6:.3g} megapixels in exact tiles"
        emit(f"{what}, one pass", seconds[-1], "s", precision=precision)
        emit(f"{what} ÷ pixels' share of a pass", seconds[-1] / share, "", precision=precision)


def start_cold(setup: Setup, cache: str = "empty compile cache") -> None:
    """Time the start: imports, the network, and the first pass."""
    started, precision = time.perf_counter(), setup.precisions[0]

    def lap(what: str) -> None:
        nonlocal started
        emit(f"start, {cache}: {what}", time.perf_counter() - started, "s", precision=precision)
        started = time.perf_counter()

    from dreamscripts.backends.startup import start_keras

    start_keras()
    lap("import")
    settings = setup.settings(precision=precision)
    evaluator = opened(settings, setup.side, setup.side)
    lap("network")
    evaluator.loss(evaluator.preprocessing.normalise(setup.picture).astype(np.float32))
    lap("first pass")


def start_warm(setup: Setup) -> None:
    """Time the start again, with what the first start compiled."""
    start_cold(setup, "filled compile cache")


def rivals(setup: Setup) -> None:
    """Time plain PyTorch with the picture on the device: eager and compiled, in every precision."""
    from dreamscripts.benchmarks.plain_torch import open_plain_torch
    from dreamscripts.benchmarks.preparing import prepare

    with tempfile.NamedTemporaryFile(suffix=".npz") as weights:
        settings = without_jitter(setup.settings()).model_dump(mode="json")
        task = {"settings": settings, "weights": weights.name, "side": setup.side, "sides": [setup.side]}
        about, _ = prepare(task)
        ways = [("NHWC", True), ("NHWC", False), ("NCHW", False)]
        for layout, compiled in ways[1:] if setup.quick else ways:
            for precision in setup.precisions:
                how = {"channels_last": layout == "NHWC", "compile": compiled}
                _, requests = open_plain_torch(task | about | how | {"settings": settings | {"precision": precision}})
                requests["pass"]()  # compiles
                what = f"plain PyTorch, {layout}{', compiled' * compiled}: a pass on the device"
                emit(what, milliseconds(requests["pass"]() for _ in range(REPEATS)), "ms", precision=precision)
                del requests


PARTS: dict[str, Callable[[Setup], None]] = {
    part.__name__: part for part in (passes, loops, rivals, large, start_cold, start_warm)
}

if __name__ == "__main__":
    name, side, quick = sys.argv[1:]
    PARTS[name](Setup(int(side), bool(int(quick))))
