"""Iterate: what a run yields, and all that is needed to go on from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dreamscripts.images.preprocessing import PREPROCESSINGS


@dataclass(frozen=True)
class Iterate:
    """A picture on its way, with everything that watches a run wants to know of it."""

    octave: int  # 0 is the smallest
    iteration: int  # 0 is the photograph itself
    loss: float
    terms: Mapping[str, float]  # weighted; their sum is the loss
    passes: int  # passes through the network so far
    seconds: float  # of computing so far, over all sittings
    x: np.ndarray  # float (H, W, 3), as the network sees it; of pictures made together (N, H, W, 3)
    preprocessing: str  # how it does
    drawn: int  # the draw of the jitter that the loss was measured under
    ends_octave: bool  # the next iterate is of another size, or there is none
    state: Mapping[str, np.ndarray]  # the optimizer's
    stretched: bool = False  # whether x grew out of noise, beyond any range, and is shown with its contrast evened out

    @property
    def picture(self) -> np.ndarray:
        """The picture, worked out each time: float32 (H, W, 3), RGB, 0..255; of a batch (N, H, W, 3)."""
        preprocessing = PREPROCESSINGS[self.preprocessing]
        return preprocessing.stretched(self.x) if self.stretched else preprocessing.denormalise(self.x)

    @property
    def beyond(self) -> float:
        """The share of the picture's values that lie beyond 0..255 and are clipped: 0..1."""
        return 0.0 if self.stretched else PREPROCESSINGS[self.preprocessing].beyond(self.x)
