import csv
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from dreamscripts.dreams.comparison import Comparison
from dreamscripts.dreams.trial import Pass, Trial
from dreamscripts.images.files import open_picture
from dreamscripts.reports.comparison import write_report
from dreamscripts.reports.comparison_figures import draw
from dreamscripts.reports.comparison_verdict import verdict
from dreamscripts.settings.schema import Settings

BUDGETS = (1, 2, 4)
FIGURES = {"loss_by_passes", "loss_by_seconds", "terms", "pictures", "differences", "steps"}
ABOUT = {
    "picture": '<b>&"my".jpg',
    "settings_name": "<i>mine</i>",
    "device": "CPU: some",
    "versions": {"keras": "3.1", "numpy": "2.2"},
}


def a_trial(optimizer, losses, seed, *, step=None, restart=None, ended_by="", overhead=0.01):
    passes = [
        Pass(i + 1, 0.1 * (i + 1), loss, min(losses[: i + 1]), {"block2_conv1": loss - 7.5, "dream_l2": 7.5})
        for i, loss in enumerate(losses)
    ]
    rng = np.random.default_rng(seed)
    return Trial(
        optimizer,
        step,
        restart,
        passes,
        {budget: rng.uniform(0, 255, (12, 16, 3)).astype(np.float32) for budget in BUDGETS},
        min(losses),
        {"block2_conv1": min(losses) - 7.5, "dream_l2": 7.5},
        seconds_per_pass=0.1234 + seed,
        overhead=overhead,
        mebibytes=3.4,
        ended_by=ended_by,
    )


@pytest.fixture(scope="module")
def comparison():
    """L-BFGS before Adam before gradient ascent, one of whose steps was too long."""
    trials = (
        a_trial("gradient_ascent", [200, 150, 100, 50.25], 0, step=1.5),
        a_trial("gradient_ascent", [200, 4000], 1, step=4.5, ended_by="the loss diverged, from 200 to 4000"),
        a_trial("adam", [200, 300, -400, -600.5], 2, step=2, overhead=0.25),
        a_trial("lbfgs", [200, 199, -100, -200], 3, restart=2),
        a_trial("lbfgs", [200, -500, -700, -1234.5], 4, restart=4),
    )
    start = np.full((12, 16, 3), 127.5, np.float32)
    return Comparison(Settings(features={"block2_conv1": 0.05}), 4, BUDGETS, start, 200.0, trials)


