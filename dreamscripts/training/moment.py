"""Moment: the state of a training after a step, as progress and report show it. Keras is not imported here."""

from dataclasses import dataclass

PARTS = ("features", "energies", "direction")
"""The parts of the loss, as in lesson.py."""


@dataclass(frozen=True)
class Moment:
    """The state after a step: seconds since the start, the position (0 to 1), and the parts of the loss.

    `agreement` {layer: cosine} is measured from time to time, on a few photographs.
    """

    step: int
    seconds: float
    position: float
    parts: tuple[float, ...]
    agreement: dict[str, float] | None = None
