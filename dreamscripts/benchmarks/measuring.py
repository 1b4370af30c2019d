"""measure(settings, passes, sizes) -> Scoreboard: run the benchmark in the parent process of all programs."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from dreamscripts.backends.startup import ONEDNN, keep_onednn
from dreamscripts.benchmarks.other_programs import OTHERS, Program, excluded_programs
from dreamscripts.benchmarks.process import MeasuringError, Worker
from dreamscripts.benchmarks.scoreboard import Iteration, Product, Result, Scoreboard, Size
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter

OURS = "dreamscripts"
MATRICES = "NumPy"
PLAIN_WAY, NO_ONEDNN_WAY, XLA_WAY = "without changes", "without oneDNN", "with XLA"

# The largest relative differences of loss and gradient, by precision. If two values in a max pooling, or a value and 0
# in a ReLU, are almost equal, rounding decides which position gets the gradient. The gradient of VGG16 in float32
# therefore differs by 1e-3 from that in float64 with any program. If a program computes another loss, its differences
# are larger than the tolerances for every picture.
TOLERANCES = {"float32": (1e-5, 1e-2), "tf32": (1e-3, 1e-1), "mixed_bfloat16": (1e-2, 0.5)}
PICTURES = 3
PAUSE = 0.05  # seconds before each pass, so that the idle threads of the previous program stop spinning
PASSES_OF_A_SIZE = 3
PASSES_OF_A_WAY = 3
CLEARLY = 0.95  # another way must take less than this share of the time; a smaller gain may be chance
SMALLEST_TRIAL = 256  # pixels per side; the fastest way at this size is also the fastest for larger pictures

OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Measured:
    """The results at the settings' size, and the description of each program, by name."""

    about: dict[str, dict[str, Any]]
    results: list[Result]
    excluded: dict[str, str]
    products: list[Product]
    iteration: Iteration


def measure(
    settings: Settings,
    passes: int,
    sizes: Sequence[int] = (),
    *,
    command: str = "",
    on_step: OnStep = lambda stage, done, total: None,
) -> Scoreboard:
    """Time `passes` alternating passes of each program at the settings' size, then dreamscripts at each of `sizes`.

    Pictures are square noise. Jitter is switched off, because the other programs do not have it. `on_step(stage,
    done, total)` reports the progress. Raises DreamError if the settings cannot be measured, or if a process dies.
    """
    settings = settings.model_copy(update={"jitter": Jitter()})
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    with tempfile.TemporaryDirectory() as folder:
        on_step("preparing the weights", 0, 1)
        task: dict[str, Any] = {"settings": settings.model_dump(mode="json"), "weights": f"{folder}/weights.npz"}
        with Worker("the weights", "preparing", task | {"sides": [settings.side, *sizes]}) as preparing:
            prepared = preparing.start()
        settings = settings.model_copy(update={"precision": prepared["precision"]})
        task["settings"] = settings.model_dump(mode="json")
        task |= {"side": settings.side, "limits": prepared["limits"], "chain": prepared["chain"]}
        fastest, ways = _try_ways(task, on_step) if settings.side >= SMALLEST_TRIAL else ({}, {})
        task |= fastest
        measured = _measure_programs(
            task, excluded_programs(settings, prepared), passes, bool(ways), Path(folder), on_step
        )
        if NO_ONEDNN_WAY in ways:
            keep_onednn(fastest["onednn"])
    on_step("starting up", 0, 1)
    return Scoreboard(
        settings=settings,
        about={"command": command, "started": started, **_conditions(measured.about), "ways": ways},
        import_seconds=_seconds_of("-c", "import dreamscripts"),
        help_seconds=_seconds_of("-m", "dreamscripts", "--help"),
        multiplications=prepared["multiplications"],
        results=measured.results,
        excluded=measured.excluded,
        products=measured.products,
        iteration=measured.iteration,
        sizes=[_measure_size(task | {"side": side}, i, len(sizes), on_step) for i, side in enumerate(sizes)],
    )


