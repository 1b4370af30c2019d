from itertools import islice

import numpy as np
import pytest
from landscapes import Bowl, Slope, Valley

from dreamscripts.errors import Diverged
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.optimizers.adam import AdamSettings, adam

SHAPE = (4, 5, 3)


def steps(landscape, x, number, start=0, state=None, **optimizer):
    chosen = AdamSettings(**{"passes": 1} | optimizer)
    return list(islice(adam(landscape, x, chosen, start, state or {}), number))


def by_hand(gradient, pixels, number, rate):
    """Adam as Keras has it (Kingma and Ba 2014, section 2: epsilon outside of the correction)."""
    m = v = 0
    for t in range(1, number + 1):
        g = gradient(pixels)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        corrected = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        pixels = pixels - corrected * m / (np.sqrt(v) + 1e-7)
        yield pixels


@pytest.mark.parametrize("preprocessing", ["caffe", "tf", "torch", "none"])
def test_it_is_adam_on_pixel_values(preprocessing, rng):
    p = PREPROCESSINGS[preprocessing]
    scale, mean = np.array(p.scale), np.array(p.mean)
    x, bowl = p.normalise(rng.uniform(0, 255, SHAPE)), Bowl(p.normalise(rng.uniform(0, 255, SHAPE)), preprocessing)
    ours = steps(bowl, x, 8, step=5)
    theirs = by_hand(lambda pixels: bowl.gradient((pixels - mean) / scale) / scale, x * scale + mean, 8, 5)
    for step, pixels in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(step.x * scale + mean, pixels, atol=1e-3)
        assert step.loss == bowl.loss(step.x)
    assert ours[-1].loss < 0.6 * bowl.loss(x)


def test_of_a_batch_each_picture_goes_as_it_would_alone(rng):
    x, centre = rng.normal(0, 50, (2, 3, *SHAPE))
    together = steps(Bowl(centre), x, 4, step=5)[-1].x
    for number in range(3):
        np.testing.assert_allclose(together[number], steps(Bowl(centre[number]), x[number], 4, step=5)[-1].x, atol=1e-4)


def test_clipped_a_picture_stays_within_0_to_255(rng):
    x, g = PREPROCESSINGS["tf"].normalise(rng.uniform(0, 255, SHAPE)), rng.normal(0, 1, SHAPE)
    clipped, free = (steps(Slope(g, "tf"), x, 3, step=40, clip=clip)[-1].x for clip in (True, False))
    assert (clipped.min(), clipped.max()) == (-1, 1)
    assert np.abs(free).max() > 1.3
    np.testing.assert_allclose(clipped, free.clip(-1, 1), atol=1e-5)


@pytest.mark.parametrize("start", [1, 2, 3])
def test_with_its_memory_it_goes_on_as_if_it_had_not_stopped(start):
    x = np.full(SHAPE, -1.0)
    unbroken = steps(Valley(x), x, 5, step=0.1, passes=2)
    before = unbroken[start - 1]
    resumed = steps(Valley(x), before.x, 5 - start, start, state=before.state, step=0.1, passes=2)
    for mine, theirs in zip(resumed, unbroken[start:], strict=True):
        np.testing.assert_array_equal(mine.x, theirs.x)
        assert mine.loss == theirs.loss
    without = steps(Valley(x), before.x, 5 - start, start, step=0.1, passes=2)
    assert np.abs(without[0].x - unbroken[start].x).max() > 0.001  # it is the state that matters


def test_it_too_is_done_as_soon_as_the_score_passes_the_greatest():
    g = -np.ones(SHAPE, np.float32)  # the score of x is its sum: 60 more with each step of 1
    walked = steps(Slope(g), np.zeros(SHAPE), 10, passes=2, step=1, max_score=200)
    assert [step.done for step in walked] == [False, True]
    assert [-step.loss for step in walked] == pytest.approx([120, 240], rel=1e-4)


def test_what_it_remembers_at_a_step_stays_what_it_was(rng):
    walked = adam(Bowl(rng.normal(0, 50, SHAPE)), np.zeros(SHAPE), AdamSettings(), 0, {})
    first = next(walked)
    kept = {name: np.array(value) for name, value in first.state.items()}
    next(walked)
    for name, value in kept.items():
        np.testing.assert_array_equal(first.state[name], value)


def test_a_rate_so_high_that_the_loss_explodes_is_refused(rng):
    bowl = Bowl(np.zeros(SHAPE))
    with pytest.raises(Diverged, match=r"the loss diverged, from .* to "):
        steps(bowl, rng.normal(0, 1, SHAPE), 5, step=100)
