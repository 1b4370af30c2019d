from itertools import pairwise
from math import ceil

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.laplacian import merge

sides = st.integers(1, 40)
sizes = st.tuples(sides, sides)
splits = st.integers(0, 6)


def normalise(g, splits):
    return ops.convert_to_numpy(laplacian.normalise(ops.convert_to_tensor(g), splits))


def split(planes, splits):
    return [ops.convert_to_numpy(level) for level in laplacian.split(ops.convert_to_tensor(planes), splits)]


def grain(shape, seed=0):
    """A gradient with something at every scale: grain on a slope, off zero."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(-1, 2, shape[-3])[:, None, None] * rng.normal(1, 0.3, 3)
    return (rng.normal(0.1, 1, shape) + slope).astype(np.float32)


@given(size=sizes, splits=splits)
def test_what_is_split_and_merged_comes_back_as_it_was(size, splits):
    planes = np.moveaxis(grain((*size, 3)), -1, 0)
    levels = split(planes, splits)
    assert len(levels) == splits + 1
    sides = [level.shape[1:] for level in levels[::-1]]
    assert sides[0] == size
    for larger, smaller in pairwise(sides):
        assert smaller == tuple(ceil(side / 2) for side in larger)
    np.testing.assert_allclose(merge(levels), planes, atol=1e-5)


class Notebook:
    """The feature-visualisation notebook's own functions, in TensorFlow."""

    k = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32)
    k5x5 = k[:, :, None, None] / k.sum() * np.eye(3, dtype=np.float32)

    def lap_split(self, image):
        low = tf.nn.conv2d(image, self.k5x5, [1, 2, 2, 1], "SAME")
        return low, image - tf.nn.conv2d_transpose(low, self.k5x5 * 4, tf.shape(image), [1, 2, 2, 1])

    def lap_split_n(self, image, n):
        levels = []
        for _ in range(n):
            image, high = self.lap_split(image)
            levels.append(high)
        return [*levels, image][::-1]

    def lap_merge(self, levels):
        image = levels[0]
        for high in levels[1:]:
            image = tf.nn.conv2d_transpose(image, self.k5x5 * 4, tf.shape(high), [1, 2, 2, 1]) + high
        return image

    def normalize_std(self, image, eps=1e-10):
        return image / tf.maximum(tf.sqrt(tf.reduce_mean(tf.square(image))), eps)

    def lap_normalize(self, image, scale_n):
        levels = self.lap_split_n(image[None], scale_n)
        return self.lap_merge([self.normalize_std(level) for level in levels])[0].numpy()


@given(size=sizes, splits=splits)
def test_it_is_the_notebooks(size, splits):
    g = grain((*size, 3))
    theirs = Notebook().lap_split_n(g[None], splits)
    for mine, level in zip(split(np.moveaxis(g, -1, 0), splits), theirs, strict=True):
        np.testing.assert_allclose(np.moveaxis(mine, 0, -1), level[0], atol=1e-5)
    np.testing.assert_allclose(normalise(g, splits), Notebook().lap_normalize(g, splits), rtol=1e-4, atol=1e-4)


def test_one_split_is_a_blur_of_every_second_pixel_and_what_it_loses():
    """By hand: a single lit pixel spreads by 1 4 6 4 1 both ways, over the pixels that are kept."""
    lit = np.zeros((1, 9, 9), np.float32)
    lit[0, 4, 4] = 256
    low, high = split(lit, 1)
    seen = np.array([0, 1, 6, 1, 0])  # of the kernel, by the pixels 0, 2, 4, 6 and 8
    np.testing.assert_allclose(low[0], np.outer(seen, seen), atol=1e-4)
    back = np.array([1, 4, 7, 28, 38, 28, 7, 4, 1]) / 16  # the kernel laid down again at each of them
    assert high[0, 4, 4] == pytest.approx(256 - 4 * back[4] ** 2)
    assert high[0, 4, 8] == pytest.approx(-4 * back[4] * back[8])


@given(size=sizes, splits=splits, seed=st.integers(0, 9))
def test_merged_are_levels_of_one_size_each(size, splits, seed):
    g = 1e-3 * grain((*size, 3), seed)
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplacian, "merge", lambda levels: seen.extend(levels) or merge(levels))
        normalise(g, splits)
    assert len(seen) == splits + 1
    for level in seen:
        assert np.sqrt((ops.convert_to_numpy(level).astype(float) ** 2).mean()) == pytest.approx(1, rel=1e-4)


def test_where_there_is_nothing_nothing_comes():
    for splits in (0, 4):
        np.testing.assert_array_equal(normalise(np.zeros((13, 8, 3), np.float32), splits), 0)


def test_fine_grain_no_longer_drowns_what_is_large():
    """Waves under grain of a hundred times their size are as strong in the end."""
    y, x = np.mgrid[0:64, 0:64]
    waves, grain = (np.repeat(one[:, :, None], 3, axis=2) for one in (np.sin(y / 64 * 6 * np.pi), (-1.0) ** (x + y)))
    before = (100 * grain + waves).astype(np.float32)
    after = normalise(before, 4)
    for g, least, most in ((before, 0, 0.01), (after, 1, 3)):
        strengths = [(g * shape).mean() / np.sqrt((shape**2).mean()) for shape in (waves, grain)]
        assert least < strengths[0] / strengths[1] < most


@pytest.mark.parametrize("splits", [0, 3])
def test_of_a_batch_each_picture_is_treated_by_itself(splits):
    batch = grain((3, 17, 12, 3)) * np.array([1, 1e-3, 1e3], np.float32)[:, None, None, None]
    together = normalise(batch, splits)
    for one, alone in zip(batch, together, strict=True):
        np.testing.assert_allclose(alone, normalise(one, splits), atol=1e-6)


def test_it_is_float32_and_the_gradient_is_left_as_it_was():
    g = grain((21, 30, 3))
    before = g.copy()
    even = normalise(g, 4)
    assert (even.dtype, even.shape) == (np.float32, g.shape)
    np.testing.assert_array_equal(g, before)