def _measure_programs(
    task: Mapping[str, Any], excluded: Mapping[str, str], passes: int, keep: bool, folder: Path, on_step: OnStep
) -> _Measured:
    """Start the programs, compare their results, and time alternating passes and one iteration of dreamscripts.

    With `keep`, later runs on this machine use the choices of the task.
    """
    programs = {OURS: Program("ours"), **{name: one for name, one in OTHERS.items() if name not in excluded}}
    excluded = dict(excluded)
    workers: dict[str, Worker] = {}
    about: dict[str, dict[str, Any]] = {}
    with ExitStack() as processes:

        def start(name: str, program: Program) -> Worker:
            worker = processes.enter_context(Worker(name, program.module, {**task, **program.how}, program.environment))
            about[name] = worker.start()
            return worker

        for number, (name, program) in enumerate(programs.items()):
            on_step(f"starting {name}", number, len(programs))
            try:
                workers[name] = start(name, program)
            except MeasuringError as error:
                if name == OURS:
                    raise
                excluded[name] = str(error)
        on_step("comparing losses and gradients", 0, 1)
        tolerances = TOLERANCES[task["settings"]["precision"]]
        errors = _errors(workers, folder, tolerances)
        for name in [name for name in workers if not _agree(errors[name], tolerances)]:
            loss, gradient = errors[name]
            excluded[name] = f"its loss differs by {loss:.0e} and its gradient by {gradient:.0e}"
            del workers[name]

        multipliers = {name: worker for name, worker in workers.items() if name != OURS}
        multipliers[MATRICES] = start(MATRICES, Program("matrices"))
        device = about[OURS]["device"][:3]
        multipliers = {name: worker for name, worker in multipliers.items() if about[name]["device"][:3] == device}
        replies, products = _alternate(workers, multipliers, passes, on_step)
        on_step("one iteration of the optimizer", 0, 1)
        iteration = Iteration(**workers[OURS].request("iterate"))
        if keep:
            workers[OURS].request("keep")
    return _Measured(
        about={name: about[name] for name in workers},
        results=[_result(name, replies, errors[name], about[name]) for name in workers],
        excluded=excluded,
        products=products,
        iteration=iteration,
    )


