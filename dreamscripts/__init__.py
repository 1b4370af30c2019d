"""dreamscripts: a settings file names a network, a loss and an optimizer; `dream` turns a picture into iterates.

    from dreamscripts import Settings, run

    for iterate in run("samples/sky.jpg", Settings.load("bad_trip", network="pocket"), "sky-dream"):
        print(iterate.iteration, iterate.loss)

Nothing heavy is imported until it is used: `import dreamscripts` takes milliseconds, Keras and its backend seconds.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "DreamError": "errors",
    "Evaluator": "objective.evaluator",
    "Iterate": "dreams.iterate",
    "Settings": "settings.schema",
    "dream": "dreams.dream",
    "load_network": "networks.network",
    "noise": "images.resizing",
    "open_picture": "images.files",
    "visualize_channels": "dreams.channels",
    "resume": "runs.run",
    "run": "runs.run",
    "save_picture": "images.files",
}
__all__ = list(_HOME)
_NEED_KERAS = {"Evaluator", "dream", "load_network", "visualize_channels"}


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'dreamscripts' has no attribute '{name}'")
    if name in _NEED_KERAS:
        import_module("dreamscripts.backends.startup").start_keras()
    return getattr(import_module(f"dreamscripts.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
