"""The protocol of an optimizer: a function that yields one result for each iteration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective


@dataclass(frozen=True)
class OptimizerResult:
    """The result of an iteration: a picture x (..., H, W, 3) in the units of the objective, its loss and its terms.

    `state` contains all other arrays that the next iteration needs, by name. It is saved for resuming. `done` ends the
    octave.
    """

    x: np.ndarray
    loss: float
    terms: dict[str, float]
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    done: bool = False


class OptimizerFunction(Protocol):
    """An optimizer: a function that yields a result for each iteration, endlessly or until a result is `done`."""

    def __call__(
        self,
        objective: "Objective",
        x: np.ndarray,
        settings: Any,
        start: int,
        state: Mapping[str, np.ndarray],
        /,
    ) -> Iterator[OptimizerResult]:
        """Minimise the objective from the picture x (..., H, W, 3).

        `settings` is the table [optimizer], in the optimizer's own subclass of OptimizerSettings. `start` is the number
        of earlier iterations, which determines the draws of the jitter. `state` is the state of the last result, empty
        at the start of an octave. An iteration takes about `settings.passes` passes. The pixels must stay within the
        bounds that `settings.clip` and `settings.max_change` set (box.py). Raises Diverged.
        """
