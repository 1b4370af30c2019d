"""The registry entry of an optimizer, and the decorator that adds it from a module here or from a notebook."""

import colorsys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from zlib import crc32

import numpy as np
from pydantic import create_model

from dreamscripts.optimizers.protocol import OptimizerFunction, OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.tables import OptimizerSettings

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

ADVICE = "lower the weights under [features] or raise penalties.dream_l2"

Begin = Callable[["Objective", Any, Any], Any]  # (objective, x, settings) → x, as it was evaluated
Accepts = Callable[[Mapping[str, np.ndarray], tuple[int, ...]], bool]
F = TypeVar("F", bound=Callable[..., Iterator[OptimizerResult]])


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer that settings can name."""

    name: str
    """The value of `optimizer.name`."""
    function: OptimizerFunction
    """The optimizer itself."""
    settings: type[OptimizerSettings]
    """The model of the table [optimizer]. Without arguments, it has the default values."""
    title: str
    """The name in reports, spelled as in the middle of a sentence."""
    colour: str
    """The colour in plots, as `#rrggbb`."""
    advice: str
    """Advice to the user if the loss diverges. It ends the error message."""
    searches: Literal["step", "passes"] | None
    """The setting that `compare` varies: the step size, the passes per iteration, or None."""
    accepts: Accepts
    """Whether the given arrays can be its state after an iteration in an octave, for the given shape of x."""
    begin: Begin
    """Evaluates the objective at the start picture, by what the optimizer will compile, and returns this picture as an
    array or a tensor."""
    module: str
    """The module that added the entry."""


def optimizer(
    name: str | Callable[..., Any] | None = None,
    *,
    settings: type[OptimizerSettings] = OptimizerSettings,
    title: str | None = None,
    colour: str | None = None,
    advice: str = ADVICE,
    searches: Literal["step", "passes"] | None = None,
    accepts: Accepts = lambda state, shape: True,
    begin: Begin = lambda objective, x, settings: x,
) -> Callable[..., Any]:
    """Add the decorated function (OptimizerFunction) to the optimizers that settings can name.

    The default `name` is the name of the function. `settings` is the model of the table [optimizer], a subclass of
    OptimizerSettings. Other arguments are fields of OptimizerEntry. All arguments may be omitted, and the parentheses,
    too. A function can be added again, for example if a notebook cell runs twice. Raises ValueError if another module
    has added an optimizer with this name.
    """
    if callable(name):
        return optimizer()(name)

    def add(function: F) -> F:
        called = name or function.__name__
        own_settings = settings
        if own_settings.model_fields["name"].is_required():
            own_name: Any = (Literal[called], called)
            own_settings = create_model(settings.__name__, __base__=settings, __doc__=settings.__doc__, name=own_name)
        OPTIMIZERS.add(
            OptimizerEntry(
                name=called,
                function=function,
                settings=own_settings,
                title=title or called.replace("_", " "),
                colour=colour or _colour(called),
                advice=advice,
                searches=searches,
                accepts=accepts,
                begin=begin,
                module=function.__module__,
            )
        )
        return function

    return add


def _colour(name: str) -> str:
    """Return a colour that depends only on the name."""
    rgb = colorsys.hsv_to_rgb(crc32(name.encode()) / 2**32, 0.75, 0.7)
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)
