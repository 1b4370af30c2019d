"""optimize(objective, x, settings): run the optimizer that the settings name, on pixels or on Fourier coefficients."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.tables import OptimizerSettings

if TYPE_CHECKING:
    from dreamscripts.objective.fourier import FourierEvaluator
    from dreamscripts.objective.protocol import Objective

COEFFICIENTS = "coefficients"  # their name in the state


def optimize(
    objective: "Objective",
    x: np.ndarray,
    settings: OptimizerSettings,
    start: int = 0,
    state: Mapping[str, np.ndarray] | None = None,
) -> Iterator[OptimizerResult]:
    """Minimise the objective from the preprocessed picture x (..., H, W, 3), and yield a result per iteration.

    `start` is the number of earlier iterations. `state` is the state of the last result, None at the start of an
    octave. With `settings.parameters` = "fourier", the optimizer changes Fourier coefficients of the picture, but the
    results contain pictures. Raises Diverged if the loss becomes infinite, NaN or much larger than at the start.
    """
    state = dict(state or {})
    function = OPTIMIZERS[settings.name].function
    if settings.parameters == "pixels":
        yield from function(objective, x, settings, start, state)
        return
    fourier, coefficients = _in_fourier(objective, x, state.pop(COEFFICIENTS, None))
    for result in function(fourier, coefficients, _unclipped(settings), start, state):
        yield replace(result, x=fourier.picture(result.x), state={**result.state, COEFFICIENTS: result.x})


def begin(
    objective: "Objective", x: np.ndarray, settings: OptimizerSettings, state: Mapping[str, np.ndarray] | None = None
) -> OptimizerResult:
    """Evaluate the objective where `optimize` will begin, so that it has no more to do, and return its result there.

    What is compiled is what the optimizer will use. Arguments are as in `optimize`.
    """
    start = OPTIMIZERS[settings.name].begin
    place: Any = x
    if settings.parameters == "pixels":
        place = start(objective, x, settings)
    elif state:
        objective, coefficients = _in_fourier(objective, x, state[COEFFICIENTS])
        place = start(objective, coefficients, _unclipped(settings))
    return OptimizerResult(x, objective.loss(place), objective.terms(place))


def _in_fourier(
    objective: "Objective", x: np.ndarray, coefficients: np.ndarray | None
) -> "tuple[FourierEvaluator, np.ndarray]":
    """Return the objective as a function of coefficients, and the coefficients of x, unless they are given."""
    from dreamscripts.objective.fourier import FourierEvaluator  # needs SciPy

    fourier = FourierEvaluator(objective, *x.shape[-3:-1])
    return fourier, fourier.coefficients.of(x) if coefficients is None else coefficients


def _unclipped(settings: OptimizerSettings) -> OptimizerSettings:
    """Remove the limits of pixels. Coefficients need none, because a sigmoid keeps the pixels within 0..255."""
    return settings.model_copy(update={"clip": False})


def accepts_state(state: Mapping[str, np.ndarray], settings: OptimizerSettings, shape: tuple[int, ...]) -> bool:
    """Return whether these arrays can be the state of a result in the middle of an octave.

    `shape` is that of the picture, (..., H, W, 3).
    """
    state = dict(state)
    if settings.parameters == "fourier":
        *batch, height, width, colours = shape
        shape = (*batch, height, 2 * (width // 2 + 1), colours)  # see FourierEvaluator
        coefficients = state.pop(COEFFICIENTS, None)
        if coefficients is None or coefficients.shape != shape or not np.isfinite(coefficients).all():
            return False
    return OPTIMIZERS[settings.name].accepts(state, shape)
