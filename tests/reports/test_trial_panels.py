"""The trials of a comparison, drawn side by side."""

from fractions import Fraction

import numpy as np
import pytest

from dreamscripts.dreams.movie import GROUND, Timing
from dreamscripts.reports import trial_panels
from dreamscripts.reports.trial_panels import Panel, as_text, panels_side_by_side

TIMING = Timing(3, Fraction(1), frames=11, before=2, after=3)
NAMES = ["L-BFGS", "dark\x1b[31m\u202eside", "a very long name " * 20, "日本語 👾", ""]


def pictures(value):
    return [np.full((40, 60, 3), value + 10 * number, np.uint8) for number in range(3)]


def test_all_trials_are_in_step_with_a_line_for_each():
    panels = [Panel(name, [1.0, -2.0, 1e6], pictures(40 * number)) for number, name in enumerate(NAMES)]
    frames = list(panels_side_by_side(panels, [1, 4, 9], (40, 60), TIMING))
    assert len(frames) == TIMING.frames
    (shape,) = {frame.shape for frame in frames}
    assert shape[0] > 2 * 40
    assert shape[1] >= 3 * 60
    for frame, moment in zip(frames, TIMING.moments(), strict=True):
        place = moment.first + moment.mix
        first_row = [int(frame[20, 30 + column * 62, 0]) for column in range(3)]
        assert first_row == pytest.approx([40 * number + 10 * place for number in range(3)], abs=1)


def test_the_numbers_are_those_of_the_nearest_moment(monkeypatch):
    drawn = []
    caption, footer = trial_panels._caption, trial_panels._footer
    monkeypatch.setattr(
        trial_panels, "_caption", lambda name, loss, width: (drawn.append(loss), caption(name, loss, width))[1]
    )
    monkeypatch.setattr(trial_panels, "_footer", lambda text, *size: (drawn.append(text), footer(text, *size))[1])
    list(panels_side_by_side([Panel("Adam", [5.0, -2000.4, 0.25], pictures(0))], [1, 4, 9], (40, 60), TIMING))
    assert list(dict.fromkeys(drawn)) == [
        *("loss 5", "pass 1 of 9"),
        *("loss −2,000", "pass 4 of 9"),
        *("loss 0.25", "pass 9 of 9"),
    ]


def test_a_name_that_is_too_long_stays_within_its_picture():
    long = trial_panels._caption("W" * 500, "loss 1", 120)
    assert long.shape[1] == 120
    assert (long[:, -2:] == GROUND).all()
    assert (long > 200).any()


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        *[(0.0, "0"), (-1234567.8, "−1,234,568"), (-1000, "−1,000"), (1.23456, "1.235"), (1e12, "1e+12")],
        *[(float("inf"), "inf"), (float("-inf"), "−inf"), (float("nan"), "nan")],
    ],
)
def test_losses_are_short(loss, text):
    assert as_text(loss) == text
