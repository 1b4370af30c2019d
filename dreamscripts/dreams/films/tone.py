"""Hold the brightness, contrast and colours of a film, which dreams otherwise change from frame to frame.

A dream adds detail in every frame. If only the contrast of the whole picture was held, the light and shade of the
photograph would fade below this detail. So each scale of detail is held by itself, as is each scale of colour.
"""

from typing import NamedTuple

import numpy as np

from dreamscripts.images.resizing import resampled

# Luma and the two colour differences of ITU-R BT.601, of RGB.
YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
RGB = np.linalg.inv(YCC)
SCALES = 6  # of detail, each half as fine as the one before
LARGEST = 1.5  # factor by which the contrast of a scale may be corrected in a frame
LEAST = 0.1  # deviation of a scale, in pixel values, below which it is taken as this


class Tone(NamedTuple):
    """The brightness, contrast and colours of a picture."""

    mean: np.ndarray  # float32 (3,): mean of red, green and blue
    deviations: np.ndarray  # float32 (SCALES, 3): standard deviations of each scale, finest first


def tone_of(picture: np.ndarray) -> Tone:
    """Measure the tone of a picture, float32 (H, W, 3), RGB in 0..255."""
    return Tone(picture.mean((0, 1)), _deviations(_split(picture)))


def held(picture: np.ndarray, tone: Tone, share: float) -> np.ndarray:
    """Bring a picture, float32 (H, W, 3), nearer to a tone. Values are clipped to 0..255.

    `share` (0..1) is the share of the difference in contrast that is corrected. The mean is corrected as a whole.
    """
    scales = _split(picture)
    ratio = np.maximum(tone.deviations, LEAST) / np.maximum(_deviations(scales), LEAST)
    factors = np.clip(ratio, 1 / LARGEST, LARGEST) ** share
    scales[-1] -= scales[-1].mean((0, 1))
    changed = _merge([scale * factor for scale, factor in zip(scales, factors, strict=True)])
    for _ in range(3):  # clipping moves the mean
        changed = np.clip(changed + (tone.mean - changed.mean((0, 1))), 0, 255)
    return changed.astype(np.float32)


def _deviations(scales: list[np.ndarray]) -> np.ndarray:
    return np.stack([scale.std((0, 1)) for scale in scales])


def _split(picture: np.ndarray) -> list[np.ndarray]:
    """Split a picture into scales of luma and colour, finest first. Their sum, each enlarged, is the picture."""
    rest, scales = picture @ YCC.T, []
    for _ in range(SCALES - 1):
        height, width, _ = rest.shape
        smaller = resampled(rest, (height + 1) // 2, (width + 1) // 2)
        scales.append(rest - resampled(smaller, height, width))
        rest = smaller
    return [*scales, rest.copy()]


def _merge(scales: list[np.ndarray]) -> np.ndarray:
    """Undo `_split`."""
    rest = scales[-1]
    for scale in scales[-2::-1]:
        rest = resampled(rest, *scale.shape[:2]) + scale
    return rest @ RGB.T
