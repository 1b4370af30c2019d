"""The protocol of an objective: the loss that an optimizer minimises."""

from collections.abc import Callable
from typing import Any, Protocol

from dreamscripts.images.preprocessing import Preprocessing

OnPass = Callable[[int, float], None]  # (passes, loss)


class Objective(Protocol):
    """The loss of a picture x (..., H, W, 3), float, and its gradient, both for the current draw of the jitter.

    x is an array or a tensor of the backend, in the units of `preprocessing`.
    """

    @property
    def preprocessing(self) -> Preprocessing:
        """The map from pixel values to the values of x."""

    @property
    def is_random(self) -> bool:
        """Whether two draws of the jitter can give different losses."""

    def draw(self, number: int) -> None:
        """Use draw `number` of the jitter from now on."""

    def loss(self, x: Any) -> float:
        """Compute the loss at x. Raises Diverged if it is not a finite number."""

    def gradient(self, x: Any) -> Any:
        """Compute the gradient of the loss at x: float32, with the shape and the type (array or tensor) of x."""

    def terms(self, x: Any) -> dict[str, float]:
        """Compute the weighted terms of the loss at x, by name. The loss is their sum."""
