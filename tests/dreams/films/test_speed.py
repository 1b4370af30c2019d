"""Mixtures of keyframes, and the speed of a zoom."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.dreams.films.speed import mixture, speed_at
from dreamscripts.settings.film_tables import Keyframe, Zoom


def keyframe(at, **more) -> Keyframe:
    return Keyframe(at=at, features={"block1_conv1": 1.0}, **more)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, {0: 1}), (1, {0: 0.75, 1: 0.25}), (3, {0: 0.25, 1: 0.75}), (4, {1: 1}), (4.5, {1: 0.5, 2: 0.5}), (9, {2: 1})],
)
def test_a_keyframe_fades_out_as_the_next_fades_in(seconds, expected):
    assert mixture([keyframe(0), keyframe(4), keyframe(5)], seconds) == pytest.approx(expected)
    assert mixture([], seconds) == {}


@given(st.lists(st.floats(0.01, 100), max_size=5, unique=True), st.floats(0, 120))
def test_shares_are_above_0_and_their_sum_is_1(moments, seconds):
    keyframes = [keyframe(at) for at in [0, *sorted(moments)]]
    shares = mixture(keyframes, seconds)
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values())
    assert all(abs(a - b) == 1 for a in shares for b in shares if a != b)


def test_a_speed_is_mixed_evenly_too():
    zoom = Zoom(factor=1.5, turn=10, keyframes=[keyframe(0), keyframe(2, factor=6.0, turn=-20.0), keyframe(4)])
    assert speed_at(zoom, 0) == pytest.approx((1.5, 10))
    assert speed_at(zoom, 1) == pytest.approx((sqrt(1.5 * 6), -5))  # the same enlargement in each frame
    assert speed_at(zoom, 2) == pytest.approx((6, -20))
    assert speed_at(zoom, 3.5) == pytest.approx((6**0.25 * 1.5**0.75, 2.5))
    assert speed_at(zoom, 99) == pytest.approx((1.5, 10))
    assert speed_at(Zoom(factor=0.5, turn=3), 8) == (0.5, 3)
