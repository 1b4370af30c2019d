"""The frames of a movie: their times, cross-fades, and pictures side by side."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.dreams.movie import (
    GROUND,
    Timing,
    columns_of,
    cross_faded,
    even,
    gap_between,
    mixed,
    side_by_side,
)
from dreamscripts.errors import SettingsError

RATES = st.fractions(1, 120, max_denominator=1001)


def flat(value, height=2, width=3) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(("pictures", "least", "most"), [(2, 4, 5), (3, 6, 7), (5, 8, 10), (16, 9, 11), (1000, 12, 13)])
def test_a_movie_has_a_pleasant_length_if_none_is_asked_for(pictures, least, most):
    timing = Timing.of(pictures, Fraction(30))
    assert least <= timing.seconds <= most
    assert timing.after == 60


@given(st.integers(2, 200), RATES, st.floats(1, 30))
def test_the_frames_go_from_the_first_picture_to_the_last_without_a_jump(pictures, rate, seconds):
    timing = Timing.of(pictures, rate, max(seconds, float(4 / rate)))
    moments = list(timing.moments())
    assert len(moments) == timing.frames
    assert abs(timing.frames - max(seconds, float(4 / rate)) * rate) <= 0.5 + 1e-6
    places = [moment.first + moment.mix for moment in moments]
    steps = [after - before for before, after in pairwise(places)]
    assert places[0] == 0
    assert places[-1] == pictures - 1
    assert places.count(0) == timing.before
    assert places.count(pictures - 1) == timing.after
    assert min(steps) >= 0
    moving = [step for step in steps if step]
    assert max(moving) - min(moving) < 1e-9
    assert all(0 <= moment.mix < 1 and moment.second < pictures for moment in moments)


def test_the_length_and_the_hold_are_those_that_were_asked_for():
    timing = Timing.of(7, Fraction(25), 4, 1)
    assert (timing.frames, timing.before, timing.after) == (100, 6, 25)
    assert Timing.of(7, Fraction(25), 5).after == 25
    with pytest.raises(SettingsError, match=r"1 seconds is too short .* use more --seconds or less --hold"):
        Timing.of(7, Fraction(25), 1, 1)


def test_each_picture_is_seen_and_between_two_both_are():
    pictures = [flat(value) for value in (0, 200, 100)]
    timing = Timing(3, Fraction(1), frames=12, before=1, after=3)
    values = [int(frame[0, 0, 0]) for frame in cross_faded(iter(pictures), timing)]
    assert values[0] == 0
    assert values[-3:] == [100, 100, 100]
    assert values == pytest.approx([0, 44.4, 88.9, 133.3, 177.8, 188.9, 166.7, 144.4, 122.2, 100, 100, 100], abs=1)


@given(st.integers(2, 40), st.integers(4, 60))
def test_the_frames_are_those_of_their_moments_also_if_there_are_more_pictures(pictures, frames):
    timing = Timing(pictures, Fraction(1), frames, 1, 1)
    values = [int(frame[0, 0, 0]) for frame in cross_faded((flat(5 * i) for i in range(pictures)), timing)]
    wanted = [5 * (moment.first + moment.mix) for moment in timing.moments()]
    assert len(values) == frames
    assert np.abs(np.array(values) - wanted).max() <= 1


def test_pictures_are_read_when_they_are_needed():
    read = []

    def pictures():
        for number in range(5):
            read.append(number)
            yield flat(number)

    frames = cross_faded(pictures(), Timing(5, Fraction(1), frames=42, before=1, after=1))
    next(frames)
    assert read == [0, 1]
    for _ in range(20):
        next(frames)
    assert max(read) < 4


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_a_mix_is_rounded(first, second, mix):
    value = mixed(flat(first), flat(second), mix)
    assert value.dtype == np.uint8
    assert abs(int(value[0, 0, 0]) - (first + (second - first) * mix)) <= 1.001


def test_an_unmixed_picture_is_unchanged(rng):
    first, second = rng.integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    assert mixed(first, second, 0.0) is first
    assert mixed(first, second, 1.0) is second


def test_pictures_are_side_by_side_with_a_gap():
    beside = side_by_side([flat(1, 2, 3), flat(2, 2, 4)], 2, 2)
    assert beside[0, :, 0].tolist() == [1, 1, 1, GROUND, GROUND, 2, 2, 2, 2]
    rows = side_by_side([flat(value) for value in (1, 2, 3)], 2, 2)
    assert rows.shape == (6, 8, 3)
    assert rows[-1, :, 0].tolist() == [GROUND, GROUND, 3, 3, 3, GROUND, GROUND, GROUND]


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 6), (4, 7), (5, 7)])
def test_sides_become_even_without_another_pixel_being_changed(height, width, rng):
    frame = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    made = even(frame)
    assert made.shape[0] % 2 == made.shape[1] % 2 == 0
    assert np.array_equal(made[:height, :width], frame)
    assert np.array_equal(made[-1, -1], frame[-1, -1])


def test_trials_fill_a_screen():
    assert columns_of(1, 200, 300) == 1
    assert columns_of(2, 200, 300) == 2
    assert columns_of(3, 200, 300) == 3
    assert columns_of(6, 200, 300) == 3
    assert columns_of(10, 200, 300) == 4
    assert columns_of(2, 200, 900) == 1
    assert columns_of(3, 400, 200) == 3
    assert gap_between(20) == 2
    assert gap_between(640) % 2 == 0
