"""The measured program dreamscripts, with passes as in a run."""

import time
from typing import TYPE_CHECKING, Any

from dreamscripts.benchmarks.program import OnDevice, Passes, Requests, Task, serve
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Octaves

if TYPE_CHECKING:
    from dreamscripts.objective.evaluator import Evaluator


def open_ours(task: Task) -> tuple[dict[str, Any], Requests]:
    """Open the network and the evaluator for the task's settings as `dream` does.

    If the task has the key `choices`, these choices are used. If it has the key `try` instead, Winograd's algorithm is
    measured first.
    """
    settings, side = Settings.model_validate(task["settings"]), task["side"]
    started = time.perf_counter()
    from dreamscripts.backends import startup

    startup.start_keras(task.get("onednn"))
    from dreamscripts.backends import compiling, host
    from dreamscripts.dreams.prepare import build_evaluator, choose, open_network, override_choices
    from dreamscripts.networks import tuning

    network = open_network(settings)
    kinds = tuning.kinds_of(network, side, side)
    if "choices" in task:
        choices = tuning.Choices.read(task["choices"])
    elif "try" in task:
        choices = tuning.measure(network, kinds)
    else:
        choices = choose(network, settings, side, side)
    evaluator = build_evaluator(network, settings, side, side, choices=override_choices(settings, choices))
    tiles = evaluator.exact or settings.tiles
    size = tiles.size if tiles and tiles.size and tiles.size < side else None
    start_up = time.perf_counter() - started
    passes = Passes(task, lambda x: (evaluator.loss(x), evaluator.gradient(x)), pass_on_device(evaluator))
    about = {
        "device": host.device(),
        "versions": host.versions(),
        "choices": choices.record(),
        "onednn": compiling.onednn(),
        "xla_is_open": compiling.leaves_xla_open(),
        "tiles": size,  # pixels; None: a single pass
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
        "mib_before": passes.mib_before,
    }

    def keep() -> dict[str, Any]:
        """Use these choices in later runs on this machine."""
        tuning.keep(network, kinds, choices)
        return {}

    def iterate() -> dict[str, Any]:
        return _time_iteration(evaluator, settings.model_copy(update={"octaves": Octaves(), "size": side}), passes)

    return about, {"keep": keep, "compare": passes.compare, "pass": passes.time_pass, "iterate": iterate}


def pass_on_device(evaluator: "Evaluator") -> OnDevice:
    """Return the evaluator's own pass, for pictures on the device."""
    from dreamscripts.backends.lazy_keras import ops
    from dreamscripts.objective.protocol import evaluate_at

    def start(x: Any) -> Any:
        shape = tuple(x.shape)
        _, gradient = evaluator.compiled(evaluate_at, shape)(x, evaluator.current_draw(shape))
        return gradient

    return OnDevice(ops.convert_to_tensor, start, wait=lambda gradient: ops.convert_to_numpy(gradient[0, 0]))


def _time_iteration(evaluator: "Evaluator", settings: Settings, passes: Passes) -> dict[str, Any]:
    """Time one iteration of the settings' optimizer. Returns its passes, seconds, and seconds outside of passes."""
    from dreamscripts.dreams.dream import dream

    iterates = dream(evaluator.network.preprocessing.denormalise(passes.x), settings, evaluator=evaluator)
    next(iterates)
    inside, before, started = evaluator.seconds, evaluator.passes, time.perf_counter()
    next(iterates)
    seconds = time.perf_counter() - started
    outside = seconds - (evaluator.seconds - inside)
    return {"seconds": seconds, "outside": outside, "passes": evaluator.passes - before}


if __name__ == "__main__":
    serve(open_ours)
