"""Iterate: what a run yields, and all that is needed to go on from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dreamscripts.preprocessing import PREPROCESSINGS


@dataclass(frozen=True)
class Iterate:
    """A picture on its way, with everything that watches a run wants to know of it."""

    octave: int
    iteration: int  # 0 is the photograph itself
    loss: float
    terms: Mapping[str, float]  # weighted; their sum is the loss
    evaluations: int  # passes through the network so far
    seconds: float  # of computing so far, over all sittings
    x: np.ndarray  # float64 (H, W, 3), as the network sees it
    preprocessing: str  # how it does
    random_state: Mapping[str, Any]  # of the generator, after this iteration

    @cached_property
    def picture(self) -> np.ndarray:
        """The picture: float32 (H, W, 3), RGB, 0..255."""
        return PREPROCESSINGS[self.preprocessing].undo(self.x)

    @property
    def beyond(self) -> float:
        """The share of x's values that are beyond 0..255 as pixels, and clipped in `picture`: 0..1."""
        p = PREPROCESSINGS[self.preprocessing]
        pixels = self.x * p.scale + p.mean
        return float(((pixels < -0.5) | (pixels > 255.5)).mean())
