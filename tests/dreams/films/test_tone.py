"""The tone of films, against another statement of the formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from dreamscripts.dreams.films.tone import LARGEST, LEAST, SCALES, held, tone_of

LUMA = np.array([0.299, 0.587, 0.114])


@st.composite
def pictures(draw, least=1):
    """Smooth noise of any size, brightness and contrast, with fine noise over it: float32 (H, W, 3)."""
    height, width = draw(st.tuples(*[st.integers(least, 75)] * 2))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    coarse = ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (6, 6, 0.5))
    coarse *= draw(st.floats(0, 50)) / max(coarse.std(), 1e-3)
    fine = rng.normal(0, draw(st.floats(0, 30)), (height, width, 3))
    return (draw(st.floats(20, 235)) + coarse + fine).clip(0, 255).astype(np.float32)


def scales_of(picture) -> list[np.ndarray]:
    """Return luma, blue − luma and red − luma of each scale, as three planes, finest first."""
    luma = picture @ LUMA
    planes = [luma, (picture[..., 2] - luma) / 1.772, (picture[..., 0] - luma) / 1.402]

    def resized(plane, height, width):
        image = Image.fromarray(plane.astype(np.float32))
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), float)

    scales = []
    for _ in range(SCALES - 1):
        height, width = planes[0].shape
        halves = [resized(plane, -(-height // 2), -(-width // 2)) for plane in planes]
        scales.append(
            np.stack([plane - resized(half, height, width) for plane, half in zip(planes, halves, strict=True)], axis=2)
        )
        planes = halves
    return [*scales, np.stack(planes, axis=2)]


def stated(picture, tone, share) -> np.ndarray:
    """Return the picture with its contrasts corrected, before clipping, and the right mean."""
    scales = scales_of(picture)
    changed = 0
    for number in reversed(range(SCALES)):
        scale = scales[number] - (scales[number].mean((0, 1)) if number == SCALES - 1 else 0)
        for c in range(3):
            wanted, found = max(tone.deviations[number, c], LEAST), max(scales[number][..., c].std(), LEAST)
            scale[..., c] *= np.clip(wanted / found, 1 / LARGEST, LARGEST) ** share
        if number < SCALES - 1:
            planes = [Image.fromarray(changed[..., c].astype(np.float32)) for c in range(3)]
            size = scale.shape[1::-1]
            changed = np.stack([np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes], axis=2)
        changed = changed + scale
    luma, blue, red = (changed[..., c] for c in range(3))
    rgb = np.stack(
        [luma + 1.402 * red, luma - (0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587, luma + 1.772 * blue], 2
    )
    return rgb - rgb.mean((0, 1)) + tone.mean


@given(pictures(), pictures(), st.floats(0, 1))
def test_each_scale_of_luma_and_colour_is_brought_nearer_to_its_contrast(picture, other, share):
    tone = tone_of(other)
    expected, found = stated(picture, tone, share), held(picture, tone, share)
    if expected.min() >= 0 and expected.max() <= 255:  # nothing is clipped
        np.testing.assert_allclose(found, expected, atol=0.02)


@given(pictures())
def test_the_tone_is_the_mean_of_a_picture_and_the_deviation_of_each_scale(picture):
    tone = tone_of(picture)
    np.testing.assert_allclose(tone.mean, picture.mean((0, 1), dtype=float), atol=1e-2)
    deviations = [scale.std((0, 1)) for scale in scales_of(picture)]
    np.testing.assert_allclose(tone.deviations, deviations, atol=1e-2)


@given(pictures(), st.floats(0, 1))
def test_a_picture_that_has_the_tone_stays_as_it_is(picture, share):
    np.testing.assert_allclose(held(picture, tone_of(picture), share), picture, atol=0.02)


@given(pictures(), pictures(), st.floats(0, 1))
def test_the_mean_is_held_and_values_stay_within_the_range(picture, other, share):
    found = held(picture, tone_of(other), share)
    assert (found.dtype, found.shape) == (np.float32, picture.shape)
    assert 0 <= found.min() <= found.max() <= 255
    if found.min() > 0 and found.max() < 255:
        np.testing.assert_allclose(found.mean((0, 1), dtype=float), tone_of(other).mean, atol=0.02)


@given(pictures(least=40), pictures(least=40))
def test_the_means_of_pictures_that_are_clipped_are_nearly_held(picture, other):
    wanted = tone_of(other).mean
    np.testing.assert_allclose(held(picture, tone_of(other), 1).mean((0, 1)), wanted, atol=3)


def test_after_some_frames_all_contrasts_are_those_of_the_tone(rng):
    """Without random draws, because small scales of odd pictures overlap too much for a tolerance of 5 %."""
    wave = np.sin(np.arange(128) / 9)[:, None] * np.cos(np.arange(160) / 13)
    tone = tone_of((120 + 40 * wave[..., None] + rng.normal(0, 6, (128, 160, 3))).astype(np.float32))
    picture = (140 + 20 * wave[..., None] + rng.normal(0, 14, (128, 160, 3))).astype(np.float32)
    for _ in range(30):
        picture = held(picture, tone, 0.3)
    np.testing.assert_allclose(tone_of(picture).deviations[:, 0], tone.deviations[:, 0], rtol=0.05)
    np.testing.assert_allclose(picture.mean((0, 1)), tone.mean, atol=0.01)


def test_detail_that_a_dream_adds_does_not_take_the_contrast_of_light_and_shade(rng):
    """If only the contrast of the whole picture was held, the photograph would fade to grey below the dream."""
    light = np.repeat(np.linspace(60, 200, 128)[:, None], 128, axis=1)[..., None].repeat(3, axis=2).astype(np.float32)
    tone, picture = tone_of(light + rng.normal(0, 4, light.shape).astype(np.float32)), light
    for _ in range(60):
        picture = held(picture + rng.normal(0, 4, light.shape).astype(np.float32), tone, 0.2)
    rows = picture.mean((1, 2))
    assert rows[-8:].mean() - rows[:8].mean() == pytest.approx(130, abs=8)
    assert (picture - ndimage.uniform_filter(picture, (9, 9, 1))).std() < 12  # it would be 31 after 60 times


def test_flat_pictures_are_moved_to_the_mean_only():
    tone = tone_of(np.full((30, 40, 3), 200, np.float32))
    np.testing.assert_allclose(held(np.full((30, 40, 3), 30, np.float32), tone, 0.5), 200, atol=1e-3)
