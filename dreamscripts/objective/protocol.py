"""The protocol of an objective: the loss that an optimizer minimises."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.objective.transforms import Draw

OnPass = Callable[[int, float], None]  # (passes, loss)
Evaluate = Callable[[Any, Draw], tuple[Any, Any]]
"""(x, draw) → the numbers and the gradient of a pass, tensors, for a float32 tensor x (…, H, W, 3).

The numbers (n + 1,) are the n terms of the loss, and the sum of the gradient, which shows whether it is finite.
"""


class Objective(Protocol):
    """The loss of a picture x (..., H, W, 3), float, and its gradient, both for the current draw of the jitter.

    x is an array or a tensor of the backend, in the units of `preprocessing`. An optimizer can ask for the loss and the
    gradient. Or it can have its own step compiled together with the pass, so that nothing leaves the device: `compiled`
    returns the function, `draws` an argument of it, and `record` takes its results.
    """

    @property
    def preprocessing(self) -> Preprocessing:
        """The map from pixel values to the values of x."""

    @property
    def is_random(self) -> bool:
        """Whether two draws of the jitter can give different losses."""

    @property
    def names(self) -> list[str]:
        """The names of the terms."""

    @property
    def drawn(self) -> int:
        """The number of the current draw of the jitter."""

    @property
    def passes_at_once(self) -> int:
        """The largest number of passes in a call of a compiled function."""

    def draw(self, number: int) -> None:
        """Use draw `number` of the jitter from now on."""

    def loss(self, x: Any) -> float:
        """Compute the loss at x. Raises Diverged if it is not a finite number."""

    def gradient(self, x: Any) -> Any:
        """Compute the gradient of the loss at x: float32, with the shape and the type (array or tensor) of x."""

    def terms(self, x: Any) -> dict[str, float]:
        """Compute the weighted terms of the loss at x, by name. The loss is their sum."""

    def is_cached(self, x: Any) -> bool:
        """Return whether the loss, the terms and the gradient at x are known, so that they cost no pass."""

    def compiled(self, function: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        """Compile `function(evaluate, *arguments)` for pictures of this shape; `evaluate` is described above.

        Equal functions are compiled only once. Arguments are arrays, tensors, and tuples or dictionaries of them. If
        the loss is computed in tiles, the function is not compiled, but gives the same results.
        """

    def draws(self, numbers: Sequence[int]) -> Draw:
        """Return the draws of these numbers, stacked, for passes that use each of them once."""

    def current_draw(self, shape: tuple[int, ...]) -> Draw:
        """Return the current draw, for many passes of pictures of this shape."""

    def record(self, x: Any, numbers: Any, gradient: Any, drawn: int) -> list[float]:
        """Count the passes of a compiled function, keep the results of the last, and return the loss of each.

        `numbers` are those of `evaluate`, (n + 1,), or (passes, n + 1). x, its gradient and the number of its draw are
        those of the last pass. Raises Diverged, which names the pass, if a number is not finite.
        """


def evaluate_at(evaluate: Evaluate, x: Any, draw: Draw) -> tuple[Any, Any]:
    """Evaluate the loss once: the simplest function to compile."""
    return evaluate(x, draw)


def with_check(evaluate: Callable[..., tuple], x: Any, *others: Any) -> tuple[Any, Any]:
    """Turn the terms of `evaluate` (backends/compiling.py) into the numbers of a pass."""
    terms, gradient = evaluate(x, *others)
    return ops.append(terms, ops.sum(gradient)), gradient


def loss_of(numbers: np.ndarray) -> float:
    """Return the loss: the sum of the terms in the numbers of a pass."""
    return float(numbers[:-1].sum())
