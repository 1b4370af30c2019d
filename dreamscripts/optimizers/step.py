"""Step: what an optimizer yields."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Step:
    """A picture x (H, W, 3) in the network's preprocessing, its loss and terms, and what the optimizer remembers.

    `done` says that the optimizer wants no further step in this octave.
    """

    x: np.ndarray
    loss: float
    terms: dict[str, float]
    memory: Mapping[str, np.ndarray] = field(default_factory=dict)
    done: bool = False
