"""The bounds of an iteration: how far each pixel may move, and never beyond black and white."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.settings.schema import OptimizerSettings


def bounds_around(x: Any, settings: OptimizerSettings, preprocessing: Preprocessing) -> tuple[Any, Any] | None:
    """The least and the greatest picture of an iteration that begins with x (..., H, W, 3); None for no bounds.

    `settings.max_change` bounds every value to so many pixel values around x, cut to 0..255; `settings.clip` alone
    bounds it to 0..255. A value of x beyond 0..255 has bounds within, and the nearest is where it belongs. Arrays for
    an array, tensors for a tensor, of its type and shape.
    """
    xp = ops if ops.is_tensor(x) else np

    def spread(by_channel: np.ndarray) -> Any:  # as wide as the picture: a last axis of three is slow
        row = np.tile(by_channel, (x.shape[-2], 1))
        return ops.convert_to_tensor(row, "float32") if xp is ops else row.astype(x.dtype)

    low, high = map(spread, preprocessing.limits)
    if settings.max_change is not None:
        change = spread(settings.max_change / np.array(preprocessing.scale))
        return tuple(xp.minimum(xp.maximum(bound, low), high) for bound in (x - change, x + change))
    if settings.clip:
        return tuple(xp.broadcast_to(limit, x.shape) for limit in (low, high))
    return None


@dataclass(frozen=True)
class Box:
    """The bounds of an iteration on the device: flat float32 tensors, the least and the greatest values."""

    low: Any
    high: Any
    reach: float  # how far a value may move, in the units of x

    @classmethod
    def around(cls, picture: Any, settings: OptimizerSettings, preprocessing: Preprocessing) -> Self | None:
        """The bounds around a tensor (..., H, W, 3); None where the settings set none."""
        bounds = bounds_around(picture, settings, preprocessing)
        if bounds is None:
            return None
        low, high = (ops.reshape(bound, (-1,)) for bound in bounds)
        return cls(low, high, (settings.max_change or 255) / max(preprocessing.scale))

    def clipped(self, x: Any) -> Any:
        """x, each value that lies outside moved to the nearest bound."""
        return ops.minimum(ops.maximum(x, self.low), self.high)  # half the time of ops.clip

    def free(self, x: Any, gradient: Any) -> Any:
        """Float32: 0 for every value that is at a bound and pushed outwards by its gradient, and 1 for the others."""
        bound = ((x <= self.low) & (gradient > 0)) | ((x >= self.high) & (gradient < 0))
        return 1.0 - ops.cast(bound, "float32")