@pytest.fixture(scope="module")
def folder(comparison, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert write_report(comparison, folder, ABOUT) == folder / "index.html"
    return folder


class Page(HTMLParser):
    """The elements of a page, their attributes, the text inside of each kind, and the cells of the table."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.said, self.rows, self.open = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.said[tag] = self.said.get(tag, "") + data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "index.html").read_text("utf-8"))


def test_the_picture_of_each_optimizer_holds_the_settings_of_its_best_trial(folder):
    ascent, adam, lbfgs = (
        Settings.load(folder / f"{name}.png").optimizer for name in ("gradient_ascent", "adam", "lbfgs")
    )
    assert (ascent.name, ascent.step) == ("gradient_ascent", 1.5)
    assert (adam.name, adam.step) == ("adam", 2)
    assert (lbfgs.name, lbfgs.passes, lbfgs.iterations) == ("lbfgs", 4, 1)


def test_the_verdict_names_the_best_and_its_numbers(comparison):
    assert verdict(comparison) == [
        "After 4 passes, the lowest final loss is −1,234 (L-BFGS, 4 passes per iteration). The loss of the start "
        "picture is 200.",
        "Adam, step 2: the final loss is −600.5. Its decrease is 56% of the decrease with L-BFGS. L-BFGS reached the "
        "lowest loss of Adam after 3 passes.",
        "Gradient ascent, step 1.5: the final loss is 50.25. Its decrease is 10% of the decrease with L-BFGS. L-BFGS "
        "reached the lowest loss of gradient ascent after 2 passes.",
        "Adam spends the largest share of its time outside the passes: 25%.",
        "Gradient ascent, step 4.5: ended early, because the loss diverged, from 200 to 4000.",
    ]


def test_a_verdict_can_be_that_nothing_was_gained():
    stuck = [a_trial(name, [9, 9], 0, **kind) for name, kind in [("lbfgs", {"restart": 2}), ("adam", {"step": 1})]]
    start = np.zeros((12, 16, 3), np.float32)
    said = verdict(Comparison(Settings(features={"block2_conv1": 1}), 4, BUDGETS, start, 9.0, tuple(stuck)))
    assert said[0].startswith("After 4 passes, the lowest final loss is 9 (")
    assert "Its decrease is 0% of the decrease with" in said[1]


def test_the_page_needs_no_other_file(page, folder):
    sources = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert len(sources) == 5 + 3 * (1 + len(BUDGETS))
    assert all(source.startswith("data:image/") for source in sources)
    assert not {"link", "script", "iframe", "object"} & {tag for tag, _ in page.elements}
    text = (folder / "index.html").read_text("utf-8")
    assert "url(" not in text
    assert "@import" not in text
    assert "$" not in text  # nothing of the template is left open
    assert page.open == ["html"] or page.open == []


def test_the_page_is_readable_on_a_telephone_and_by_ear(page):
    assert page.elements[0] == ("html", {"lang": "en"})
    viewport = [a["content"] for tag, a in page.elements if tag == "meta" and a.get("name") == "viewport"]
    assert viewport == ["width=device-width, initial-scale=1"]
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert all(attributes["alt"].strip() for attributes in images)
    assert len({attributes["alt"] for attributes in images}) == len(images) - 2  # each row begins with the photograph
    assert all(a["scope"] in ("col", "row") for tag, a in page.elements if tag == "th")


def test_what_people_named_is_escaped(page):
    assert page.said["title"] == 'L-BFGS, Adam, gradient ascent on <b>&"my".jpg' == page.said["h1"]
    assert '<b>&"my".jpg, 16×12 pixels; <i>mine</i> on pocket; 4 passes per trial; CPU: some' in page.said["p"]
    assert not {"b", "i"} & {tag for tag, _ in page.elements}


def test_the_page_says_the_verdict_the_settings_and_the_versions(page, comparison):
    for sentence in verdict(comparison):
        assert sentence in page.said["p"]
    assert page.said["pre"] == comparison.settings.to_toml()
    assert "keras 3.1, numpy 2.2" in page.said["p"]


def test_every_figure_is_there_as_png_and_svg(folder, comparison):
    assert {path.stem for path in folder.glob("*.svg")} == FIGURES
    for name in FIGURES:
        assert ElementTree.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
        with Image.open(folder / f"{name}.png") as figure:
            assert len(np.unique(np.asarray(figure.convert("L")))) > 20  # something is drawn
    assert {path.stem for path in folder.glob("*.png")} - FIGURES == {"lbfgs", "adam", "gradient_ascent"}
    for trial in comparison.best:
        saved = open_picture(folder / f"{trial.optimizer}.png")
        np.testing.assert_allclose(saved, trial.pictures[4], atol=0.5)
    assert {path.name for path in folder.iterdir() if path.suffix not in (".png", ".svg")} == {
        *("index.html", "compare.csv", "compare.json")
    }


def test_without_a_step_to_search_there_is_no_figure_of_it(comparison):
    alone = [trial for trial in comparison.trials if trial.step is None]
    other = a_trial("adam", [200, 100, 50, 20], 7, restart=4)
    assert "steps" not in draw(Comparison(comparison.settings, 4, BUDGETS, comparison.start, 200.0, (*alone, other)))


def test_csv_json_and_the_table_say_the_same(folder, page, comparison):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    record = json.loads((folder / "compare.json").read_text(), parse_constant=refuse)
    with (folder / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(record["trials"]) == len(comparison.trials)
    for row, told, trial in zip(rows, record["trials"], comparison.trials, strict=True):
        assert row == {key: "" if value is None else str(value) for key, value in told.items() if key != "curve"}
        assert float(row["loss"]) == trial.loss
        assert int(row["passes"]) == len(trial.passes) == len(told["curve"])
        assert row["best"] == str(trial in comparison.best)
        assert told["curve"][-1]["loss"] == trial.passes[-1].loss
        assert sum(value for key, value in told.items() if key.startswith("term ")) == pytest.approx(trial.loss)
    assert record["verdict"] == verdict(comparison)
    assert record["picture"] == ABOUT["picture"]
    assert Settings.model_validate(record["settings"]) == comparison.settings

    by_name = {trial.name: row for trial, row in zip(comparison.trials, record["trials"], strict=True)}
    head, *body = page.rows
    assert head[:2] == ["", "final loss"]
    assert [row[0] for row in body] == [trial.name for trial in comparison.best]
    order = [trial.optimizer for trial in comparison.best]
    for name, loss, *reached, seconds, overhead, mebibytes in body:
        told = by_name[name]
        assert float(loss.replace("−", "-").replace(",", "")) == pytest.approx(told["loss"], abs=0.51)
        for cell, rival in zip(reached, order, strict=True):
            at = told[f"passes_to_final_loss_of_{rival}"]
            expected = "·" if rival == told["optimizer"] else "never" if at is None else str(at)
            assert cell == expected
        assert seconds == f"{told['seconds_per_pass']:.3f}"
        assert overhead == f"{told['overhead']:.1%}"
        assert mebibytes == f"{told['mebibytes']:.0f} MiB"
    assert body[0][2:5] == ["·", "3", "2"]
    assert body[2][2:5] == ["never", "never", "·"]
