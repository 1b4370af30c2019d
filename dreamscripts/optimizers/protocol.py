"""The protocol of an optimizer: an iterator of results, one for each iteration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from dreamscripts.objective.protocol import Objective


@dataclass(frozen=True)
class OptimizerResult:
    """The result of an iteration: a picture x (..., H, W, 3) in the units of the objective, its loss and its terms.

    `state` is all that the next iteration needs beside x, as arrays by name: it is saved for resuming. `done` ends the
    octave.
    """

    x: np.ndarray
    loss: float
    terms: dict[str, float]
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    done: bool = False


class OptimizerFunction(Protocol):
    """An optimizer: yields a result for each iteration, without end or up to the first that is `done`."""

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

        `settings` are the optimizer's own (a subclass of OptimizerSettings). `start` is the number of iterations
        before, which decides the draws of the jitter. `state` is that of the result before, empty at the start of an
        octave. An iteration is about `settings.passes` passes. The pixels must stay within the bounds that
        `settings.clip` and `settings.max_change` set (box.py). Raises Diverged.
        """
