"""A picture as scaled Fourier coefficients with decorrelated colours, for an optimizer to walk on.

Steps of the same length in every coefficient, scaled as photographs' spectra fall off, and along colours that vary
independently in photographs, grow shapes and surfaces where steps in pixels grow grain (Olah et al. 2017, "Feature
Visualization"; Mordvintsev et al. 2018, "Differentiable Image Parameterizations"). A sigmoid keeps pixels within
0..255.
"""

import numpy as np
from keras import ops
from scipy import fft, special

from dreamscripts.objective.evaluator import Evaluator

# The square root of the covariance of ImageNet's colours, as lucid has it; only its proportions count.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
CONTRAST = 4  # lucid's divisor of the picture before the sigmoid
DARKEST = 1 / 512  # of 1, where a picture enters: half a step of 8 bits from black, and from white
ROWS_AND_COLUMNS = (-3, -2)


class FourierEvaluator:
    """An evaluator's answers about coefficients z in the place of pictures x (..., H, W, 3).

    z is float32 (..., H, 2 · (W // 2 + 1), 3), of as many axes as pictures: the half spectrum of each decorrelated
    colour, its real part and beside it its imaginary part. Gradients are of the same shape.
    """

    def __init__(self, evaluator: Evaluator, height: int, width: int):
        self.draw, self.is_random = evaluator.draw, evaluator.is_random
        self._evaluator = evaluator
        self._preprocessing = evaluator.network.preprocessing
        self._size = height, width
        frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / CONTRAST
        self._scale = np.tile(scale, 2)[:, :, None].astype(np.float32)
        # The half spectrum leaves out what mirrors it: every column but the first and, of an even width, the last.
        mirrored = np.arange(1, width // 2 + 2) <= (width + 1) // 2
        mirrored[0] = False
        self._times = np.where(mirrored, 2, 1)[:, None].astype(np.float32)
        self._last: tuple[np.ndarray, ...] | None = None  # coefficients, how bright their pixels are, their picture

    def coefficients(self, x: np.ndarray) -> np.ndarray:
        """The coefficients of a picture; what is black or white, or beyond, enters as nearly so."""
        share = (self._preprocessing.pixels(x) / 255).clip(DARKEST, 1 - DARKEST)
        logit = np.log(share / (1 - share)) @ np.linalg.inv(COLOURS.T)
        return _parts(fft.rfft2(logit, axes=ROWS_AND_COLUMNS)).astype(np.float32) / self._scale

    def picture(self, z: np.ndarray) -> np.ndarray:
        """The picture of some coefficients: float32."""
        return self._developed(z)[1]

    def loss(self, z: np.ndarray) -> float:
        """The loss of the picture."""
        return self._evaluator.loss(self.picture(z))

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """The gradient of the loss with respect to the coefficients."""
        share, x = self._developed(z)
        g = self._preprocessing.pull(self._evaluator.gradient(x))
        g = (255 * g * share * (1 - share)).astype(np.float32) @ COLOURS
        spectrum = fft.rfft2(g, axes=ROWS_AND_COLUMNS) * (self._times / np.prod(self._size))
        return (_parts(spectrum) * self._scale).astype(np.float32)

    def terms(self, z: np.ndarray) -> dict[str, float]:
        """The weighted terms of the loss of the picture."""
        return self._evaluator.terms(self.picture(z))

    def _developed(self, z: np.ndarray) -> tuple[np.ndarray, ...]:
        """How bright the pixels are, 0..1, and the picture; asked several times of the same coefficients."""
        z = ops.convert_to_numpy(z)
        if self._last is None or not np.array_equal(z, self._last[0]):
            real, imaginary = np.split(z.astype(np.float32) * self._scale, 2, axis=-2)
            logit = fft.irfft2(real + 1j * imaginary, self._size, axes=ROWS_AND_COLUMNS) @ COLOURS.T
            share = special.expit(logit)
            self._last = z.copy(), share, self._preprocessing.normalise(255 * share).astype(np.float32)
        return self._last[1:]


def _parts(spectrum: np.ndarray) -> np.ndarray:
    return np.concatenate([spectrum.real, spectrum.imag], axis=-2)
