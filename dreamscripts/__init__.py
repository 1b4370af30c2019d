"""dreamscripts: a settings file names a network, a loss and an optimizer; `dream` turns a picture into iterates.

    from dreamscripts import Settings, run

    for iterate in run("samples/sky.jpg", Settings.load("bad_trip", network="pocket"), "sky-dream"):
        print(iterate.iteration, iterate.loss)

A name is imported when it is first used: `import dreamscripts` takes milliseconds, Keras and its backend take seconds.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "DreamError": "errors",
    "Evaluator": "objective.evaluator",
    "Iterate": "dreams.iterate",
    "Settings": "settings.schema",
    "dream": "dreams.dream",
    "load_network": "networks.loading",
    "noise": "images.resizing",
    "open_picture": "images.files",
    "visualize_channels": "dreams.channels",
    "resume": "runs.run",
    "run": "runs.run",
    "save_picture": "images.files",
    "write_loss_curve": "reports.loss_curve",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dreamscripts' has no attribute '{name}'")
    return getattr(import_module(f"dreamscripts.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
