"""The entry of an optimizer, and the decorator that adds one: a module here, or a cell of a notebook, is enough."""

import colorsys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from zlib import crc32

from pydantic import create_model

from dreamscripts.optimizers.protocol import OptimizerFunction, OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.schema import OptimizerSettings

ADVICE = "lower the weights under [features] or raise penalties.dream_l2"

F = TypeVar("F", bound=Callable[..., Iterator[OptimizerResult]])


@dataclass(frozen=True)
class OptimizerEntry:
    """An optimizer that settings can name."""

    name: str
    """The value of `optimizer.name`."""
    function: OptimizerFunction
    """The optimizer itself."""
    settings: type[OptimizerSettings]
    """The model of the table [optimizer]; without arguments it has the default values."""
    title: str
    """The name in reports, as in a sentence."""
    colour: str
    """The colour in plots, as `#rrggbb`."""
    advice: str
    """What to do when the loss diverges: the end of the error message."""
    searches: Literal["step", "passes"] | None
    """What `compare` varies: the step size, the passes of an iteration, or nothing."""
    module: str
    """The module that added the entry."""


def optimizer(
    name: str | None = None,
    *,
    settings: type[OptimizerSettings] = OptimizerSettings,
    title: str | None = None,
    colour: str | None = None,
    advice: str = ADVICE,
    searches: Literal["step", "passes"] | None = None,
) -> Callable[[F], F]:
    """Add the decorated function (OptimizerFunction) to the optimizers that settings can name.

    The name is that of the function if none is given. `settings` is the model of its table [optimizer], a subclass of
    OptimizerSettings. Other arguments are fields of OptimizerEntry. The decorated function may be added again, as when
    a cell of a notebook runs twice. Raises ValueError if another module has added an optimizer of that name.
    """

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
                module=function.__module__,
            )
        )
        return function

    return add


def _colour(name: str) -> str:
    """Choose a colour that is always the same for a name."""
    rgb = colorsys.hsv_to_rgb(crc32(name.encode()) / 2**32, 0.75, 0.7)
    return "#" + "".join(f"{round(255 * value):02x}" for value in rgb)
