"""measure(settings, passes, sizes) -> Scoreboard: the parent, which asks everyone in turn."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from dreamscripts.backends.startup import ONEDNN, keep_onednn
from dreamscripts.benchmarks.process import MeasuringError, Worker
from dreamscripts.benchmarks.scoreboard import Iteration, Product, Result, Scoreboard, Size
from dreamscripts.settings.schema import Jitter, Settings

OURS = "dreamscripts"
TENSORFLOW, NO_ONEDNN, TORCH = "plain tf.function", "plain tf.function, no oneDNN", "PyTorch channels-last"
# How each rival runs. Whether it uses oneDNN, TensorFlow decides by the processor.
RIVALS = {
    TENSORFLOW: ("plain_tensorflow", {ONEDNN: None}),
    NO_ONEDNN: ("plain_tensorflow", {ONEDNN: "0"}),
    TORCH: ("plain_torch", {}),
}
MATRICES = "NumPy"
PLAIN_WAY, NO_ONEDNN_WAY, XLA_WAY = "as it is", "without oneDNN", "with XLA"

# Between our loss and a rival's, and between the gradients. Where two values under a pooling, or a value and 0 under a
# ReLU, are nearly equal, the last digit decides where the gradient of a whole receptive field goes: VGG16's in float32
# is 1e-3 from that in float64, however it is computed. What computes something else differs more, in every picture.
TOLERANCES = (1e-5, 1e-2)
PICTURES = 3
PAUSE = 0.05  # seconds before each turn, in which the threads of the one before, which wait awake, fall asleep
PASSES_OF_A_SIZE = 3
PASSES_OF_A_WAY = 3
CLEARLY = 0.95  # of the plain way's time: what gains less may lose next time
TELLING = 256  # pixels a side, from which on what is fastest is so for larger pictures, too

OnStep = Callable[[str, int, int], None]


def measure(
    settings: Settings,
    passes: int,
    sizes: Sequence[int] = (),
    *,
    command: str = "",
    on_step: OnStep = lambda what, done, total: None,
) -> Scoreboard:
    """Time `passes` passes of ours and of every rival in turn at the settings' size, then ours at each of `sizes`.

    Pictures are square noise; the jitter is left out, as no rival has it. `on_step(what, done, total)` is called
    along the way. Raises DreamError where the settings cannot be measured, or a contestant's process dies.
    """
    settings = settings.model_copy(update={"jitter": Jitter()})
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as processes:

        def begin(name: str, module: str, environment: Mapping[str, str | None]) -> tuple[Worker, dict]:
            worker = processes.enter_context(Worker(name, module, task, environment))
            return worker, worker.begin()

        on_step("preparing the weights", 0, 1)
        task = {"settings": settings.model_dump(mode="json"), "weights": f"{folder}/weights.npz"}
        with Worker("the weights", "preparing", task | {"sides": [settings.size, *sizes]}) as preparing:
            prepared = preparing.begin()
        left_out = _left_out(settings, prepared)
        contestants = {OURS: ("ours", {}), **{name: how for name, how in RIVALS.items() if name not in left_out}}
        task |= {"side": settings.size, "limits": prepared["limits"], "chain": prepared["chain"]}
        fastest, ways = _try_ways(task, on_step) if settings.size >= TELLING else ({}, {})
        task |= fastest
        workers, abouts = {}, {}
        for name, (module, environment) in contestants.items():
            on_step(f"starting {name}", len(workers), len(contestants))
            workers[name], abouts[name] = begin(name, module, environment)
        ours = abouts[OURS]

        on_step("comparing losses and gradients", 0, 1)
        errors = _errors(workers, Path(folder))
        for name, both in errors.items():
            if not _agree(both):
                left_out[name] = (
                    f"its loss differs from ours by {both[0]:.0e} and its gradient by {both[1]:.0e}: it computes "
                    "something else"
                )
                del workers[name]

        multipliers = {name: worker for name, worker in workers.items() if name != OURS}
        multipliers[MATRICES], abouts[MATRICES] = begin(MATRICES, "matrices", {})
        multipliers = {name: w for name, w in multipliers.items() if abouts[name]["device"][:3] == ours["device"][:3]}
        answers, products = _take_turns(workers, multipliers, passes, on_step)
        on_step("one iteration of the optimizer", 0, 1)
        iteration = Iteration(**workers[OURS].ask("iterate"))
        if ways:
            workers[OURS].ask("keep")
        if NO_ONEDNN_WAY in ways:
            keep_onednn(fastest["onednn"])
    on_step("starting up", 0, 1)
    about = {
        "command": command,
        "started": started,
        "device": ours["device"],
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ours["versions"] | {key: v for name in workers for key, v in abouts[name]["versions"].items()},
        "choices": ours["choices"],
        "ways": ways,
        "tiles": ours["tiles"],
    }
    return Scoreboard(
        settings=settings,
        about=about,
        import_seconds=_seconds_of("-c", "import dreamscripts"),
        help_seconds=_seconds_of("-m", "dreamscripts", "--help"),
        multiplications=prepared["multiplications"],
        results=[_result(name, answers, errors[name], abouts[name]) for name in workers],
        left_out=left_out,
        products=products,
        iteration=iteration,
        sizes=[_measure_size(task | {"side": side}, i, len(sizes), on_step) for i, side in enumerate(sizes)],
    )


def _try_ways(task: Mapping[str, Any], on_step: OnStep) -> tuple[dict[str, Any], dict[str, float]]:
    """Our fastest way on this machine, as a task has it; and the seconds of a pass each way that there is.

    oneDNN is left alone where the user has switched it on or off.
    """
    with ExitStack() as processes:
        ways, workers = {}, {}

        def begin(name: str, how: Mapping[str, Any]) -> dict[str, Any]:
            on_step(f"trying ours {name}", len(ways), 3)
            workers[name] = processes.enter_context(Worker(f"ours {name}", "ours", {**task, **how}))
            about = workers[name].begin()
            ways[name] = {"choices": about["choices"], "onednn": how["onednn"]}
            return about

        about = begin(PLAIN_WAY, {"onednn": True, "try": True})
        choices = about["choices"]
        if about["xla_is_open"]:  # TensorFlow on a CPU
            if ONEDNN not in os.environ:
                begin(NO_ONEDNN_WAY, {"onednn": False, "choices": choices})
            begin(XLA_WAY, {"onednn": True, "choices": choices | {"xla": True}})
        answers, _ = _take_turns(workers, {}, PASSES_OF_A_WAY, lambda *step: None)
    seconds = {name: median(answer["seconds"] for answer in answers[name]) for name in ways}
    fastest = min(seconds, key=seconds.get)
    if seconds[fastest] > CLEARLY * seconds[PLAIN_WAY]:
        fastest = PLAIN_WAY
    return ways[fastest], seconds


def _left_out(settings: Settings, prepared: Mapping[str, Any]) -> dict[str, str]:
    """The rivals that cannot make the same pass, each with the reason."""
    if reason := _unknown_loss(settings):
        return dict.fromkeys(RIVALS, reason)
    left_out = {}
    backend = prepared["backend"]
    if reason := prepared["not_keras"] or (backend != "tensorflow" and f"Keras runs on {backend} here"):
        left_out = dict.fromkeys((TENSORFLOW, NO_ONEDNN), reason)
    if find_spec("torch") is None:
        left_out[TORCH] = "PyTorch is not installed"
    elif prepared["not_a_chain"]:
        left_out[TORCH] = prepared["not_a_chain"]
    return left_out


def _unknown_loss(settings: Settings) -> str:
    """What of the settings' computation is not written down in the rivals; nothing where all of it is."""
    for layer, feature in settings.features.items():
        if (measure := feature.measure or settings.measure) != "l2":
            return f'measure = "{measure}" of {layer} is ours alone'
        if feature.channels:
            return f"a choice of channels, as of {layer}, is ours alone"
    for name, weight in settings.penalties:
        if weight and name not in ("continuity", "dream_l2"):
            return f"penalties.{name} is ours alone"
    if settings.tiles and settings.tiles.kind != "exact":
        return "tiles under a random roll make another loss"
    if settings.precision != "float32":
        return f'precision = "{settings.precision}" is ours alone'
    return ""