def _conditions(about: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the machine, the versions of all programs, and the choices and tiles of dreamscripts."""
    ours = about[OURS]
    return {
        "device": ours["device"],
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ours["versions"] | {key: v for program in about.values() for key, v in program["versions"].items()},
        "choices": ours["choices"],
        "tiles": ours["tiles"],
    }


def _try_ways(task: Mapping[str, Any], on_step: OnStep) -> tuple[dict[str, Any], dict[str, float]]:
    """Find the fastest way to compute on this machine. Returns it as entries of a task, and {way: seconds per pass}.

    If the user has set TF_ENABLE_ONEDNN_OPTS, its value is kept, and the way without oneDNN is not tried.
    """
    with ExitStack() as processes:
        ways: dict[str, dict[str, Any]] = {}
        workers: dict[str, Worker] = {}

        def start(name: str, how: Mapping[str, Any]) -> dict[str, Any]:
            on_step(f"trying dreamscripts {name}", len(ways), 3)
            workers[name] = processes.enter_context(Worker(f"{OURS} {name}", "ours", {**task, **how}))
            about = workers[name].start()
            ways[name] = {"choices": about["choices"], "onednn": how["onednn"]}
            return about

        about = start(PLAIN_WAY, {"onednn": True, "try": True})
        choices = about["choices"]
        if about["xla_is_open"]:  # TensorFlow on a CPU
            if ONEDNN not in os.environ:
                start(NO_ONEDNN_WAY, {"onednn": False, "choices": choices})
            start(XLA_WAY, {"onednn": True, "choices": choices | {"xla": True}})
        replies, _ = _alternate(workers, {}, PASSES_OF_A_WAY, lambda *step: None)
    seconds = {name: median(reply["on_device"] for reply in replies[name]) for name in ways}
    fastest = min(seconds, key=seconds.__getitem__)
    if seconds[fastest] > CLEARLY * seconds[PLAIN_WAY]:
        fastest = PLAIN_WAY
    return ways[fastest], seconds


def _errors(
    workers: Mapping[str, Worker], folder: Path, tolerances: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """Return the relative differences between the loss and gradient of each program and those of dreamscripts.

    For each program, one picture after another is compared, at most PICTURES, until both differences are within the
    tolerances. The result is the pair of differences whose larger number is the smallest.
    """
    path = folder / "gradient.npy"

    def evaluate(name: str, number: int) -> tuple[float, np.ndarray]:
        return workers[name].request("compare", number, str(path))["loss"], np.load(path)

    errors = dict.fromkeys(workers, (np.inf, np.inf)) | {OURS: (0.0, 0.0)}
    for number in range(PICTURES):
        if not (differing := [name for name in workers if not _agree(errors[name], tolerances)]):
            break
        loss, gradient = evaluate(OURS, number)
        for name in differing:
            other_loss, other = evaluate(name, number)
            difference = float(np.linalg.norm(other - gradient) / np.linalg.norm(gradient))
            errors[name] = min(errors[name], (abs(other_loss / loss - 1), difference), key=max)
    return errors


def _agree(errors: tuple[float, float], tolerances: tuple[float, float]) -> bool:
    return all(error <= most for error, most in zip(errors, tolerances, strict=True))  # NaN never agrees


def _alternate(
    workers: Mapping[str, Worker], multipliers: Mapping[str, Worker], passes: int, on_step: OnStep
) -> tuple[dict[str, list[dict]], list[Product]]:
    """In each round, time a pass of each worker, then a product of each multiplier. Returns the replies and products.

    The order of the passes changes direction after each round. An extra first round is not counted, because the second
    pass of some frameworks is still slow.
    """
    for worker in workers.values():
        worker.request("pass")
    replies: dict[str, list[dict]] = {name: [] for name in workers}
    products = []
    for round_ in range(passes):
        on_step("alternating passes", round_, passes)
        for name in list(workers)[:: -1 if round_ % 2 else 1]:
            time.sleep(PAUSE)
            replies[name].append(workers[name].request("pass"))
        for name, worker in multipliers.items():
            time.sleep(PAUSE)
            products.append(Product(name, **worker.request("multiply", round_)))
    return replies, products


def _result(
    name: str, replies: Mapping[str, list[dict]], errors: tuple[float, float], about: Mapping[str, Any]
) -> Result:
    on_device = {program: [reply["on_device"] for reply in replies[program]] for program in (name, OURS)}
    return Result(
        name=name,
        on_device=on_device[name],
        seconds=[reply["seconds"] for reply in replies[name]],
        ratios=[ours / other for ours, other in zip(on_device[OURS], on_device[name], strict=True)],
        loss_error=errors[0],
        gradient_error=errors[1],
        peak_mib=replies[name][0]["peak_mib"],  # before the matrices need memory
        start_up=about["start_up"],
        first_pass=about["first_pass"],
    )


def _measure_size(task: Mapping[str, Any], number: int, sizes: int, on_step: OnStep) -> Size:
    side = task["side"]
    on_step(f"{side}×{side}", number, sizes)
    with Worker(f"{side}×{side}", "ours", task) as worker:
        try:
            about = worker.start()
            worker.request("pass")  # not counted, see _alternate
            replies = [worker.request("pass") for _ in range(PASSES_OF_A_SIZE)]
        except MeasuringError as error:  # for example if memory ran out; the report still shows the other results
            return Size(side, [], died=str(error))
    return Size(
        side,
        [reply["seconds"] for reply in replies],
        replies[-1]["peak_mib"],
        about["mib_before"],
        about["tiles"],
    )


def _seconds_of(*arguments: str) -> float:
    """Return the median time of five runs of Python."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return median(seconds)
