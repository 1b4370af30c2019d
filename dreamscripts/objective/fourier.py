"""A picture as scaled Fourier coefficients with decorrelated colours, which an optimizer changes.

Coefficients are scaled like the spectra of photographs. The colour axes are those that vary independently in
photographs. Steps of equal length in all coefficients then make shapes and surfaces, but steps in pixels make grain
(Olah et al. 2017, "Feature Visualization"; Mordvintsev et al. 2018, "Differentiable Image Parameterizations"). A
sigmoid keeps the pixels within 0..255.
"""

import numpy as np
from scipy import fft, special

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.objective.protocol import Objective

# The square root of the covariance of ImageNet's colours, from lucid. Its scale has no effect.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
CONTRAST = 4  # lucid's divisor of the picture before the sigmoid
DARKEST = 1 / 512  # smallest distance from black (0) and from white (1): half a step of 8 bits
ROWS_AND_COLUMNS = (-3, -2)


class FourierEvaluator:
    """The objective as a function of coefficients z instead of pictures x (..., H, W, 3).

    z is float32 (..., H, 2 · (W // 2 + 1), 3), with a batch axis if x has one: for each decorrelated colour the real
    part of the half spectrum, and to the right of it the imaginary part. Gradients have the same shape.
    """

    preprocessing = PREPROCESSINGS["none"]  # coefficients have no unit

    def __init__(self, objective: Objective, height: int, width: int):
        """Make an evaluator for pictures of `height`×`width` pixels."""
        self.draw, self.is_random = objective.draw, objective.is_random
        self._objective = objective
        self._of_pictures = objective.preprocessing
        self._size = height, width
        frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / CONTRAST
        self._scale = np.tile(scale, 2)[:, :, None].astype(np.float32)
        # Each column of the half spectrum counts twice, except the first column and, for an even width, the last.
        mirrored = np.arange(1, width // 2 + 2) <= (width + 1) // 2
        mirrored[0] = False
        self._times = np.where(mirrored, 2, 1)[:, None].astype(np.float32)
        self._last: tuple[np.ndarray, ...] | None = None  # coefficients, their pixels in 0..1, their picture

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """Compute the coefficients of a picture. Pixels at or outside 0..255 become nearly black or white first."""
        share = (self._of_pictures.pixels(x) / 255).clip(DARKEST, 1 - DARKEST)
        logit = np.log(share / (1 - share)) @ np.linalg.inv(COLOURS.T)
        return _parts(fft.rfft2(logit, axes=ROWS_AND_COLUMNS)).astype(np.float32) / self._scale

    def picture(self, z: np.ndarray) -> np.ndarray:
        """Compute the picture of coefficients: float32 (..., H, W, 3), preprocessed."""
        return self._pixels_and_picture(z)[1]

    def loss(self, z: np.ndarray) -> float:
        """Compute the loss of the picture."""
        return self._objective.loss(self.picture(z))

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """Compute the gradient of the loss with respect to the coefficients: float32, of their shape."""
        share, x = self._pixels_and_picture(z)
        g = self._of_pictures.pull(self._objective.gradient(x))
        g = (255 * g * share * (1 - share)).astype(np.float32) @ COLOURS
        spectrum = fft.rfft2(g, axes=ROWS_AND_COLUMNS) * (self._times / np.prod(self._size))
        return (_parts(spectrum) * self._scale).astype(np.float32)

    def terms(self, z: np.ndarray) -> dict[str, float]:
        """Compute the weighted terms of the loss of the picture."""
        return self._objective.terms(self.picture(z))

    def _pixels_and_picture(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the pixels in 0..1 and the picture. Cached, because coefficients are evaluated repeatedly."""
        z = ops.convert_to_numpy(z)
        if self._last is None or not np.array_equal(z, self._last[0]):
            real, imaginary = np.split(z.astype(np.float32) * self._scale, 2, axis=-2)
            logit = fft.irfft2(real + 1j * imaginary, self._size, axes=ROWS_AND_COLUMNS) @ COLOURS.T
            share = special.expit(logit)
            self._last = z.copy(), share, self._of_pictures.normalise(255 * share).astype(np.float32)
        return self._last[1:]


def _parts(spectrum: np.ndarray) -> np.ndarray:
    """Put the real and the imaginary part side by side."""
    return np.concatenate([spectrum.real, spectrum.imag], axis=-2)
