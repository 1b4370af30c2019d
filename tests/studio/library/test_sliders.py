"""The sliders: each is a setting, and its range holds the values of all looks."""

import math

import pytest

from dreamscripts.settings.describing import describe
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.sliders import SLIDERS

KEYS = {key.key: key for key in describe(Settings)}


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda slider: slider.key)
def test_a_slider_is_a_setting_and_stays_within_its_limits(slider):
    key = KEYS[slider.key]
    assert key.kind == slider.kind
    assert slider.low < slider.high
    assert key.low <= slider.low
    assert key.high is None or slider.high <= key.high
    assert slider.low > 0 or slider.scale == "linear"
    for value in (slider.low, slider.high):
        assert math.isclose(value / slider.step, round(value / slider.step), abs_tol=1e-9)
    if slider.kind == "integer":
        assert all(isinstance(number, int) for number in (slider.low, slider.high, slider.step))


def test_the_values_of_every_look_of_a_photograph_are_in_the_ranges():
    for name in set(named_files()) - {"caffe_guided"}:
        settings = Settings.load(name)
        if settings.start == "photograph":
            for slider in SLIDERS:
                value = settings.value(slider.key)
                assert value is None or slider.low <= value <= slider.high, (name, slider.key)


def test_titles_differ_and_have_no_jargon():
    titles = [slider.title for slider in SLIDERS]
    assert len(set(titles)) == len(titles)
    for slider in SLIDERS:
        words = f"{slider.title} {slider.about}".lower()
        assert not any(
            word in words for word in ("octave", "iteration", "penalty", "jitter", "l2", "optimizer", "seed")
        )
