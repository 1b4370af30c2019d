"""What all update rules share: an update for every pass, the Laplacian pyramid, bounds."""

from itertools import islice

import numpy as np
import pytest
from keras import ops
from landscapes import Bowl, Slope

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.optimizers import laplacian
from dreamscripts.optimizers.optimize import optimize
from dreamscripts.registry import OPTIMIZERS

SHAPE = (4, 5, 3)
CAFFE = PREPROCESSINGS["caffe"]


def named(name, **optimizer):
    """Settings of an optimizer."""
    return OPTIMIZERS[name].settings(**optimizer)


@pytest.fixture(params=["gradient_ascent", "adam"])
def steps(request):
    def take(landscape, x, number, start=0, **optimizer):
        if request.param == "adam":
            optimizer.pop("normalise", None)
        return list(islice(optimize(landscape, x, named(request.param, **{"passes": 1} | optimizer), start), number))

    return take


def test_an_iteration_is_so_many_steps_each_under_a_draw_of_its_own(steps, rng):
    bowl, x = Bowl(rng.normal(0, 50, SHAPE)), np.zeros(SHAPE)
    walked = steps(bowl, x, 2, start=5, passes=3, step=1)
    assert bowl.draws_used == [15, 16, 17, 18, 19, 20, 21]
    single = steps(Bowl(bowl.centre), x, 6, passes=1, step=1)
    np.testing.assert_array_equal(walked[0].x, single[2].x)
    np.testing.assert_array_equal(walked[1].x, single[5].x)
    assert walked[0].loss > walked[1].loss


@pytest.mark.parametrize("shape", [(9, 12, 3), (2, 9, 12, 3)])
def test_the_gradient_is_evened_out_over_scales_before_anything_else(shape, steps, rng):
    """A step over the even gradient itself, without the pyramid, is the same step."""
    g, x = (rng.normal(0.5, 1, shape).astype(np.float32) for _ in range(2))
    even = ops.convert_to_numpy(laplacian.normalise(g, 2))
    for normalise in ("mean", "std", "none"):
        (step,) = steps(Slope(g), x, 1, step=1.5, laplacian=2, normalise=normalise)
        (expected,) = steps(Slope(even), x, 1, step=1.5, normalise=normalise)
        (plain,) = steps(Slope(g), x, 1, step=1.5, normalise=normalise)
        np.testing.assert_allclose(step.x, expected.x, rtol=1e-6)
        assert np.abs(step.x - plain.x).max() > 0.1


def test_the_pyramid_is_of_the_gradient_and_not_of_the_step(rng):
    """By hand, for gradient ascent: x − step · L(g) / (mean|L(g)|)."""
    g = rng.normal(0.5, 1, (9, 12, 3)).astype(np.float32)
    even = ops.convert_to_numpy(laplacian.normalise(g, 3)).astype(float)
    step = next(optimize(Slope(g), np.zeros(g.shape), named("gradient_ascent", passes=1, step=2, laplacian=3)))
    np.testing.assert_allclose(step.x, -2 * even / np.abs(even).mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["gradient_ascent", "adam"])
def test_max_change_bounds_all_the_steps_of_an_iteration_together(name, rng):
    low, high = CAFFE.limits
    x = rng.uniform(low - 5, high + 5, (4, 5, 3))  # some begin beyond black and white
    slope = Slope(rng.choice([-1, 1], (4, 5, 3)) * rng.uniform(1, 2, (4, 5, 3)), "caffe")
    optimizer = named(name, step=4, passes=3, max_change=6)
    before = x.clip(low, high)
    for step in islice(optimize(slope, x, optimizer), 3):
        assert ((step.x >= low - 1e-4) & (step.x <= high + 1e-4)).all()
        moved = np.abs(step.x - before)
        assert 5 < moved.max() <= 6 + 1e-3
        before = step.x
