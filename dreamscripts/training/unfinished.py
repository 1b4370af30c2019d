"""Unfinished dreams: pictures that grow while the student is trained, so that it learns what it will see in a dream."""

import numpy as np

from dreamscripts.images.preprocessing import Preprocessing

STEPS = (1.0, 8.0)  # pixel values, the mean change of a picture in a step
SHIFT = 8  # pixels, the largest shift of a step
FRESH = 1 / 12  # pictures replaced in a step, as a share of those that grow: so a dream grows for about twelve steps


class UnfinishedDreams:
    """A number of pictures, `pixels` uint8 (count, side, side, 3). They start as crops."""

    def __init__(self, pixels: np.ndarray):
        self.pixels = np.rint(pixels).astype(np.uint8)

    def choose(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the numbers of `count` different pictures."""
        return rng.choice(len(self.pixels), count, replace=False)

    def grow(self, chosen: np.ndarray, crops: np.ndarray, gradients: np.ndarray, rng: np.random.Generator) -> None:
        """Move the chosen pictures along `gradients` (N, H, W, 3) of pixel values, and replace a few by crops.

        The crops, float32 (M, H, W, 3), replace pictures at random.
        """
        size = np.abs(gradients).mean(axis=(1, 2, 3), keepdims=True) + 1e-12
        moved = self.pixels[chosen] + rng.uniform(*STEPS, (len(chosen), 1, 1, 1)).astype(np.float32) * gradients / size
        moved = np.roll(moved, rng.integers(-SHIFT, SHIFT + 1, 2), axis=(1, 2))
        self.pixels[chosen] = np.rint(moved.clip(0, 255))
        fresh = crops[: max(1, round(FRESH * len(chosen)))]
        self.pixels[self.choose(len(fresh), rng)] = np.rint(fresh)


def pixel_gradient(gradient: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Convert a gradient (N, H, W, 3) with respect to preprocessed pictures to one of RGB pixel values, finite."""
    return np.nan_to_num(preprocessing.pull(gradient), posinf=0, neginf=0)
