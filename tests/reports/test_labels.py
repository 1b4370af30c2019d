"""Names in plots and pages."""

import warnings

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dreamscripts.reports.comparison_figures import render_figure
from dreamscripts.reports.contact_sheet import draw_sheet
from dreamscripts.reports.labels import LONGEST, escape, plot_label
from dreamscripts.reports.loss_curve import plot_loss

NAMES = ("a$b$c_{", r"\$x$y", "_private", "夕焼け", "🐱 غروب", "p_\udcff", "two\nlines", "100%", "n" * 300, "[x]")


def drawn(label: str) -> str:
    """Return the text that Matplotlib draws for a label. Warnings are errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    text = figure.suptitle(label)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render_figure(figure, "svg")
    seen, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    return seen


@examples(max_examples=25)
@given(st.text(st.characters(codec=None), min_size=1, max_size=20))
@example("a$b$c_{")
@example(r"\$")
@example(r"a\$b$c")
@example("夕焼け$")
def test_any_name_is_drawn_without_a_formula_or_a_warning(name):
    seen = drawn(plot_label(name))
    if name.isascii() and name.isprintable():
        assert seen == name


def test_characters_that_the_font_lacks_are_shown_by_number():
    assert plot_label("夕é🐱") == r"\u5915é\U0001f431" or plot_label("夕é🐱") == r"\u5915é🐱"
    assert plot_label("p_\udcff") == r"p_\xff"


def test_the_middle_of_a_long_name_is_omitted():
    label = plot_label("start" + "n" * 300 + "end")
    assert len(label) == LONGEST
    assert label.startswith("startnnn")
    assert label.endswith("nnnend")


def test_every_term_is_in_the_legend_whatever_its_name(monkeypatch):
    from matplotlib.axes import Axes

    legends = []
    legend = Axes.legend
    monkeypatch.setattr(Axes, "legend", lambda *args, **more: legends.append(args[2]) or legend(*args, **more))
    terms = dict.fromkeys(NAMES, 1.0)
    rows = [{"passes": i, "octave": 0, "loss": 3.0, "terms": terms} for i in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plot_loss(rows, "$" + "\udcff" * 200 + "$").startswith(b"\x89PNG")
    assert legends == [["loss", *map(plot_label, NAMES)]]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_head_a_contact_sheet_and_be_written_in_a_page(name):
    assert draw_sheet(name, f"{name} · 2 channels", [None, None], 2, 24).startswith(b"\x89PNG")
    escape(f"<{name}>").encode()
    assert escape('<b>\x1b"\u202e') == r"&lt;b&gt;\x1b&quot;\u202e"
