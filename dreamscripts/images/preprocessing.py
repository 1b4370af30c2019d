"""The preprocessing of pictures for each family of networks, and its inverse.

Each preprocessing is an affine map, x = (picture − mean) / scale, on RGB or BGR channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Preprocessing:
    """A map between pictures (float32 RGB in 0..255) and x (float64, for the network), both (..., H, W, 3)."""

    name: str
    channels: str  # "RGB" or "BGR": the order in x, mean and scale
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]

    def normalise(self, picture: np.ndarray) -> np.ndarray:
        """Normalise a picture for the network: float64, of the same shape."""
        return (self._reorder(np.asarray(picture, np.float64)) - self.mean) / self.scale

    def pixels(self, x: np.ndarray) -> np.ndarray:
        """Convert x to RGB pixel values, which may be outside 0..255."""
        return self._reorder(x * self.scale + self.mean)

    def pull(self, g: np.ndarray) -> np.ndarray:
        """Convert a gradient with respect to x to the gradient with respect to RGB pixel values, of the same type."""
        return self._reorder(g / np.asarray(self.scale, g.dtype))

    def denormalise(self, x: np.ndarray) -> np.ndarray:
        """Undo `normalise`: float32 pixel values, clipped to 0..255."""
        picture = np.empty(x.shape, np.float32)
        for i, pixels in enumerate(self._by_channel(x)):
            picture[..., i] = pixels.clip(0, 255)
        return picture

    def stretched(self, x: np.ndarray) -> np.ndarray:
        """Convert x to a picture with a grey mean and a standard deviation of a tenth of the range.

        This is for x that started as noise, as in the feature-visualisation notebook. Returns float32, clipped to
        0..255. The mean and the deviation are computed for each picture of a batch.
        """
        pixels = self.pixels(x)
        mean, deviation = (average(pixels, axis=(-3, -2, -1), keepdims=True) for average in (np.mean, np.std))
        return (255 * ((pixels - mean) / np.maximum(deviation, 1e-4) * 0.1 + 0.5)).clip(0, 255).astype(np.float32)

    def beyond(self, x: np.ndarray) -> float:
        """Return the share (0..1) of pixel values that are outside 0..255, which `denormalise` clips."""
        return float(np.mean([((pixels < -0.5) | (pixels > 255.5)).mean() for pixels in self._by_channel(x)]))

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """The values of x for pixel values 0 and 255: two arrays (3,)."""
        return (0 - np.array(self.mean)) / self.scale, (255 - np.array(self.mean)) / self.scale

    def _by_channel(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the pixel values of red, green and blue, one after the other, to save memory."""
        for channel in (2, 1, 0) if self.channels == "BGR" else (0, 1, 2):
            yield x[..., channel] * self.scale[channel] + self.mean[channel]

    def _reorder(self, x: np.ndarray) -> np.ndarray:
        return x[..., ::-1] if self.channels == "BGR" else x


PREPROCESSINGS = {
    p.name: p
    for p in (
        Preprocessing("caffe", "BGR", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
        Preprocessing("tf", "RGB", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
        Preprocessing("torch", "RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        Preprocessing("googlenet", "RGB", (117.0, 117.0, 117.0), (1.0, 1.0, 1.0)),
        Preprocessing("unit", "RGB", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
        Preprocessing("none", "RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    )
}