def _errors(workers: Mapping[str, Worker], folder: Path) -> dict[str, tuple[float, float]]:
    """Of each worker's loss and gradient against ours: on the first picture within the tolerance, or the best."""
    path = folder / "gradient.npy"

    def answer(name: str, number: int) -> tuple[float, np.ndarray]:
        return workers[name].ask("compare", number, str(path))["loss"], np.load(path)

    errors = dict.fromkeys(workers, (np.inf, np.inf)) | {OURS: (0.0, 0.0)}
    for number in range(PICTURES):
        if not (apart := [name for name in workers if not _agree(errors[name])]):
            break
        loss, gradient = answer(OURS, number)
        for name in apart:
            other_loss, other = answer(name, number)
            difference = float(np.linalg.norm(other - gradient) / np.linalg.norm(gradient))
            errors[name] = min(errors[name], (abs(other_loss / loss - 1), difference), key=max)
    return errors


def _agree(errors: tuple[float, float]) -> bool:
    return all(error <= most for error, most in zip(errors, TOLERANCES, strict=True))  # which is never so of NaN


def _take_turns(
    workers: Mapping[str, Worker], multipliers: Mapping[str, Worker], passes: int, on_step: OnStep
) -> tuple[dict[str, list[dict]], list[Product]]:
    """One pass of each, then products by each, and so on; every other round of passes runs backwards.

    A round before them does not count: some frameworks still settle down in their second pass.
    """
    for worker in workers.values():
        worker.ask("pass")
    answers: dict[str, list[dict]] = {name: [] for name in workers}
    products = []
    for round_ in range(passes):
        on_step("passes in turn", round_, passes)
        for name in list(workers)[:: -1 if round_ % 2 else 1]:
            time.sleep(PAUSE)
            answers[name].append(workers[name].ask("pass"))
        for name, worker in multipliers.items():
            time.sleep(PAUSE)
            products.append(Product(name, **worker.ask("multiply", round_)))
    return answers, products


