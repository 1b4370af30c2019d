"""The web page of a distillation: its pictures, its bars and curves, and names from anywhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dreamscripts.reports.distillation import Distilled, build_page, suggestion, write_page
from dreamscripts.reports.distillation_drawings import bar, colour, curves
from dreamscripts.reports.distillation_dreams import SideBySide, dream_side_by_side
from dreamscripts.training.moment import Moment

LAYERS = ["block1_conv2", "<b>&", "block3_conv3"]


class Page(HTMLParser):
    """Collects the tags of a page, and checks that they are closed."""

    EMPTY = ("meta", "img", "link", "path", "rect", "circle")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def distilled(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [rng.uniform(0, 255, (24, 32, 3)).astype(np.float32) for _ in range(3)]
    moments = [
        Moment(step, 40.0 * step, step / 30, (3 / step, 1 / step, 2 / step), dict.fromkeys(LAYERS, step / 60))
        for step in range(1, 31)
    ]
    return Distilled(
        file=tmp_path / "small.keras",
        origin={
            "teacher": "<i>mine.keras",
            "layers": LAYERS,
            "steps": 1234,
            "minutes": 20.2,
            "photographs": 960,
            "held_out": 40,
            "student": None,
            "width": 0.25,
            "agreement": {},
        },
        weights=(14_700_000, 920_784),
        before={},
        agreement={LAYERS[0]: 0.7, LAYERS[1]: -0.05, LAYERS[2]: 0.4},
        curve=moments,
        dreams=[SideBySide("<b>&", *pictures)],
        command="dreamscripts distil '<script>' -o small.keras",
    )


def test_the_page_shows_the_dreams_the_agreement_and_the_origin(distilled):
    page = write_page(distilled)
    assert page == distilled.file.with_suffix(".html")
    text = page.read_text("utf-8")
    parsed = Page(text)
    assert parsed.open == []
    assert parsed.tags.count("img") == 3
    assert "0.92 million weights instead of 15 million: 6.3%" in text
    assert "1,234 steps in 20 minutes on 960 photographs" in text
    assert ">0.700<" in text and ">-0.050<" in text
    assert "$" not in re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL)
    assert text.count("<svg") == len(LAYERS) + 1
    assert len(re.findall("<tr><td>", text)) == 30
    assert "<dt>width</dt><dd>0.25</dd>" in text
    assert "<dt>student</dt>" not in text


def test_names_from_anywhere_are_texts(distilled):
    text = build_page(distilled)
    for name in ("<b>&<", "<i>mine", "<script"):
        assert name not in text
    for name in ("&lt;b&gt;&amp;", "&lt;i&gt;mine.keras", "&lt;script&gt;"):
        assert name in text


def test_nothing_is_loaded_from_elsewhere(distilled):
    page = Page(build_page(distilled))
    sources = [value for name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_a_continued_student_is_compared_with_before(distilled):
    from dataclasses import replace

    text = build_page(replace(distilled, before={LAYERS[0]: 0.6, LAYERS[1]: 0.0, LAYERS[2]: 0.41}))
    assert "0.600 →</span> 0.700" in text
    assert text.count('class="before"') == len(LAYERS)
    assert "No dreams were made" in build_page(replace(distilled, dreams=[]))


def test_the_suggestion_fits_the_layers(distilled):
    from dataclasses import replace

    file = str(distilled.file)
    assert suggestion(distilled) == (
        f"dreamscripts dream PHOTO -s caffe -n {file} --set 'features={{\"block3_conv3\" = 1}}'"
    )
    deep = replace(distilled, agreement={"block5_conv1": 0.3, "block5_conv2": 0.2})
    assert suggestion(deep) == f"dreamscripts dream PHOTO -s dreamy -n {file}"


def test_a_bar_is_as_long_as_its_cosine():
    assert '<rect width="45.6" height="10" fill="red"/>' in bar(0.4561, None, "red")
    assert "before" not in bar(0.4, None, "red")
    assert 'd="M30.0 0V10"' in bar(0.4, 0.3, "red")
    assert '<rect width="0.0"' in bar(-0.2, None, "red")


def test_curves_go_through_their_points():
    drawn = curves([0.0, 5.0, 10.0], {"a": [0.0, 0.25, 0.5], "b": [0.1, 0.1, 0.1]})
    first, second = re.findall(r'class="curve" stroke="[^"]+" d="([^"]+)"', drawn)
    points = [tuple(map(float, point.split())) for point in re.findall(r"[ML]([\d.]+ [\d.]+)", first)]
    assert [x for x, _ in points] == [28.0, 190.0, 190.0, 352.0]
    heights = [y for _, y in points]
    assert heights[0] == 176 and heights[-1] == 8 and heights[1] == pytest.approx(92)
    flat = re.findall(r"[\d.]+ ([\d.]+)", second)
    assert len(set(flat)) == 1
    assert "10 min</text>" in drawn
    assert colour(0, 2) != colour(1, 2)


@pytest.mark.parametrize("cosines", [{"a": [0.3]}, {"a": [-0.2]}, {"a": [0.0]}])
def test_curves_of_a_single_moment(cosines):
    assert "NaN" not in curves([0.0], cosines)
    assert curves([0.004], cosines).count("<circle") == 1


def test_the_same_dream_by_two_networks(photo, compiled_once):
    pocket = {"network": "pocket"}
    rows = dream_side_by_side(
        pocket, pocket, ["block1_conv1", "block2_conv1"], [Path(photo)], None, lambda passes, loss: None
    )
    assert [row.layer for row in rows] == ["block2_conv1", "block2_conv1"]
    for row in rows:
        assert row.photograph.shape == row.teachers.shape == row.students.shape
        assert np.array_equal(row.teachers, row.students)
        assert np.abs(row.teachers - row.photograph).mean() > 2
