"""Terms, and losses as weighted sums of terms: `0.5 * LayerMean("block4_conv1") + 0.1 * Continuity()`.

Losses are minimised. A quantity that should grow enters with a minus sign.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, overload

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import SettingsError
from dreamscripts.losses.regions import WHOLE, Regions, Tensor, count_once

Features = Mapping[str, Tensor]
TermFunction = Callable[[Tensor, Features, Regions], Tensor]


class _Arithmetic:
    """Sums, differences and multiples of terms and losses. Each result is a Loss."""

    __array_ufunc__ = None  # so that NumPy leaves `np.float32(2) * term` to __rmul__

    def __add__(self, other: Any) -> "Loss":
        if isinstance(other, Real) and other == 0:  # so that sum() works
            return as_loss(self)
        if not isinstance(other, _Arithmetic) and not inspect.isroutine(other):
            return NotImplemented
        return Loss(as_loss(self).terms + as_loss(other).terms)

    def __radd__(self, other: Any) -> "Loss":
        return as_loss(other) + self if inspect.isroutine(other) else self + other

    def __mul__(self, factor: Any) -> "Loss":
        if not isinstance(factor, Real):
            return NotImplemented
        return Loss(tuple((float(factor) * weight, term) for weight, term in as_loss(self).terms))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> "Loss":
        return self * (1 / divisor) if isinstance(divisor, Real) else NotImplemented

    def __neg__(self) -> "Loss":
        return -1 * self

    def __sub__(self, other: Any) -> "Loss":
        return self + -other if isinstance(other, _Arithmetic) else NotImplemented


class Term(_Arithmetic):
    """One term of a loss. Derive a class from it, or decorate a function with `@term`.

    `name` is its column in loss.csv. `layers` are the layers that it reads, `variables` the Keras variables. `edge` is
    the number of positions that it omits at each border of a layer.

    Exact tiles compute a picture tile by tile. They support two kinds of terms. If `tileable` is True, the value is a
    sum over the positions of `regions.picture.core(x)` and `regions[layer].core(features[layer])` only. Otherwise, the
    value is a function of such sums, and the term has the methods `sums` and `of_sums`.
    """

    name: str
    layers: tuple[str, ...] = ()
    variables: Sequence[Any] = ()
    tileable: bool = False
    edge: int = 0

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        """Return the value, a scalar: the sum over the pictures of the batch.

        `x` (N, H, W, 3) are the preprocessed pictures, `features` {layer: (N, h, w, c)}. Both are float32.
        """
        return self.of_sums(self.sums(x, features, regions))

    def sums(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        """Return the sums over positions, of any shape, from which `of_sums` computes the value."""
        raise NotImplementedError(f"{type(self).__name__} has neither __call__ nor sums and of_sums")

    def of_sums(self, sums: Tensor) -> Tensor:
        """Return the value for the sums of the whole picture."""
        raise NotImplementedError(f"{type(self).__name__} has sums, but not of_sums")

    @property
    def has_sums(self) -> bool:
        """Whether the value is a function of sums over positions: `sums` and `of_sums`."""
        return type(self).sums is not Term.sums

    def in_tile(self, x: Tensor, features: Features, regions: Regions, total: Tensor) -> Tensor:
        """Return the contribution of an exact tile to the value. `total` are the `sums` over all tiles."""
        sums = self.sums(x, features, regions)
        return count_once(self.of_sums(sums + ops.stop_gradient(total - sums)), regions)


@dataclass(frozen=True)
class Loss(_Arithmetic):
    """A weighted sum of terms ((weight, term), …). Raises SettingsError if a weight is not finite."""

    terms: tuple[tuple[float, Term], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise SettingsError("a loss needs at least one term")
        for weight, term in self.terms:
            if not isinstance(getattr(term, "name", None), str):
                raise SettingsError(f'{type(term).__name__} has no name: set name = "…" in the class')
            if not math.isfinite(weight):
                raise SettingsError(f"the weight of the term '{term.name}' is {weight}: use a finite number")

    @property
    def names(self) -> list[str]:
        """The names of the terms, in their order. A repeated name gets a number, so all names are different."""
        names: list[str] = []
        taken = {term.name for _, term in self.terms}
        for _, term in self.terms:
            name, number = term.name, 1
            while name in names or (number > 1 and name in taken):
                number += 1
                name = f"{term.name} {number}"
            names.append(name)
        return names

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that the terms read, without duplicates."""
        return tuple(dict.fromkeys(layer for _, term in self.terms for layer in term.layers))

    @property
    def variables(self) -> list[Any]:
        """The Keras variables that the terms read, without duplicates."""
        found = (variable for _, term in self.terms for variable in term.variables)
        return list({id(variable): variable for variable in found}.values())

    @property
    def edge(self) -> int:
        """The largest number of positions that a term omits at each border of a layer."""
        return max(term.edge for _, term in self.terms)

    @property
    def with_sums(self) -> list[Term]:
        """The terms that are functions of sums over positions."""
        return [term for _, term in self.terms if term.has_sums]

    def check_tileable(self) -> None:
        """Raise SettingsError, which names the term, if a term cannot be computed in exact tiles."""
        for _, term in self.terms:
            if not (term.tileable or term.has_sums):
                raise SettingsError(
                    f"exact tiles cannot compute the term '{term.name}', because it may not be a sum over positions. "
                    "If it is a sum over regions.picture.core(x) or regions[layer].core(…), set tileable = True. If it "
                    "is a function of such sums, give it the methods sums and of_sums. Otherwise, use a size that "
                    "needs no tiles"
                )

    def __call__(
        self, x: Tensor, features: Features, regions: Regions = WHOLE, totals: Iterable[Tensor] = ()
    ) -> Tensor:
        """Return the weighted terms, a tensor (n,). The loss is their sum, over all tiles of the picture.

        In an exact tile, `totals` are the sums over all tiles of the terms `with_sums`.
        """
        remaining = iter(totals)
        values = []
        for weight, term in self.terms:
            features = _Computed(term.name, features)
            if regions.is_tile and term.has_sums:
                value = term.in_tile(x, features, regions, next(remaining))
            else:
                value = term(x, features, regions)
            if len(shape := tuple(ops.shape(value))):
                raise SettingsError(f"the term '{term.name}' has the shape {shape}: return a scalar, such as its sum")
            values.append(weight * value)
        return ops.stack(values)


