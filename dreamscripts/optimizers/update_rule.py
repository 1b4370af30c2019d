"""Optimizers that are an update rule: (x, gradient, state) → (x, state), applied once for every pass.

Our own rules run on the device (steps.py). A rule from elsewhere is a function of arrays.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import Field

from dreamscripts.backends import host
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import Diverged, SettingsError
from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.box import Box
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.steps import Bounds, Rule, Taken, Walk
from dreamscripts.settings.numbers import Float32
from dreamscripts.settings.tables import OptimizerSettings

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective

LARGEST_RISE = 100  # of the loss before Diverged is raised, as a multiple of the first loss
FIRST = "first"  # the name of the first loss in the state

State = Mapping[str, Any]
HostRule = Callable[[np.ndarray, np.ndarray, State], tuple[Any, State]]


class UpdateRuleSettings(OptimizerSettings):
    """Settings of an optimizer that is an update rule."""

    step: Float32 = Field(1.5, gt=0)
    """Step size, above 0, in pixel values (or Fourier coefficients) per unit of the update."""
    laplacian: int = Field(0, ge=0, le=12)
    """Splits of the Laplacian pyramid that gives all scales of the gradient the same strength, 0 to 12 (0: off)."""
    max_score: float | None = Field(None, allow_inf_nan=False)
    """An octave ends as soon as the score, which is −loss, is above this value."""

    @property
    def couples_pictures(self) -> bool:
        """See OptimizerSettings: all pictures of a batch have a common score."""
        return self.max_score is not None


class _Moves(Protocol):
    """The moves of a rule along an objective. `x` is the picture, and `kept` the rule's state."""

    x: Any
    kept: State

    @property
    def most(self) -> int:
        """The largest number of steps that are taken at once."""

    @property
    def goes_ahead(self) -> bool:
        """Whether `take` returns before the steps are computed, and the next can be taken."""

    def begin(self, drawn: int, bounds: Bounds) -> None:
        """Evaluate the objective at the picture, with draw `drawn`."""

    def take(self, drawn: int, count: int, bounds: Bounds) -> Taken:
        """Take steps, each with the next draw after `drawn`."""


def apply_rule(
    rule: Rule,
    objective: "Objective",
    x: np.ndarray,
    settings: UpdateRuleSettings,
    start: int,
    state: Mapping[str, np.ndarray],
) -> Iterator[OptimizerResult]:
    """Yield a result after every `settings.passes` updates by a rule that runs on the device (steps.py).

    Each update has its own draw of the jitter. The gradient goes through the Laplacian pyramid. After each update, the
    picture is clipped to the bounds of the iteration (box.py). The last result is `done` as soon as the score, −loss,
    is above `settings.max_score`. Raises Diverged.
    """
    walk = Walk(rule, objective, settings, x)
    if state:
        walk.kept = {name: ops.convert_to_tensor(state[name]) for name in walk.kept}
    return _iterations(walk, objective, settings, start, state)


def begin_rule(rule: Rule, objective: "Objective", x: Any, settings: UpdateRuleSettings) -> Any:
    """Evaluate the objective at x by the function that `apply_rule` will use. Returns x as a tensor."""
    walk = Walk(rule, objective, settings, x)
    walk.begin(objective.drawn, _bounds(walk.x, settings, objective))
    return walk.x


