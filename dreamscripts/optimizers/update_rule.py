"""Optimizers that are an update rule: (x, gradient, state) → (x, state), applied once for every pass."""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import Diverged, SettingsError
from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.box import bounds_around
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.settings.numbers import Float32
from dreamscripts.settings.tables import OptimizerSettings

if TYPE_CHECKING:
    from dreamscripts.images.preprocessing import Preprocessing
    from dreamscripts.objective.protocol import Objective

LARGEST_RISE = 100  # of the loss before Diverged is raised, as a multiple of the first loss
FIRST = "first"  # the name of the first loss in the state

State = Mapping[str, Any]
Rule = Callable[[np.ndarray, np.ndarray, State], tuple[Any, State]]


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


def apply_rule(
    rule: Rule,
    objective: "Objective",
    x: np.ndarray,
    settings: UpdateRuleSettings,
    start: int,
    state: Mapping[str, np.ndarray],
) -> Iterator[OptimizerResult]:
    """Yield a result after every `settings.passes` updates. Each update has its own draw of the jitter.

    `rule(x, gradient, state)` returns the next picture and the next state. The gradient of the loss is float32 (..., H,
    W, 3), after the Laplacian pyramid. The state is empty at the start of an octave. Its values are arrays or tensors,
    and the name "first" is reserved. After each update, the picture is clipped to the bounds of the iteration (box.py).
    The last result is `done` as soon as the score, −loss, is above `settings.max_score`. Raises Diverged.
    """
    kept: State = {name: value for name, value in state.items() if name != FIRST}
    drawn = start * settings.passes
    objective.draw(drawn)
    first = float(state[FIRST]) if state else objective.loss(x)
    while True:
        bounds = bounds_around(x, settings, objective.preprocessing)
        for _ in range(settings.passes):
            gradient = objective.gradient(x)
            if settings.laplacian:
                gradient = laplacian.normalise(gradient, settings.laplacian)
            x, kept = rule(x, gradient, kept)
            if bounds is not None:
                x = np.clip(x, *bounds)
            drawn += 1
            objective.draw(drawn)
            loss = objective.loss(x)
            if loss - first > LARGEST_RISE * max(abs(first), 1):
                raise Diverged(f"the loss diverged, from {first:.4g} to {loss:.4g}")
            if done := settings.max_score is not None and -loss > settings.max_score:
                break
        yield OptimizerResult(x, loss, objective.terms(x), {FIRST: np.array(first), **_arrays(kept)}, done)
        if done:
            return


def in_pixel_values(rule: Rule, preprocessing: "Preprocessing") -> Rule:
    """Turn a rule on pixel values into a rule on preprocessed pictures.

    The step size then means the same for every network. The rule gets float32 pixel values, or Fourier coefficients if
    `preprocessing` is "none". Raises SettingsError if the rule does not return a picture of this shape and a state.
    """
    scale, mean = np.array(preprocessing.scale), np.array(preprocessing.mean)

    def converted(x: np.ndarray, gradient: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        pixels = (x * scale + mean).astype(np.float32)
        returned = rule(pixels, (gradient / scale).astype(np.float32), state)
        if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Mapping)):
            raise SettingsError(f"an update rule must return the next picture and a state, not {_kind(returned)}")
        moved, state = returned
        if tuple(getattr(moved, "shape", ())) != x.shape:
            raise SettingsError(f"an update rule must return a picture of shape {x.shape}, not {_kind(moved)}")
        return (ops.convert_to_numpy(moved) - mean) / scale, state

    return converted


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

            converted = in_pixel_values(on_pixels, objective.preprocessing)
            return apply_rule(converted, objective, x, table, start, state)

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
