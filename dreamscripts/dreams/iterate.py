"""Iterate: a picture of a dream, with the data that a resumed run continues from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dreamscripts.images.preprocessing import PREPROCESSINGS


@dataclass(frozen=True)
class Iterate:
    """A picture of a dream after an iteration.

    `loss` and `terms` are computed from the optimizer's result with the random draw `drawn`. This result is `x`, except
    at the end of an octave: there, the schedule may resize the result or add detail before it becomes `x`.
    """

    octave: int  # 0 is the smallest
    iteration: int  # 0 is the start picture: the photograph at the first size, noise, or `start` of `dream`
    loss: float
    terms: Mapping[str, float]  # weighted, so that their sum is the loss
    passes: int  # passes through the network so far
    seconds: float  # of computing so far, including those before an interruption
    x: np.ndarray  # float (H, W, 3), or (N, H, W, 3) for a batch, preprocessed for the network
    preprocessing: str  # the name of this preprocessing
    drawn: int  # the number of the random draw of the transforms
    ends_octave: bool  # this is the last iterate of its octave
    state: Mapping[str, np.ndarray]  # of the optimizer
    stretched: bool = False  # whether the contrast is normalised for display, as in dreams from noise

    @property
    def picture(self) -> np.ndarray:
        """The picture: float32 (H, W, 3), or (N, H, W, 3) for a batch, RGB in 0..255. Computed at each call."""
        preprocessing = PREPROCESSINGS[self.preprocessing]
        return preprocessing.stretched(self.x) if self.stretched else preprocessing.denormalise(self.x)

    @property
    def beyond(self) -> float:
        """The fraction of pixel values outside 0..255, which are clipped: 0..1."""
        return 0.0 if self.stretched else PREPROCESSINGS[self.preprocessing].beyond(self.x)
