"""Check arrays of pixels, make noise, and resize pictures."""

import logging
from typing import Literal

import numpy as np
from PIL import Image

from dreamscripts.errors import PictureError

Size = tuple[int, int]  # height, width

log = logging.getLogger(__name__)


def as_picture(pixels: np.ndarray, batch: bool = False) -> np.ndarray:
    """Check an array (H, W, 3), or with `batch` also (N, H, W, 3), and convert it to float32. Raises PictureError."""
    is_array = isinstance(pixels, np.ndarray)
    if not is_array or pixels.ndim not in (3, 3 + batch) or pixels.shape[-1] != 3 or not pixels.size:
        found = f"array {pixels.shape}" if is_array else type(pixels).__name__
        raise PictureError(f"a picture must be an array (H, W, 3), RGB in 0..255, as from open_picture; got: {found}")
    pixels = pixels.astype(np.float32, copy=False)
    if not np.isfinite(pixels).all():
        raise PictureError("the picture has values that are NaN or infinite")
    if pixels.min() >= 0 and 0 < pixels.max() <= 1:
        log.warning("all values of the picture are in 0..1, so it is nearly black: if white is 1, multiply it by 255")
    return pixels


def noise(side: int, seed: int = 0, count: int | None = None) -> np.ndarray:
    """Make a start picture of noise: float32 (side, side, 3), uniform in [100, 101).

    With `count`, make a batch (count, side, side, 3). The range is that of the feature-visualisation notebook
    (A. Mordvintsev, 2016).
    """
    shape = (side, side, 3) if count is None else (count, side, side, 3)
    return (np.random.default_rng(seed).random(shape) + 100).astype(np.float32)


def fit(picture: np.ndarray, size: int | None) -> np.ndarray:
    """Scale a picture so that its longer side is `size` pixels, and keep its aspect ratio. None means no scaling."""
    return picture if size is None else resize(picture, *fitted(picture.shape[0], picture.shape[1], size))


def fitted(height: int, width: int, size: int | None) -> tuple[int, int]:
    """Return the height and width that `fit` scales a picture to."""
    scale = size / max(height, width) if size else 1
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a float32 (H, W, 3) picture by Lanczos interpolation in float. Values outside 0..255 are clipped."""
    if picture.shape[:2] == (height, width):
        return picture
    resized = np.empty((height, width, 3), np.float32)
    resize_height(resize_width(picture, width), height, picture.shape[0], resized)
    return resized


def resampled(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize float32 (H, W, 3) by bicubic interpolation with antialiasing. Values are not clipped."""
    if x.shape[:2] == (height, width):
        return x
    planes = [Image.fromarray(np.ascontiguousarray(x[..., c], np.float32)) for c in range(3)]
    return np.stack([np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC)) for plane in planes], axis=2)


def resize_width(picture: np.ndarray, width: int, source_width: float | None = None) -> np.ndarray:
    """Resize the width of a picture (H, W, 3) by Lanczos interpolation, to float32. Values are not clipped.

    `source_width` is the part of the width that is resized, if it is not all of it.
    """
    height, whole, _ = picture.shape
    box = (0, 0, source_width or whole, height)
    return np.stack([_lanczos(picture[:, :, c], (width, height), box) for c in range(3)], axis=2)


def resize_height(picture: np.ndarray, height: int, source_height: float, out: np.ndarray) -> None:
    """Resize the height of a float32 (H, W, 3) picture by Lanczos interpolation into `out`, clipped to 0..255.

    `source_height` is the part of the height that is resized.
    """
    width = picture.shape[1]
    for c in range(3):
        channel = _lanczos(picture[:, :, c], (width, height), (0, 0, width, source_height))
        np.clip(channel, 0, 255, out=out[:, :, c])


def _lanczos(channel: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, box))


def bilinear(x: np.ndarray, size: Size, keep: Literal["centres", "corners", "origin"] = "centres") -> np.ndarray:
    """Resize x (..., H, W, 3) by bilinear interpolation without antialiasing. Border pixels are repeated outside.

    `keep` says which points have the same place in both pictures. "centres": the outer edges, because pixels are areas
    (TensorFlow 2). "corners": the centres of the corner pixels (scipy.ndimage.zoom). "origin": only the centre of the
    first pixel (TensorFlow 1).
    """
    from scipy import ndimage  # slow to import, and not needed to load settings

    if x.shape[-3:-1] == tuple(size):
        return x
    before, after = np.array(x.shape[-3:-1]), np.array(size)
    scale = np.maximum(before - 1, 1) / np.maximum(after - 1, 1) if keep == "corners" else before / after
    offset = scale / 2 - 0.5 if keep == "centres" else np.zeros(2)
    resized = np.empty((*x.shape[:-3], *size, 3), x.dtype)
    for *picture, channel in np.ndindex(*x.shape[:-3], 3):
        plane = (*picture, ..., channel)
        ndimage.affine_transform(x[plane], scale, offset, tuple(size), resized[plane], order=1, mode="nearest")
    return resized
