"""Crop squares from photographs at random, and vary their contrast, brightness and noise."""

from collections.abc import Callable

import numpy as np
from PIL import Image

SCALES = (0.75, 2.0)  # pixels of the photograph per pixel of a crop
CONTRAST = (0.6, 1.6)
BRIGHTNESS = 25.0  # pixel values, the largest change of each channel
NOISE = 24.0  # pixel values, the largest standard deviation; most crops have much less
GREY = 0.06  # share of crops that are grey noise instead, with which a dream can start
GREY_NOISE = (3.0, 40.0)


def crops(
    open_photograph: Callable[[int], np.ndarray], photographs: int, count: int, side: int, *seed: int
) -> np.ndarray:
    """Return `count` random crops, float32 (count, side, side, 3) in 0..255. The same seed gives the same crops.

    `open_photograph(number)` returns one of the photographs, uint8 (H, W, 3). A thread may call it.
    """
    rng = np.random.default_rng(seed)
    return np.stack([_crop(open_photograph(int(rng.integers(photographs))), side, rng) for _ in range(count)])


def _crop(photo: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    height, width = photo.shape[:2]
    square = min(rng.uniform(*SCALES) * side, height, width)
    top, left = rng.uniform(0, height - square), rng.uniform(0, width - square)
    x = resized(photo, top, left, square, side)
    if rng.random() < 0.5:
        x = x[:, ::-1]
    mean = x.mean()
    x = (x - mean) * rng.uniform(*CONTRAST) + mean + rng.uniform(-BRIGHTNESS, BRIGHTNESS, 3)
    x = x + rng.normal(0, NOISE * rng.random() ** 3, x.shape)
    if rng.random() < GREY:
        x = 117 + rng.normal(0, rng.uniform(*GREY_NOISE), x.shape)
    return x.clip(0, 255).astype(np.float32)


def resized(photo: np.ndarray, top: float, left: float, square: float, side: int) -> np.ndarray:
    """Resize a square of a photograph, uint8 (H, W, 3), to float32 (side, side, 3), with antialiasing."""
    box = (left, top, left + square, top + square)
    return np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.BILINEAR, box), np.float32)
