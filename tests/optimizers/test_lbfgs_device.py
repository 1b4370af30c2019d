import gc
from itertools import islice

import numpy as np
import pytest
from conftest import BACKENDS, changed
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from landscapes import Bowl, Slope, Valley
from scipy.optimize import Bounds, minimize

from dreamscripts import Evaluator, dream
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.losses.build import build_loss
from dreamscripts.networks.loading import load_network
from dreamscripts.optimizers import lbfgs_device as module
from dreamscripts.optimizers import line_search
from dreamscripts.optimizers.lbfgs import lbfgs
from dreamscripts.optimizers.lbfgs_settings import LbfgsSettings

CAFFE = PREPROCESSINGS["caffe"]
SHAPE = (4, 5, 3)
seeds = st.integers(0, 2**32 - 1)


class Folded(Bowl):
    """½ d·A d over d = x − centre, with an A that is positive and far from diagonal; and waves on it, where wanted."""

    def __init__(self, centre, waves=0.0, seed=0):
        super().__init__(centre)
        factor = np.random.default_rng(seed).normal(size=(centre.size, centre.size)) / np.sqrt(centre.size)
        self.a, self.waves = factor @ factor.T + 0.1 * np.eye(centre.size), waves

    def height(self, x):
        d = (x - self.centre).ravel()
        return 0.5 * (d @ self.a @ d) + self.waves * np.cos(d).sum()

    def slope(self, x):
        d = (x - self.centre).ravel()
        return (self.a @ d - self.waves * np.sin(d)).reshape(x.shape)


def steps(landscape, x, number, start=0, **optimizer):
    landscape.preprocessing = CAFFE
    return list(islice(lbfgs(landscape, x, LbfgsSettings(where="device", **optimizer), start, {}), number))


def by_scipy(landscape, x, **optimizer):
    landscape.preprocessing = CAFFE
    step = next(lbfgs(landscape, x, LbfgsSettings(where="scipy", **optimizer), 0, {}))
    del landscape.evaluated[-2:]  # once more for the loss, and for the terms
    return step


@pytest.mark.parametrize("shape", [SHAPE, (2, *SHAPE)])
def test_it_finds_the_minimum(shape, rng):
    centre, x = rng.normal(0, 50, shape), np.zeros(shape)
    (step,) = steps(Bowl(centre), x, 1, passes=50)
    np.testing.assert_allclose(step.x, centre, atol=1e-3)
    assert step.loss == pytest.approx(0, abs=1e-3)
    assert (step.terms, step.state, step.done) == ({"height": step.loss}, {}, False)
    assert isinstance(step.x, np.ndarray)
    assert step.x.dtype == np.float32
    assert not x.any()


@pytest.mark.parametrize("landscape", [Valley, Folded])
@pytest.mark.parametrize("history", [5, 10])
def test_it_needs_about_as_many_passes_as_scipy(landscape, history, rng):
    shape = (2, 2, 3)
    x = np.full(shape, -1.0) if landscape is Valley else rng.normal(0, 30, shape)
    mine, theirs = landscape(np.zeros(shape)), landscape(np.zeros(shape))
    (step,) = steps(mine, x, 1, passes=1000, history=history)
    other = by_scipy(theirs, x, passes=1000)
    assert len(mine.evaluated) <= 1.5 * len(theirs.evaluated)
    assert step.loss <= other.loss + 1e-4
    np.testing.assert_allclose(step.x, other.x, atol=0.02)


@pytest.mark.parametrize("passes", [1, 2, 3, 7, 12, 20])
def test_it_ends_after_as_many_passes_as_scipy_and_as_low(passes):
    x = np.full(SHAPE, -1.0)
    mine, theirs = Valley(x), Valley(x)
    (step,) = steps(mine, x, 1, passes=passes, history=10)
    other = by_scipy(theirs, x, passes=passes)
    assert len(mine.evaluated) == len(theirs.evaluated)
    assert step.loss == pytest.approx(other.loss, rel=1e-4)
    np.testing.assert_allclose(step.x, other.x, atol=1e-2)


@given(seeds, st.booleans())
@examples(max_examples=30, deadline=None)
def test_every_step_goes_down_as_wolfe_wants_it(seed, clip):
    search, searched = line_search.search, []

    def spied(line, start, first, longest):
        found = search(line, start, first, longest)
        searched.append((start, found, longest))
        return found

    x = np.random.default_rng(seed).normal(0, 30, SHAPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_search, "search", spied)
        (step,) = steps(Folded(np.zeros(SHAPE), 5.0, seed), x, 1, passes=30, clip=clip)
    for start, found, longest in searched[:8]:  # then roundings may hide what is left
        assert found.loss <= start.loss + 1e-3 * found.step * start.slope
        assert abs(found.slope) <= 0.9 * abs(start.slope) or (found.step == longest and found.slope < 0)
    assert step.loss == next(found.loss for _, found, _ in reversed(searched) if found)


