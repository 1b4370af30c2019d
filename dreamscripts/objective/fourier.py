"""A picture as scaled Fourier coefficients with decorrelated colours, which an optimizer changes.

Coefficients are scaled like the spectra of photographs. The colour axes are those that vary independently in
photographs. Steps of equal length in all coefficients then make shapes and surfaces, but steps in pixels make grain
(Olah et al. 2017, "Feature Visualization"; Mordvintsev et al. 2018, "Differentiable Image Parameterizations"). A
sigmoid keeps the pixels within 0..255.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import fft

from dreamscripts.backends import compiling
from dreamscripts.backends.lazy_keras import ops
from dreamscripts.images.preprocessing import PREPROCESSINGS, Preprocessing
from dreamscripts.objective.protocol import Evaluate, Objective, evaluate_at
from dreamscripts.objective.transforms import Draw

Tensor = Any

# The square root of the covariance of ImageNet's colours, from lucid. Its scale has no effect.
COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLOURS /= np.linalg.norm(COLOURS, axis=0).max()
CONTRAST = 4  # lucid's divisor of the picture before the sigmoid
DARKEST = 1 / 512  # smallest distance from black (0) and from white (1): half a step of 8 bits


@dataclass(frozen=True)
class Coefficients:
    """Coefficients z of pictures x (..., H, W, 3) of `height`×`width` pixels: the map from z to x, and its gradient.

    z is float32 (..., H, 2 · (W // 2 + 1), 3), with a batch axis if x has one: for each decorrelated colour the real
    part of the half spectrum, and to the right of it the imaginary part.
    """

    height: int
    width: int
    preprocessing: Preprocessing

    @cached_property
    def scale(self) -> np.ndarray:
        """The coefficient of the spectrum for a z of 1: float32 (H, 2 · (W // 2 + 1), 1)."""
        height, width = self.height, self.width
        frequency = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
        scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / CONTRAST
        return np.tile(scale, 2)[:, :, None].astype(np.float32)

    @cached_property
    def colours(self) -> np.ndarray:
        """The colours of the picture (rows, in the order of its channels) of each decorrelated colour (columns)."""
        return COLOURS[::-1].copy() if self.preprocessing.channels == "BGR" else COLOURS

    def of(self, x: np.ndarray) -> np.ndarray:
        """Compute the coefficients of a picture. Pixels at or outside 0..255 become nearly black or white first."""
        pixels = x * self.preprocessing.scale + self.preprocessing.mean
        share = (pixels / 255).clip(DARKEST, 1 - DARKEST)
        logit = np.log(share / (1 - share)) @ np.linalg.inv(self.colours.T)
        spectrum = fft.rfft2(logit, axes=(-3, -2))
        return np.concatenate([spectrum.real, spectrum.imag], axis=-2).astype(np.float32) / self.scale

    def share(self, z: Tensor) -> Tensor:
        """Compute the pixels of coefficients: a tensor (..., H, W, 3) in 0..1, in the order of the channels."""
        real, imaginary = (ops.moveaxis(part, -1, -3) for part in ops.split(z * _tensor(self.scale), 2, axis=-2))
        real, imaginary = _along_columns(real, -imaginary)  # of the conjugate, for the inverse transform
        rows = ops.irfft((real / self.height, -imaginary / self.height), fft_length=self.width)
        return ops.sigmoid(ops.moveaxis(rows, -3, -1) @ _tensor(self.colours.T))

    def picture(self, share: Tensor) -> Tensor:
        """Convert pixels in 0..1 to the preprocessed picture."""
        return (255 * share - _tensor(self.preprocessing.mean)) / _tensor(self.preprocessing.scale)

    def gradient(self, share: Tensor, g: Tensor) -> Tensor:
        """Convert g, the gradient with respect to the picture, to the gradient with respect to z."""
        g = (255 * g / _tensor(self.preprocessing.scale) * share * (1 - share)) @ _tensor(self.colours)
        parts = _along_columns(*ops.rfft(ops.moveaxis(g, -1, -3)))
        # Each column of the half spectrum counts twice, except the first column and, for an even width, the last.
        mirrored = np.arange(1, self.width // 2 + 2) <= (self.width + 1) // 2
        mirrored[0] = False
        times = _tensor(np.where(mirrored, 2, 1) / (self.height * self.width))
        return ops.concatenate([ops.moveaxis(part * times, -3, -1) for part in parts], axis=-2) * _tensor(self.scale)


@dataclass(frozen=True)
class _OfCoefficients:
    """A function to compile (Objective.compiled), whose pass is that of the picture of coefficients."""

    function: Callable[..., Any]
    coefficients: Coefficients

    def __call__(self, evaluate: Evaluate, *arguments: Any) -> Any:
        def at(z: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
            share = self.coefficients.share(z)
            numbers, gradient = evaluate(self.coefficients.picture(share), draw)
            return numbers, self.coefficients.gradient(share, gradient)

        return self.function(at, *arguments)


class FourierEvaluator:
    """The objective as a function of coefficients z instead of pictures. Gradients have the shape of z."""

    preprocessing = PREPROCESSINGS["none"]  # coefficients have no unit

    def __init__(self, objective: Objective, height: int, width: int):
        """Make an evaluator for pictures of `height`×`width` pixels."""
        self.is_random, self.names, self.passes_at_once = objective.is_random, objective.names, objective.passes_at_once
        self.draw, self.draws, self.is_cached = objective.draw, objective.draws, objective.is_cached
        self.record = objective.record
        self.coefficients = Coefficients(height, width, objective.preprocessing)
        self._objective = objective
        self._picture = _compiled_picture(self.coefficients)

    @property
    def drawn(self) -> int:
        """The number of the current draw."""
        return self._objective.drawn

    def picture(self, z: np.ndarray) -> np.ndarray:
        """Compute the picture of coefficients: float32 (..., H, W, 3), preprocessed."""
        return ops.convert_to_numpy(self._picture(z.astype(np.float32)))

    def loss(self, z: Any) -> float:
        """Compute the loss of the picture."""
        return self._objective.loss(self._evaluated(z))

    def gradient(self, z: Any) -> Any:
        """Compute the gradient of the loss with respect to the coefficients: float32, of their shape."""
        return self._objective.gradient(self._evaluated(z))

    def terms(self, z: Any) -> dict[str, float]:
        """Compute the weighted terms of the loss of the picture."""
        return self._objective.terms(self._evaluated(z))

    def compiled(self, function: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        """Compile a function whose pictures are coefficients of this shape (see protocol.Objective)."""
        of_pictures = _OfCoefficients(function, self.coefficients)
        return self._objective.compiled(of_pictures, self._shape_of_picture(shape))

    def current_draw(self, shape: tuple[int, ...]) -> Draw:
        """Return the current draw, for the picture of coefficients of this shape."""
        return self._objective.current_draw(self._shape_of_picture(shape))

    def _evaluated(self, z: Any) -> Any:
        """Return z in float32. The objective has its result: that of an earlier pass, or of a new one."""
        z = z if ops.is_tensor(z) else z.astype(np.float32)
        if not self.is_cached(z):
            shape = tuple(z.shape)
            numbers, gradient = self.compiled(evaluate_at, shape)(z, self.current_draw(shape))
            self.record(z, numbers, gradient, self.drawn)
        return z

    def _shape_of_picture(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-3], self.coefficients.height, self.coefficients.width, 3)


@lru_cache(compiling.SIZES)
def _compiled_picture(coefficients: Coefficients) -> compiling.Compiled:
    """Return the compiled map from coefficients to their picture. It is the same in all frames of a film."""
    return compiling.compile_function(lambda z: coefficients.picture(coefficients.share(z)))


def _tensor(values: Any) -> Tensor:
    """Return a constant on the device. PyTorch cannot combine a tensor on a GPU with an array."""
    return ops.convert_to_tensor(np.asarray(values, np.float32))


def _along_columns(real: Tensor, imaginary: Tensor) -> Sequence[Tensor]:
    """Transform the columns (axis -2) of complex planes. Returns the real and the imaginary part."""
    parts = ops.fft((ops.swapaxes(real, -1, -2), ops.swapaxes(imaginary, -1, -2)))
    return [ops.swapaxes(part, -1, -2) for part in parts]
