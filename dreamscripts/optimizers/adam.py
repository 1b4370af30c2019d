"""Adam, as Keras computes it, on pixel values."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dreamscripts.backends.lazy_keras import keras, ops
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.optimizers.registry import optimizer
from dreamscripts.optimizers.update_rule import FIRST, State, UpdateRuleSettings, apply_rule, has_first, in_pixel_values

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective


class AdamSettings(UpdateRuleSettings):
    """Adam: the step of each value is `step` times its mean gradient over the root of its mean squared gradient."""

    name: Literal["adam"] = "adam"
    """The optimizer."""


def _is_state(state: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> bool:
    """Return whether the state has the first loss, and Keras's iteration, learning rate, mean and mean square."""
    variables = {name: array.shape for name, array in state.items() if name != FIRST}
    fits = has_first(state, shape) and variables == {"0": (), "1": (), "2": shape, "3": shape}
    return fits and all(np.isfinite(array).all() for array in state.values())


@optimizer(
    "adam",
    settings=AdamSettings,
    title="Adam",
    colour="#d97706",
    advice="lower optimizer.step",
    searches="step",
    accepts=_is_state,
)
def adam(
    objective: "Objective", x: np.ndarray, settings: AdamSettings, start: int, state: Mapping[str, np.ndarray]
) -> Iterator[OptimizerResult]:
    """Minimise the objective with Keras's Adam. Its learning rate is `settings.step`, in pixel values.

    The state contains the variables of Keras's Adam, by number.
    """
    rule = in_pixel_values(_Adam(settings.step), objective.preprocessing)
    return apply_rule(rule, objective, x, settings, start, state)


class _Adam:
    """The update rule of Keras's Adam. Its variables are created at the first call."""

    def __init__(self, rate: float):
        self._rate = rate
        self._rule: Any = None

    def __call__(self, x: np.ndarray, gradient: np.ndarray, state: State) -> tuple[Any, State]:
        if self._rule is None:
            self._pixels = keras.Variable(x)
            self._rule = keras.optimizers.Adam(self._rate)
            self._rule.build([self._pixels])
            for number, variable in enumerate(self._rule.variables if state else []):
                variable.assign(state[str(number)])
        self._pixels.assign(x)
        self._rule.apply([ops.convert_to_tensor(gradient)])
        return self._pixels, {str(number): variable for number, variable in enumerate(self._rule.variables)}