def _iterations(
    moves: _Moves,
    objective: "Objective",
    settings: UpdateRuleSettings,
    start: int,
    state: Mapping[str, np.ndarray],
) -> Iterator[OptimizerResult]:
    drawn = start * settings.passes
    moves.begin(drawn, _bounds(moves.x, settings, objective))
    first = float(state[FIRST]) if state else objective.loss(moves.x)
    calls = -(-settings.passes // moves.most)  # of `take` in an iteration
    taking = _taking(moves, objective, settings, drawn)
    ahead: deque[Taken] = deque()  # on a GPU, the next iteration, which begins before this one ends
    for iteration in count(start + 1):
        for call in range(1, calls + 1):
            taken = ahead.popleft() if ahead else next(taking)
            arriving = _arriving(taken) if call == calls else None
            if arriving and moves.goes_ahead and iteration % settings.iterations:
                ahead.extend(islice(taking, calls))
            losses = taken.losses()
            for loss in losses:
                if loss - first > LARGEST_RISE * max(abs(first), 1):
                    raise Diverged(f"the loss diverged, from {first:.4g} to {loss:.4g}")
            done = settings.max_score is not None and -losses[-1] > settings.max_score
            if done:
                break
        x, kept = (arriving or _arriving(taken))()
        kept = {FIRST: np.array(first), **_arrays(kept)}
        yield OptimizerResult(x, losses[-1], objective.terms(taken.x), kept, done)
        if done:
            return


def _arriving(taken: Taken) -> Callable[[], tuple[Any, State]]:
    """Start to copy the picture and the state to the host, and return a function that waits for them."""
    x, kept = host.fetch(taken.x), {name: host.fetch(value) for name, value in taken.kept.items()}
    return lambda: (x(), {name: value() for name, value in kept.items()})


def _taking(moves: _Moves, objective: "Objective", settings: UpdateRuleSettings, drawn: int) -> Iterator[Taken]:
    """Take the steps of one iteration after the other, each time as many at once as possible."""
    while True:
        bounds, end = _bounds(moves.x, settings, objective), drawn + settings.passes
        while drawn < end:
            number = min(end - drawn, moves.most)
            yield moves.take(drawn, number, bounds)
            drawn += number


def _bounds(x: Any, settings: UpdateRuleSettings, objective: "Objective") -> Bounds:
    return Box.around(x, settings, objective.preprocessing) or ()


class _OnHost:
    """The moves of a rule on arrays in pixel values, for example one from a notebook.

    The rule gets Fourier coefficients instead if `preprocessing` is "none". The step therefore means the same for every
    network.
    """

    most, goes_ahead = 1, False

    def __init__(self, rule: HostRule, splits: int, objective: "Objective", x: np.ndarray, kept: State):
        self.x, self.kept = x, kept
        self._rule, self._splits, self._objective = rule, splits, objective
        self._scale, self._mean = np.array(objective.preprocessing.scale), np.array(objective.preprocessing.mean)

    def begin(self, drawn: int, bounds: Bounds) -> None:
        self._objective.draw(drawn)

    def take(self, drawn: int, count: int, bounds: Bounds) -> Taken:
        gradient = self._objective.gradient(self.x)
        if self._splits:
            gradient = ops.convert_to_numpy(laplacian.normalise(ops.convert_to_tensor(gradient), self._splits))
        self.x = self._moved(gradient)
        if bounds:
            self.x = np.clip(self.x, bounds.low, bounds.high)
        self._objective.draw(drawn + 1)
        loss = self._objective.loss(self.x)
        return Taken(self.x, self.kept, lambda: [loss])

    def _moved(self, gradient: np.ndarray) -> np.ndarray:
        """Call the rule. Raises SettingsError if it does not return a picture of this shape and a state."""
        pixels = (self.x * self._scale + self._mean).astype(np.float32)
        returned = self._rule(pixels, (gradient / self._scale).astype(np.float32), self.kept)
        if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Mapping)):
            raise SettingsError(f"an update rule must return the next picture and a state, not {_kind(returned)}")
        moved, self.kept = returned
        if tuple(getattr(moved, "shape", ())) != self.x.shape:
            raise SettingsError(f"an update rule must return a picture of shape {self.x.shape}, not {_kind(moved)}")
        return (ops.convert_to_numpy(moved) - self._mean) / self._scale


def _kind(value: Any) -> str:
    """Describe a value in a message: its type, and its shape or the types of its parts."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    return f"({', '.join(type(part).__name__ for part in value)})" if isinstance(value, tuple) else type(value).__name__


def update_rule(
    name: str | Callable[..., Any] | None = None,
    *,
    settings: type[UpdateRuleSettings] = UpdateRuleSettings,
    title: str | None = None,
    colour: str | None = None,
    advice: str = "lower optimizer.step",
) -> Callable[..., Any]:
    """Make an optimizer from a function (x, gradient, state, settings) → (x, state).

        @update_rule(title="momentum")
        def momentum(x, gradient, state, settings):
            velocity = 0.9 * state.get("velocity", 0) + gradient / np.abs(gradient).mean()
            return x - settings.step * velocity, {"velocity": velocity}

    x and the gradient of the loss are float32 (..., H, W, 3) in pixel values. The function is called once per pass. It
    returns the next picture and the next state: the other arrays that its next call needs, by name. The state is empty
    at the start of an octave, and is saved for resuming. Arguments are as in `optimizer`. They may all be omitted, and
    the parentheses, too.
    """
    if callable(name):
        return update_rule()(name)

    def add(rule: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(rule)
        def function(
            objective: "Objective", x: np.ndarray, table: Any, start: int, state: Mapping[str, np.ndarray]
        ) -> Iterator[OptimizerResult]:
            def on_pixels(pixels: np.ndarray, gradient: np.ndarray, kept: State) -> tuple[Any, State]:
                return rule(pixels, gradient, kept, table)

            kept = {name: value for name, value in state.items() if name != FIRST}
            moves = _OnHost(on_pixels, table.laplacian, objective, x, kept)
            return _iterations(moves, objective, table, start, state)

        add_optimizer = optimizer(
            name or rule.__name__,
            settings=settings,
            title=title,
            colour=colour,
            advice=advice,
            searches="step",
            accepts=has_first,
        )
        add_optimizer(function)
        return rule

    return add


def has_first(state: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> bool:
    """Return whether the state contains the first loss. What else it may contain, only the rule knows."""
    return FIRST in state and state[FIRST].shape == () and bool(np.isfinite(state[FIRST]))


def _arrays(state: State) -> dict[str, np.ndarray]:
    """Copy a rule's state to arrays, because the rule may change its state in place."""
    if FIRST in state:
        raise SettingsError(f"an update rule cannot keep '{FIRST}' in its state; use another name")
    arrays = {name: np.array(ops.convert_to_numpy(value)) for name, value in state.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise SettingsError(f"the state of an update rule has numbers only, but '{name}' is {_kind(state[name])}")
    return arrays
