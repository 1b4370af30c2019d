import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.optimizers.line_search import MOST, Point, search


class Waves:
    """A function of a step that goes down at 0, with minima in plenty, and none lower than another without end."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        number = rng.integers(1, 6)
        self.height, self.frequency = rng.normal(size=number), rng.exponential(2, number)
        self.phase, self.bend = rng.uniform(0, 6, number), 0.1 + rng.exponential()
        self.tilt = 0.0
        self.tilt = -abs(rng.normal()) - 0.1 - self(0).slope
        self.asked = []

    def __call__(self, step):
        angle = self.frequency * step + self.phase
        loss = (self.height * np.sin(angle)).sum() + self.bend * step**2 + self.tilt * step
        slope = (self.height * self.frequency * np.cos(angle)).sum() + 2 * self.bend * step + self.tilt
        return Point(step, float(loss), float(slope))

    def at(self, step):
        self.asked.append(step)
        return self(step)


seeds = st.integers(0, 2**32 - 1)
steps = st.floats(1e-3, 30)


@given(seeds, steps)
def test_the_strong_wolfe_conditions_hold_where_it_ends_unless_the_interval_is_used_up(seed, first):
    waves = Waves(seed)
    start, found = waves(0), search(waves.at, waves(0), first)
    assert waves.asked[0] == first
    assert len(waves.asked) <= MOST + 1
    if found is None:
        assert min(waves(step).loss for step in waves.asked) >= start.loss + 1e-3 * start.slope * max(waves.asked)
        return
    assert found.step == waves.asked[-1]
    assert found.loss < start.loss
    decrease = found.loss <= start.loss + 1e-3 * found.step * start.slope
    level = abs(found.slope) <= 0.9 * abs(start.slope)
    # Else it is the lowest of all, with another beside it.
    lowest = found.loss == min(waves(step).loss for step in waves.asked)
    beside = min(abs(step - found.step) for step in [0, *waves.asked] if step != found.step)
    assert (decrease and level) or (lowest and beside <= 0.2 * max(waves.asked))


@given(seeds, steps, st.sampled_from([1, 3, 30, math.inf]))
def test_it_asks_where_the_search_of_minpack_2_asks(seed, first, reach):
    dcsrch = pytest.importorskip("scipy.optimize._dcsrch")
    mine, theirs, longest = Waves(seed), Waves(seed), min(first * reach, 1e10)
    found = search(mine.at, mine(0), first, longest)
    theirs_search = dcsrch.DCSRCH(
        lambda step: theirs.at(step).loss, lambda step: theirs(step).slope, 1e-3, 0.9, 0.1, 0, longest
    )
    step, *_, ending = theirs_search(first, theirs(0).loss, theirs(0).slope, maxiter=MOST)
    both = min(len(mine.asked), len(theirs.asked))
    np.testing.assert_allclose(mine.asked[:both], theirs.asked[:both], rtol=1e-4)
    if ending.startswith(b"CONV"):
        assert len(mine.asked) == len(theirs.asked)
        assert found.step == pytest.approx(step, rel=1e-4)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-4, 1e3))
def test_of_a_parabola_it_wants_few_passes(bottom, bend, share):
    asked = []

    def at(step):
        asked.append(step)
        return Point(step, bend * (step - bottom) ** 2, 2 * bend * (step - bottom))

    found = search(at, Point(0, bend * bottom**2, -2 * bend * bottom), share * bottom)
    assert abs(found.slope) <= 0.9 * 2 * bend * bottom * (1 + 1e-9)  # rounding
    assert len(asked) <= 2 + max(0, math.log(0.1 / share, 4))  # five times as far, then more than four, up to a tenth


def test_the_longest_step_is_not_passed_and_is_good_enough_on_a_slope():
    asked = []

    def at(step):
        asked.append(step)
        return Point(step, -step, -1.0)

    assert search(at, Point(0, 0.0, -1.0), 1, longest=7).step == 7
    assert asked == [1, 5, 7]
    asked.clear()
    assert search(at, Point(0, 0.0, -1.0), 1, longest=1).step == 1
    assert asked == [1]


@pytest.mark.parametrize("noise", [0, 1e-4, 1])
def test_where_roundings_hide_the_slope_it_gives_up_with_nothing_higher(noise):
    rng = np.random.default_rng(0)
    asked = []

    def at(step):
        asked.append(step)
        return Point(step, 5 + noise * rng.random(), -1e-9)

    found = search(at, Point(0, 5.0, -1e-9), 1)
    assert found is None if noise else found.loss == 5
    assert len(asked) <= MOST


def test_where_only_a_step_before_was_lower_it_goes_back_to_it():
    """A well so narrow that every other place is higher."""
    losses = {1: -1.0}
    asked = []

    def at(step):
        asked.append(step)
        return Point(step, losses.get(step, 3.0), -5.0 if step == 1 else 5.0)

    found = search(at, Point(0, 0.0, -1.0), 1)
    assert found == Point(1, -1.0, -5.0)
    assert asked[0] == asked[-1] == 1
    assert len(asked) > 2
