from itertools import islice

import numpy as np
import pytest
from landscapes import Bowl, Slope

from dreamscripts.errors import Diverged
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.optimizers.gradient_ascent import GradientAscentSettings, gradient_ascent

SHAPE = (4, 5, 3)


def steps(landscape, x, number, start=0, **optimizer):
    chosen = GradientAscentSettings(**{"passes": 1} | optimizer)
    return list(islice(gradient_ascent(landscape, x, chosen, start, {}), number))


@pytest.mark.parametrize(
    ("normalise", "size"),
    [
        ("mean", lambda g: np.abs(g).sum() / g.size),
        ("std", lambda g: np.sqrt(((g - g.mean()) ** 2).sum() / g.size)),
        ("none", lambda g: 1),
    ],
)
def test_a_step_goes_down_the_loss_by_the_gradient_over_its_size(normalise, size, rng):
    g, x = (a.astype(np.float32) for a in (rng.normal(2, 7, SHAPE), rng.uniform(50, 200, SHAPE)))
    (step,) = steps(Slope(g), x, 1, step=1.5, normalise=normalise)
    g = g.astype(float)
    assert step.x.dtype == np.float32
    grain = np.spacing(np.abs(step.x).max())  # of float32, where the pixels are
    np.testing.assert_allclose(step.x - x, -1.5 * g / size(g), rtol=1e-5, atol=2 * grain)
    assert step.loss == pytest.approx(float((g * step.x).sum()), rel=1e-5)
    assert step.terms == {"height": step.loss}


@pytest.mark.parametrize("weak", [1, 1e-3, 1e-7, 1e-9])
def test_the_size_of_a_gradient_is_never_quite_nothing(weak, rng):
    """As in the feature-visualisation notebook mean|g| + 1e-7 for its photographs, std(g) + 1e-8 for its noise."""
    g, x = (weak * rng.normal(2, 7, SHAPE)).astype(np.float32), np.zeros(SHAPE, np.float32)
    mean = np.abs(g).mean()
    for normalise, size in (("notebook", mean + 1e-7), ("mean", max(mean, 1e-7)), ("std", g.std() + 1e-8)):
        (step,) = steps(Slope(g), x, 1, step=1.5, normalise=normalise)
        np.testing.assert_allclose(step.x, -1.5 * g / size, rtol=1e-5)


@pytest.mark.parametrize("normalise", ["mean", "notebook", "std", "none"])
def test_of_a_batch_each_picture_goes_as_far_as_it_would_alone(normalise, rng):
    batch, x = (rng.normal(2, 7, (3, *SHAPE)).astype(np.float32) for _ in range(2))
    batch *= np.array([1, 1e-3, 1e3], np.float32)[:, None, None, None]
    (together,) = steps(Slope(batch), x, 1, normalise=normalise, step=2)
    for g, before, after in zip(batch, x, together.x, strict=True):
        (alone,) = steps(Slope(g), before, 1, normalise=normalise, step=2)
        np.testing.assert_allclose(after, alone.x, rtol=1e-6)


@pytest.mark.parametrize("normalise", ["mean", "notebook", "std", "none"])
def test_where_nothing_is_to_be_gained_the_picture_stays(normalise, rng):
    x = rng.uniform(50, 200, SHAPE).astype(np.float32)
    (step,) = steps(Slope(np.zeros(SHAPE, np.float32)), x, 1, normalise=normalise)
    np.testing.assert_array_equal(step.x, x)


@pytest.mark.parametrize("name", ["caffe", "tf", "torch"])
def test_the_step_is_in_pixel_values_whatever_the_network_calls_a_pixel(name, rng):
    preprocessing = PREPROCESSINGS[name]
    picture = rng.uniform(100, 150, SHAPE)
    g = rng.choice([-1.0, 1.0], SHAPE)
    (step,) = steps(Slope(g, name), preprocessing.normalise(picture), 1, step=2)
    np.testing.assert_allclose(np.abs(preprocessing.denormalise(step.x) - picture), 2, rtol=1e-4)


@pytest.mark.parametrize("name", ["caffe", "tf", "torch"])
def test_clipped_a_picture_stays_within_0_to_255(name, rng):
    preprocessing = PREPROCESSINGS[name]
    x = preprocessing.normalise(rng.uniform(0, 255, SHAPE))
    g = rng.normal(0, 1, SHAPE)
    clipped, free = (steps(Slope(g, name), x, 3, step=60, clip=clip)[-1].x for clip in (True, False))
    pixels = preprocessing._reorder(clipped * preprocessing.scale + preprocessing.mean)
    assert pixels.min() == pytest.approx(0, abs=2e-5)
    assert pixels.max() == pytest.approx(255)
    np.testing.assert_allclose(
        pixels, preprocessing.denormalise(free), atol=1e-3
    )  # on a slope the order does not matter


def test_it_is_done_as_soon_as_the_score_passes_the_greatest(rng):
    g = -np.ones(SHAPE, np.float32)  # the score of x is its sum: 60 more with each step of 1
    walked = steps(Slope(g), np.zeros(SHAPE), 10, passes=2, step=1, max_score=200)
    assert [step.done for step in walked] == [False, True]
    assert [-step.loss for step in walked] == pytest.approx([120, 240], rel=1e-6)
    walked = steps(Slope(g), np.zeros(SHAPE), 10, passes=2, step=1, max_score=179)
    assert [step.done for step in walked] == [False, True]
    assert [-step.loss for step in walked] == pytest.approx([120, 180], rel=1e-6)  # in the midst of an iteration
    exact = {"step": 1, "normalise": "none"}
    assert len(steps(Slope(g), np.zeros(SHAPE), 10, **exact, max_score=600)) == 10  # reached, not passed
    assert [step.done for step in steps(Slope(g), np.zeros(SHAPE), 10, **exact, max_score=599.9)][-1]


def test_a_step_so_long_that_the_loss_explodes_is_refused(rng):
    bowl, x = Bowl(np.zeros(SHAPE)), rng.normal(0, 50, SHAPE)
    for step in (0.5, 1.9):  # towards the bottom, and to and fro over it
        assert steps(bowl, x, 20, step=step, normalise="none")[-1].loss < bowl.loss(x)
    with pytest.raises(Diverged, match=r"the loss diverged, from .* to "):
        steps(bowl, x, 20, step=2.5, normalise="none")
