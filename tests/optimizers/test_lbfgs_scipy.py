from itertools import islice

import numpy as np
import pytest
from keras import ops
from landscapes import Bowl, Slope, Valley

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.optimizers.lbfgs import lbfgs
from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings

CAFFE = PREPROCESSINGS["caffe"]


def steps(landscape, x, number, start=0, **optimizer):
    landscape.preprocessing = CAFFE
    return list(islice(lbfgs(landscape, x, LbfgsSettings(**optimizer), start, {}), number))


def test_it_finds_the_minimum(rng):
    centre = rng.normal(0, 50, (4, 5, 3))
    (step,) = steps(Bowl(centre), np.zeros((4, 5, 3)), 1, passes=50)
    np.testing.assert_allclose(step.x, centre, atol=1e-3)
    assert step.loss == pytest.approx(0, abs=1e-3)
    assert step.terms == {"height": step.loss}
    assert not step.done
    assert not step.state


@pytest.mark.parametrize("start", [0, 4])
def test_each_iteration_is_under_a_draw_of_its_own_and_begins_where_the_last_one_ended(start):
    valley = Valley(np.zeros((2, 2, 3)))
    walked = steps(valley, np.full((2, 2, 3), -1.0), 3, start, passes=3)
    assert valley.draws_used == [start, start + 1, start + 2]
    assert walked[0].loss > walked[1].loss > walked[2].loss
    (again,) = steps(Valley(np.zeros((2, 2, 3))), walked[1].x, 1, start + 2, passes=3)
    np.testing.assert_array_equal(again.x, walked[2].x)


def test_no_new_step_is_begun_once_the_evaluations_are_spent():
    valley = Valley(np.zeros((2, 2, 3)))
    steps(valley, np.full((2, 2, 3), -1.0), 1, passes=7)
    assert 8 <= len(valley.evaluated) - 1 <= 12  # one more was asked for the terms


@pytest.mark.parametrize("clip", [False, True])
def test_clipped_no_pixel_leaves_its_limits_not_even_for_a_look(clip, rng):
    low, high = CAFFE.limits
    centre = rng.uniform(-600, 600, (4, 5, 3))
    bowl = Bowl(centre)
    (step,) = steps(bowl, np.zeros((4, 5, 3)), 1, passes=50, clip=clip)
    np.testing.assert_allclose(step.x, centre.clip(low, high) if clip else centre, atol=1e-3)
    seen = np.array(bowl.evaluated)
    assert ((seen < low) | (seen > high)).any() == (not clip)


def test_it_goes_where_the_settings_say(rng):
    """SciPy asks about arrays of float64, the device about tensors, and both find the same."""
    centre, asked = rng.normal(0, 50, (4, 5, 3)), []

    class Seen(Bowl):
        def loss(self, x):
            asked.append(x)
            return super().loss(x)

    found = {where: steps(Seen(centre), np.zeros((4, 5, 3)), 1, where=where)[0].x for where in ("scipy", "device")}
    assert isinstance(asked[0], np.ndarray)
    assert ops.is_tensor(asked[-1])
    np.testing.assert_allclose(found["device"], found["scipy"], atol=1e-3)


def test_max_change_bounds_an_iteration_for_scipy_too(rng):
    low, high = CAFFE.limits
    bowl, x = Bowl(rng.uniform(-600, 600, (4, 5, 3))), rng.uniform(low, high, (4, 5, 3))
    for step in steps(bowl, x, 3, max_change=10):
        assert np.abs(step.x - x).max() <= 10 + 1e-9
        assert ((step.x >= low) & (step.x <= high)).all()
        x = step.x


class Cliff(Bowl):
    """A bowl whose gradient points up instead of down: a line search ends with nothing."""

    def slope(self, x):
        return -super().slope(x)


def test_a_search_that_fails_leaves_the_loss_of_the_picture_and_is_the_last(rng, caplog):
    """SciPy itself returns the loss of the last picture that it tried."""
    x = rng.normal(0, 20, (4, 5, 3))
    (step,) = steps(Cliff(np.zeros((4, 5, 3))), x, 15)
    np.testing.assert_array_equal(step.x, x)
    assert step.loss == Bowl(np.zeros((4, 5, 3))).loss(x)
    assert step.done
    assert caplog.text.count("iteration 1: ") == 1


def test_under_jitter_one_more_iteration_is_tried_also_after_a_break(rng, caplog):
    x, cliff = rng.normal(0, 20, (4, 5, 3)), Cliff(np.zeros((4, 5, 3)))
    cliff.is_random = True
    walked = steps(cliff, x, 15)
    assert [step.done for step in walked] == [False, True]
    assert caplog.text.count("found no lower loss") == 2
    (resumed,) = islice(lbfgs(cliff, walked[0].x, LbfgsSettings(), 1, walked[0].state), 15)
    assert resumed.done


@pytest.mark.parametrize("where", ["scipy", "device"])
@pytest.mark.parametrize("size", [1e-6, 1e-3])
def test_small_gradients_do_not_stop_it_before_it_began(where, size, rng):
    """SciPy's own tolerances would: those of a large picture shrink with the number of pixels."""
    x = np.zeros((4, 5, 3))
    (step,) = steps(Slope(size * rng.normal(size=(4, 5, 3)).astype(np.float32)), x, 1, where=where, max_change=10)
    assert not step.done
    assert np.abs(step.x).max() > 9