class _Computed(dict[str, Tensor]):
    """The features that a term reads. Raises SettingsError for a layer that is not computed."""

    def __init__(self, term: str, features: Features):
        super().__init__(features)
        self._term = term

    def __missing__(self, layer: str) -> Tensor:
        raise SettingsError(
            f"the term '{self._term}' reads the layer '{layer}', which is not computed: name it in "
            f'@term(layers=["{layer}"]), or in the class with layers = ("{layer}",)'
        )


@dataclass(frozen=True)
class FunctionTerm(Term):
    """A function (x, features, regions) -> scalar as a term."""

    function: TermFunction
    name: str
    layers: tuple[str, ...] = ()
    tileable: bool = False

    def __call__(self, x: Tensor, features: Features, regions: Regions) -> Tensor:
        return self.function(x, features, regions)


@overload
def term(function: TermFunction, /) -> FunctionTerm: ...


@overload
def term(
    *, layers: Iterable[str] = (), tileable: bool = False, name: str | None = None
) -> Callable[[TermFunction], FunctionTerm]: ...


def term(
    function: TermFunction | None = None,
    /,
    *,
    layers: Iterable[str] = (),
    tileable: bool = False,
    name: str | None = None,
) -> FunctionTerm | Callable[[TermFunction], FunctionTerm]:
    """Make a term from the decorated function (x, features, regions) -> scalar. Term describes the arguments.

    Raises SettingsError if the function does not take three arguments.
    """

    def decorate(function: TermFunction) -> FunctionTerm:
        try:
            inspect.signature(function).bind(None, None, None)
        except (TypeError, ValueError):
            raise SettingsError("a term takes three arguments: def my_term(x, features, regions)") from None
        named = name or getattr(function, "__name__", type(function).__name__).strip("<>")
        return FunctionTerm(function, named, (layers,) if isinstance(layers, str) else tuple(layers), tileable)

    return decorate if function is None else decorate(function)


def as_loss(loss: Any) -> Loss:
    """Convert a Loss, Term or function (x, features, regions) to a Loss. Raises SettingsError for any other object."""
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, type):
        raise SettingsError(f"the loss is the class {loss.__name__}: use an instance, such as {loss.__name__}()")
    if not isinstance(loss, Term):
        if not callable(loss):
            raise SettingsError(
                f"a loss is a Loss, a Term or a function (x, features, regions), not {type(loss).__name__}"
            )
        loss = term(loss)
    return Loss(((1.0, loss),))