def _result(
    name: str, answers: Mapping[str, list[dict]], errors: tuple[float, float], about: Mapping[str, Any]
) -> Result:
    seconds = {who: [answer["seconds"] for answer in answers[who]] for who in (name, OURS)}
    return Result(
        name=name,
        seconds=seconds[name],
        ratios=[ours / its for ours, its in zip(seconds[OURS], seconds[name], strict=True)],
        loss_error=errors[0],
        gradient_error=errors[1],
        peak_mib=answers[name][0]["peak_mib"],  # before any matrices
        start_up=about["start_up"],
        first_pass=about["first_pass"],
    )


def _measure_size(task: Mapping[str, Any], number: int, sizes: int, on_step: OnStep) -> Size:
    side = task["side"]
    on_step(f"{side}×{side}", number, sizes)
    with Worker(f"{side}×{side}", "ours", task) as worker:
        try:
            about = worker.begin()
            worker.ask("pass")  # does not count here, either
            answers = [worker.ask("pass") for _ in range(PASSES_OF_A_SIZE)]
        except MeasuringError as error:  # as where memory runs out; what was measured before is worth its report
            return Size(side, [], died=str(error))
    return Size(
        side,
        [answer["seconds"] for answer in answers],
        answers[-1]["peak_mib"],
        about["mib_before"],
        about["tiles"],
    )


def _seconds_of(*arguments: str) -> float:
    """The median of five runs of Python."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return median(seconds)
