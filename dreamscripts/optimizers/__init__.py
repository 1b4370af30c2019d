"""What moves the pixels: generators of steps over an evaluator."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Step:
    """A picture x (H, W, 3) float64 in the network's preprocessing, and the loss and its terms that led there."""

    x: np.ndarray
    loss: float
    terms: dict[str, float]