@pytest.mark.parametrize("start", [0, 4])
def test_each_iteration_is_under_a_draw_of_its_own_and_begins_where_the_last_one_ended(start):
    valley = Valley(np.zeros((2, 2, 3)))
    walked = steps(valley, np.full((2, 2, 3), -1.0), 3, start, passes=3)
    assert valley.draws_used == [start, start + 1, start + 2]
    assert walked[0].loss > walked[1].loss > walked[2].loss
    (again,) = steps(Valley(np.zeros((2, 2, 3))), walked[1].x, 1, start + 2, passes=3)
    np.testing.assert_array_equal(again.x, walked[2].x)


def test_no_more_pairs_are_kept_than_the_history(monkeypatch):
    known, spied = [], module.direction
    monkeypatch.setattr(
        module, "direction", lambda g, pairs, free: (known.append(len(pairs)), spied(g, pairs, free))[1]
    )
    for history in (1, 3):
        known.clear()
        steps(Valley(np.zeros(SHAPE)), np.full(SHAPE, -1.0), 1, passes=12, history=history)
        assert max(known) == history
    assert known[:4] == [1, 2, 3, 3]


@given(seeds)
@examples(max_examples=20, deadline=None)
def test_bounded_it_finds_what_scipy_finds_and_never_looks_beyond(seed):
    rng, (low, high) = np.random.default_rng(seed), CAFFE.limits
    centre, x = rng.uniform(-250, 250, SHAPE), rng.uniform(-90, 90, SHAPE)
    mine = Folded(centre, seed=seed)
    (step,) = steps(mine, x, 1, passes=400, clip=True)
    n = centre.size
    best = minimize(
        lambda flat: 0.5 * flat @ mine.a @ flat - flat @ mine.a @ centre.ravel(),
        np.zeros(n),
        jac=lambda flat: mine.a @ (flat - centre.ravel()),
        method="L-BFGS-B",
        bounds=Bounds(*(np.broadcast_to(limit, SHAPE).ravel() for limit in CAFFE.limits)),
        options={"ftol": 1e-14, "gtol": 1e-9, "maxfun": 10_000, "maxiter": 10_000},
    ).x.reshape(SHAPE)
    assert ((best == low) | (best == high)).any()
    assert step.loss <= mine.loss(best) * (1 + 1e-4) + 1e-3
    np.testing.assert_allclose(step.x, best, atol=0.5)
    seen = np.array(mine.evaluated, np.float32)
    assert (seen >= low.astype(np.float32)).all()
    assert (seen <= high.astype(np.float32)).all()


@given(seeds, st.sampled_from([2.0, 10.0, 60.0]))
@examples(max_examples=20, deadline=None)
def test_no_picture_that_is_tried_moves_farther_than_max_change_in_an_iteration(seed, max_change):
    rng, (low, high) = np.random.default_rng(seed), CAFFE.limits
    x = rng.uniform(low - 5, high + 5, SHAPE)  # some begin beyond black and white, and are brought back first
    mine = Folded(rng.uniform(-250, 250, SHAPE), waves=3.0, seed=seed)
    before = x.clip(low, high)
    for iteration in range(3):
        mine.evaluated.clear()
        (step,) = steps(mine, x, 1, iteration, passes=7, max_change=max_change)
        seen = np.array(mine.evaluated)
        assert np.abs(seen - before).max() <= max_change + 1e-3
        assert (seen >= low - 1e-4).all()
        assert (seen <= high + 1e-4).all()
        assert step.loss < mine.height(before)
        x = before = step.x


def test_within_a_box_the_first_step_goes_as_far_as_the_box_allows(rng):
    """The mean value reaches its bound, whatever the size of the gradient, and those with a larger slope as well."""
    g = rng.choice([-1, 1], SHAPE) * rng.uniform(0.5, 1.5, SHAPE)
    for size in (1e-6, 1, 1e6):
        slope = Slope(g * size)
        steps(slope, np.zeros(SHAPE), 1, passes=1, max_change=10)
        moved = slope.evaluated[1] * -np.sign(g)
        np.testing.assert_allclose(moved, np.minimum(10, 10 * np.abs(g) / np.abs(g).mean()), rtol=1e-4)


def test_bounded_it_begins_within_the_bounds_and_ends_in_a_corner_that_the_slope_leads_to(rng):
    g = rng.choice([-1, 1], SHAPE) * rng.uniform(50, 200, SHAPE)
    (step,) = steps(Slope(g), np.full(SHAPE, 500.0), 1, passes=20, clip=True)
    np.testing.assert_allclose(step.x, np.where(g > 0, *CAFFE.limits), rtol=1e-6)


@pytest.mark.parametrize("clip", [False, True])
def test_where_nothing_is_to_be_gained_the_picture_stays_and_it_says_so_after_one_pass(clip, rng, caplog):
    x, flat = rng.uniform(-50, 50, SHAPE).astype(np.float32), Slope(np.zeros(SHAPE))
    (step,) = steps(flat, x, 2, clip=clip)
    assert len(flat.evaluated) == 1
    assert step.done
    assert "iteration 1: " in caplog.text
    np.testing.assert_array_equal(step.x, x)


