"""The contestant that is measured: a pass as a run makes it, the way that the task says."""

import time
from typing import Any

from dreamscripts.benchmarks.contestant import Passes, Questions, Task, serve
from dreamscripts.settings.schema import Octaves, Settings


def open_ours(task: Task) -> tuple[dict[str, Any], Questions]:
    """Open the network and the evaluator of the task's settings as `dream` does.

    The task may say which `choices` to take, or to `try` where Winograd gains.
    """
    settings, side = Settings.model_validate(task["settings"]), task["side"]
    started = time.perf_counter()
    from dreamscripts.backends import startup

    startup.start_keras(task.get("onednn"))
    from dreamscripts.backends import compiling, host
    from dreamscripts.dreams.dream import dream
    from dreamscripts.dreams.prepare import as_said, build_evaluator, choose, open_network
    from dreamscripts.networks import tuning

    network = open_network(settings)
    kinds = tuning.kinds_of(network, side, side)
    if "choices" in task:
        choices = tuning.Choices.read(task["choices"])
    elif "try" in task:
        choices = tuning.measure(network, kinds)
    else:
        choices = choose(network, settings, side, side)
    evaluator = build_evaluator(network, settings, side, side, choices=as_said(settings, choices))
    tiles = evaluator.exact or settings.tiles
    start_up = time.perf_counter() - started
    passes = Passes(task, lambda x: (evaluator.loss(x), evaluator.gradient(x)))

    def iterate() -> dict[str, Any]:
        """One iteration of the settings' optimizer from the task's picture, in one octave."""
        alone = settings.model_copy(update={"octaves": Octaves(), "size": side})
        iterates = dream(network.preprocessing.denormalise(passes.x), alone, evaluator=evaluator)
        next(iterates)
        inside, before, begun = evaluator.seconds, evaluator.passes, time.perf_counter()
        next(iterates)
        seconds = time.perf_counter() - begun
        outside = seconds - (evaluator.seconds - inside)
        return {"seconds": seconds, "outside": outside, "passes": evaluator.passes - before}

    about = {
        "device": host.device(),
        "versions": host.versions(),
        "choices": choices.record(),
        "onednn": compiling.onednn(),
        "xla_is_open": compiling.leaves_xla_open(),
        "tiles": tiles.size if tiles and tiles.size < side else None,  # pixels a side; None for the picture at once
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
        "mib_before": passes.mib_before,
    }

    def keep() -> dict[str, Any]:
        """Let later runs on this machine compute this way."""
        tuning.keep(network, kinds, choices)
        return {}

    return about, {"keep": keep, "compare": passes.compare, "pass": passes.time_pass, "iterate": iterate}


if __name__ == "__main__":
    serve(open_ours)
