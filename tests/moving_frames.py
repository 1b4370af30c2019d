"""Frames of films that a camera takes of a texture, with a known motion."""

import cv2
import numpy as np
from scipy import ndimage

HEIGHT, WIDTH = 120, 160


def make_texture(seed: int = 3) -> np.ndarray:
    """Return a large picture of noise, with detail of a few pixels: float32 (480, 640), 0..255."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(480, 640)), 2.5)
    return (128 + 45 * smooth / smooth.std()).clip(0, 255).astype(np.float32)


def view(texture: np.ndarray, x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Return the middle of a texture as a camera shows it that moved by (x, y) and enlarges: uint8 (HEIGHT, WIDTH)."""
    middle = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    matrix = np.column_stack([np.eye(2) / scale, np.array([320 + x, 240 + y]) - middle / scale])
    seen = cv2.warpAffine(texture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.rint(seen.clip(0, 255)).astype(np.uint8)