@pytest.mark.parametrize("clip", [False, True])
def test_at_the_bottom_it_stops_as_soon_as_float32_sees_no_difference(clip, rng):
    bowl = Bowl(rng.normal(0, 20, SHAPE))
    (step,) = steps(bowl, bowl.centre + 1e-6, 1, passes=1000, clip=clip)
    assert len(bowl.evaluated) <= 2 * line_search.MOST
    assert step.loss <= 1e-9


class Jagged(Bowl):
    """A bowl whose gradient points up instead of down: no step goes down, whatever it promises."""

    def slope(self, x):
        return -super().slope(x)


@pytest.mark.parametrize("optimizer", [{}, {"clip": True}, {"max_change": 10}])
def test_where_no_step_goes_down_it_yields_what_there_is_after_one_search(optimizer, rng, caplog):
    x = rng.normal(0, 20, SHAPE).astype(np.float32)
    jagged = Jagged(np.zeros(SHAPE))
    (step,) = steps(jagged, x, 15, start=3, passes=7, **optimizer)
    assert len(jagged.evaluated) <= line_search.MOST + 1
    np.testing.assert_array_equal(step.x, x)
    assert step.loss == jagged.loss(x)
    assert caplog.text.count("found no lower loss") == caplog.text.count("iteration 4: ") == 1


def test_of_a_network_it_lowers_the_loss_as_far_as_scipy(picture, settings):
    network = load_network("pocket", layers=settings.features)
    evaluator = Evaluator(network, build_loss(settings, network), jitter=settings.jitter)
    x, losses = network.preprocessing.normalise(picture), {}
    for where in ("scipy", "device"):
        table = settings.optimizer.model_copy(update={"where": where, "passes": 5})
        evaluator.reset()
        walked = list(islice(lbfgs(evaluator, x, table, 0, {}), 2))
        losses[where] = [step.loss for step in walked]
        assert walked[-1].terms == pytest.approx(evaluator.terms(walked[-1].x), rel=1e-4)
    np.testing.assert_allclose(losses["device"], losses["scipy"], rtol=0.02)


@pytest.mark.parametrize("max_change", [None, 4.0])
def test_a_resumed_dream_is_as_an_unbroken_one(max_change, picture, settings, compiled_once):
    settings = changed(settings, optimizer={"where": "device", "max_change": max_change})
    unbroken = list(dream(picture, settings))
    resumed = list(dream(picture, settings, after=unbroken[2]))
    for mine, theirs in zip(resumed, unbroken[3:], strict=True):
        np.testing.assert_array_equal(mine.x, theirs.x)
        assert (mine.loss, mine.passes) == (theirs.loss, theirs.passes)


def walked():
    """The pictures after each of two iterations: unbounded, between black and white, and within a box."""
    x, folded = np.full(SHAPE, -1.0), Folded(np.linspace(-200, 200, 60).reshape(SHAPE))
    walk = steps(Valley(x), x, 2, passes=9) + steps(folded, x, 2, passes=9, clip=True)
    return [step.x for step in walk + steps(folded, x, 2, passes=9, max_change=10)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_backends_take_the_same_steps(backend, on_backend):
    np.testing.assert_allclose(on_backend(backend, walked), walked(), rtol=1e-3, atol=1e-3)


def vectors_in_memory(on_gpu, random, bounded):
    """The number of vectors of the picture's size at the start of each pass of three iterations."""
    import jax

    valley = Valley(np.zeros((8, 10, 3)))
    valley.is_random = random
    evaluate, counts = valley.evaluate, []

    def counted(x, draw):
        gc.collect()
        counts.append(sum(array.shape == x.shape for array in jax.live_arrays()))
        return evaluate(x, draw)

    valley.evaluate = counted
    settings = LbfgsSettings(where="device", passes=12, max_change=20 if bounded else None, history=3)
    with pytest.MonkeyPatch.context() as patch:
        if on_gpu:
            patch.setattr(module.host, "on_gpu", lambda: True)
            valley.passes_at_once = 8
        results = module.device_lbfgs(valley, np.full((8, 10, 3), -1.0), settings, 0)
        for _ in range(3):
            next(results)  # and keep none, because their pictures are also vectors
    return counts


@pytest.mark.skipif("jax" not in BACKENDS, reason="JAX is not installed")
@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("on_gpu", [False, True])
def test_no_more_vectors_are_in_memory_than_is_said(on_gpu, bounded, random, on_backend):
    """Two for each pair, five more, two for bounds, and on a GPU those for the pass ahead."""
    counts = on_backend("jax", vectors_in_memory, on_gpu, random, bounded)
    assert len(counts) > 30
    ahead = (5 if bounded else 3) if on_gpu else 0
    assert max(counts) == 2 * 3 + 5 + 2 * bounded + ahead
