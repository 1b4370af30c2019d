"""Measures and penalties: the terms that settings can name, each registered by a decorator.

    @penalty("colourfulness", tileable=True)
    def colourfulness(x, region):
        "Variance between the colour channels of each pixel: 0 for a grey picture."
        return ops.sum(ops.var(region.core(x), axis=-1)) / region.positions(x)

Put the module of a new measure or penalty into this folder. Nothing else needs to change.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import SettingsError
from dreamscripts.losses.regions import Region, Regions, Tensor
from dreamscripts.losses.term import Features, Term
from dreamscripts.registry import MEASURES, PENALTIES


@dataclass(frozen=True)
class LayerTerm(Term):
    """The activation of a layer, with a minus sign.

    F (N, h, w, c) are the features of the layer. If `channels` {channel: factor} are given, F has only these channels,
    and each is multiplied by its factor.
    """

    layer: str
    channels: Mapping[int, float] | None = None
    guided: ClassVar[bool] = False  # whether a third argument is the features of the guide picture (positions, c)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The layer, and the channels if they are given."""
        return self.layer + (f"[{','.join(map(str, self.channels))}]" if self.channels else "")

    @property
    def layers(self) -> tuple[str, ...]:  # type: ignore[override]
        """The layer."""
        return (self.layer,)

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        return -self.activation(self.chosen(features), regions[self.layer])

    def chosen(self, features: Features) -> Tensor:
        """Return F."""
        f = features[self.layer]
        return ops.matmul(f, selection(self.channels, f.shape[-1])) if self.channels else f

    def activation(self, f: Tensor, region: Region) -> Tensor:
        """Return the activation of F, a scalar."""
        raise NotImplementedError


@dataclass(frozen=True)
class LayerPenalty(Term):
    """A penalty on the features that the layer term `term` reads."""

    term: LayerTerm
    label: ClassVar[str]

    @property
    def name(self) -> str:  # type: ignore[override]
        """The label of the penalty and the layer."""
        return f"{self.label} of {self.term.layer}"

    @property
    def layers(self) -> tuple[str, ...]:  # type: ignore[override]
        """The layer."""
        return self.term.layers


@dataclass(frozen=True)
class Measure:
    """An entry of the registry MEASURES: a formula for the activation of one layer.

    `make(layer, channels)` returns its term. If the measure is `guided`, `make` has a third argument: the features of
    the guide picture (positions, c). `edge` is the number of positions that the measure omits at each border.
    """

    name: str
    description: str
    make: Callable[..., LayerTerm]
    tileable: bool
    edge: int
    guided: bool
    module: str


@dataclass(frozen=True)
class Penalty:
    """An entry of the registry PENALTIES: a term on the picture, or on each layer under [features].

    For a penalty on the picture, `make()` returns its term. For a penalty on a layer, `make(term)` returns its term,
    and `term` is the LayerTerm of this layer. `label` is its name in loss.csv. If it `compares` the pictures of a
    batch, it is 0 for one picture.
    """

    name: str
    description: str
    on: Literal["picture", "layer"]
    label: str
    make: Callable[..., Term]
    tileable: bool
    compares: bool
    module: str


def measure(name: str, *, tileable: bool | None = None, edge: int | None = None) -> Callable[[Any], type[LayerTerm]]:
    """Register a class derived from LayerTerm, or a function (f, region) -> activation, as the measure `name`.

    The first line of its docstring is its description. `tileable` and `edge` are those of Term. A function is replaced
    by a class, which makes a term from a layer and channels. Raises SettingsError if the name is missing.
    """
    _check_name(name, "measure")

    def register(target: Any) -> type[LayerTerm]:
        term_class = _class_of(target, LayerTerm, "activation", lambda self, f, region: target(f, region))
        _set(term_class, tileable=tileable, edge=edge)
        described = _description(name, target)
        MEASURES.add(
            Measure(
                name, described, term_class, term_class.tileable, term_class.edge, term_class.guided, target.__module__
            )
        )
        return term_class

    return register


def penalty(
    name: str,
    *,
    on: Literal["picture", "layer"] = "picture",
    tileable: bool | None = None,
    label: str | None = None,
    compares: bool = False,
) -> Callable[[Any], type[Term]]:
    """Register a class or a function as the penalty `name`. `on` says if it is on the picture or on each layer.

    The class of a penalty on the picture is derived from Term, and its function takes (x, region). The class of a
    penalty on layers is derived from LayerPenalty, and its function takes (f, region). A function returns a scalar. The
    first line of the docstring is the description. `tileable` is that of Term. `label` is the name of the penalty in
    loss.csv (default: `name`). `compares` says that it compares the pictures of a batch, so it is 0 for one picture.
    Raises SettingsError if the name is missing.
    """
    _check_name(name, "penalty")

    def register(target: Any) -> type[Term]:
        term_class: type[Term]
        if on == "layer":

            def of_layer(self: LayerPenalty, x: Tensor, features: Features, regions: Regions) -> Tensor:
                return target(self.term.chosen(features), regions[self.term.layer])

            term_class = _class_of(target, LayerPenalty, "__call__", of_layer)
            _set(term_class, tileable=tileable, label=label or name)
        else:

            def of_picture(self: Term, x: Tensor, features: Features, regions: Regions) -> Tensor:
                return target(x, regions.picture)

            term_class = _class_of(target, Term, "__call__", of_picture)
            _set(term_class, tileable=tileable, name=label or name)
        described = _description(name, target)
        PENALTIES.add(
            Penalty(name, described, on, label or name, term_class, term_class.tileable, compares, target.__module__)
        )
        return term_class

    return register


def _check_name(name: Any, decorator: str) -> None:
    if not isinstance(name, str):
        called = getattr(name, "__name__", "name")
        raise SettingsError(f'a {decorator} needs a name, which settings use: write @{decorator}("{called}")')


def _class_of(target: Any, base: type, method: str, function: Callable) -> Any:
    """Return `target` if it is a class, otherwise a class derived from `base` with `function` as its method."""
    if isinstance(target, type):
        if not issubclass(target, base):
            raise TypeError(f"{target.__name__} is not derived from {base.__name__}")
        return target
    body = {method: function, "__doc__": target.__doc__, "__module__": target.__module__}
    return type(target.__name__, (base,), body)


def _set(term_class: type, **attributes: Any) -> None:
    for key, value in attributes.items():
        if value is not None:
            setattr(term_class, key, value)


def _description(name: str, target: Any) -> str:
    if not target.__doc__:
        if sys.flags.optimize > 1:  # python -OO removes docstrings
            return name
        raise ValueError(f"'{name}' has no docstring: the first line of its docstring is its description")
    return target.__doc__.strip().splitlines()[0]


def selection(channels: Mapping[int, float], depth: int) -> np.ndarray:
    """Return the matrix (depth, n) that selects n of `depth` channels and multiplies them by their factors."""
    selection = np.zeros((depth, len(channels)), np.float32)
    selection[list(channels), range(len(channels))] = list(channels.values())
    return selection
