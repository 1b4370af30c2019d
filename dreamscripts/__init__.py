"""dreamscripts: optimizer-based DeepDream with Keras.

A settings file names a network, a loss and an optimizer. `run` turns a picture and settings into a series of iterates:

    from dreamscripts import Settings, run

    for iterate in run("samples/sky.jpg", Settings.load("bad_trip", network="pocket"), "sky-dream"):
        print(iterate.iteration, iterate.loss)

`import dreamscripts` takes milliseconds. A name is imported when it is first used, because Keras takes seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamscripts.dreams.channels import visualize_channels as visualize_channels
    from dreamscripts.dreams.dream import dream as dream
    from dreamscripts.dreams.iterate import Iterate as Iterate
    from dreamscripts.dreams.prepare import build_evaluator as build_evaluator
    from dreamscripts.dreams.prepare import open_network as open_network
    from dreamscripts.errors import DreamError as DreamError
    from dreamscripts.images.files import open_picture as open_picture
    from dreamscripts.images.files import save_picture as save_picture
    from dreamscripts.images.resizing import noise as noise
    from dreamscripts.losses.layers import LayerEnergy as LayerEnergy
    from dreamscripts.losses.layers import LayerL2 as LayerL2
    from dreamscripts.losses.layers import LayerMean as LayerMean
    from dreamscripts.losses.layers import LayerMeanSquare as LayerMeanSquare
    from dreamscripts.losses.layers import LayerNeuron as LayerNeuron
    from dreamscripts.losses.named import LayerPenalty as LayerPenalty
    from dreamscripts.losses.named import LayerTerm as LayerTerm
    from dreamscripts.losses.named import measure as measure
    from dreamscripts.losses.named import penalty as penalty
    from dreamscripts.losses.priors import Continuity as Continuity
    from dreamscripts.losses.priors import ImageL2 as ImageL2
    from dreamscripts.losses.priors import TotalVariation as TotalVariation
    from dreamscripts.losses.term import Loss as Loss
    from dreamscripts.losses.term import Term as Term
    from dreamscripts.losses.term import term as term
    from dreamscripts.networks.loading import load_network as load_network
    from dreamscripts.objective.evaluator import Evaluator as Evaluator
    from dreamscripts.optimizers.registry import optimizer as optimizer
    from dreamscripts.optimizers.update_rule import update_rule as update_rule
    from dreamscripts.reports.loss_curve import write_loss_curve as write_loss_curve
    from dreamscripts.runs.run import resume as resume
    from dreamscripts.runs.run import run as run
    from dreamscripts.settings.schema import Settings as Settings
    from dreamscripts.settings.tables import OptimizerSettings as OptimizerSettings

__version__ = "0.1.0"

_MODULES = {
    "DreamError": "errors",
    "Settings": "settings.schema",
    "open_picture": "images.files",
    "save_picture": "images.files",
    "noise": "images.resizing",
    "run": "runs.run",
    "resume": "runs.run",
    "write_loss_curve": "reports.loss_curve",
    "dream": "dreams.dream",
    "Iterate": "dreams.iterate",
    "visualize_channels": "dreams.channels",
    "load_network": "networks.loading",
    "open_network": "dreams.prepare",
    "build_evaluator": "dreams.prepare",
    "Evaluator": "objective.evaluator",
    "Loss": "losses.term",
    "Term": "losses.term",
    "term": "losses.term",
    "measure": "losses.named",
    "penalty": "losses.named",
    "LayerTerm": "losses.named",
    "LayerPenalty": "losses.named",
    "LayerL2": "losses.layers",
    "LayerMean": "losses.layers",
    "LayerMeanSquare": "losses.layers",
    "LayerEnergy": "losses.layers",
    "LayerNeuron": "losses.layers",
    "Continuity": "losses.priors",
    "ImageL2": "losses.priors",
    "TotalVariation": "losses.priors",
    "optimizer": "optimizers.registry",
    "update_rule": "optimizers.update_rule",
    "OptimizerSettings": "settings.tables",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'dreamscripts' has no attribute '{name}'")
    return getattr(import_module(f"dreamscripts.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
