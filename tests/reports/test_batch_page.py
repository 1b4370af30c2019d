import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dreamscripts.errors import OutputError
from dreamscripts.reports import batch_page, batch_thumbnails
from dreamscripts.reports.batch_cells import STATES, Cell
from dreamscripts.reports.batch_page import BatchPage

SKY = Cell("sky-a", "sky.jpg", {"settings": "a"}, "done", "", 20, 133, -12345678.9, 41.23456789, "gpu-1")
SEA = Cell("sea-a", "sea.jpg", {"settings": "a"}, "waiting")


def data(folder: Path) -> dict:
    text = (folder / "batch.js").read_text("utf-8")
    assert text.startswith("window.batch = ")
    assert text.endswith(";\n")
    return json.loads(text.removeprefix("window.batch = ").removesuffix(";\n"))


def add_picture(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    Image.new("RGB", (60, 40), "red").save(folder / name / "final.png")


def test_a_report_is_a_page_its_data_a_table_and_thumbnails(tmp_path):
    add_picture(tmp_path, "sky-a")
    page = BatchPage(tmp_path, "a batch")
    page.update([SKY, SEA])
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"index.html", "batch.js", "results.csv", "sky-a/final.png", "thumbnails/sky-a.jpg"}
    page.update([SKY, replace(SEA, state="failed")], complete=True)
    assert Image.open(tmp_path / "contact-sheet.png").format == "PNG"


def test_the_data_says_what_the_page_shows(tmp_path):
    add_picture(tmp_path, "sky-a")
    BatchPage(tmp_path, "a batch").update([SKY, SEA])
    found = data(tmp_path)
    assert (found["heading"], found["complete"]) == ("a batch", False)
    assert found["names"] == ["photograph", "settings"]
    assert found["values"] == [["sky.jpg", "sea.jpg"], ["a"]]
    assert (found["rows"], found["columns"]) == ([], [0])
    assert found["shapes"] == [0.6667, 0.75]
    assert found["nodes"] == ["gpu-1", ""]
    assert found["cells"] == [
        ["sky-a", [0, 0], STATES.index("done"), "", 20, 133, -12345700.0, 41.2346, 0, 1],
        ["sea-a", [1, 0], STATES.index("waiting"), "", 0, 0, None, None, 1, 0],
    ]


def test_what_has_not_changed_is_not_written_again(tmp_path):
    page = BatchPage(tmp_path, "a batch")
    page.update([SEA])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    page.update([SEA])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    page.update([replace(SEA, state="running")])
    assert data(tmp_path)["cells"][0][2] == STATES.index("running")


def test_names_and_losses_of_all_kinds_are_written(tmp_path):
    odd = Cell(
        "\udcff</script>", "a\u2028\udcff.jpg", {"a": "\x00"}, "failed", "no\nmemory", loss=math.nan, seconds=math.inf
    )
    BatchPage(tmp_path, "<b>\udcff").update([odd], complete=True)
    found = data(tmp_path)
    assert found["cells"][0][0] == "\udcff</script>"  # the page needs it for the path
    assert found["cells"][0][3] == "no\\nmemory"
    assert found["values"] == [["a\\u2028\\xff.jpg"], ["\\x00"]]
    assert math.isnan(found["cells"][0][6])
    assert b"\\xff</script>,a\\u2028\\xff.jpg" in (tmp_path / "results.csv").read_bytes()


def test_an_empty_batch_has_a_page(tmp_path):
    BatchPage(tmp_path, "nothing").update([], complete=True)
    assert data(tmp_path)["cells"] == []
    assert not (tmp_path / "contact-sheet.png").exists()


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"results\.csv"):
        BatchPage(tmp_path / "gone", "a batch").update([SEA])


def test_an_update_of_many_cells_looks_only_at_what_is_new(tmp_path, monkeypatch):
    keys = itertools.product(range(100), range(25), range(4))
    cells = [
        Cell(f"{photo}-{look}-{seed}", f"{photo}.jpg", {"settings": str(look), "seed": str(seed)}, "done", loss=-1.5)
        for photo, look, seed in keys
    ]
    page = BatchPage(tmp_path, "ten thousand")
    page.update([replace(cell, state="running") if number < 3 else cell for number, cell in enumerate(cells)])
    for cell in cells[:3]:
        add_picture(tmp_path, cell.name)
    opened = []
    small = batch_thumbnails._small
    monkeypatch.setattr(batch_thumbnails, "_small", lambda picture: opened.append(picture) or small(picture))
    begin = time.perf_counter()
    page.update(cells)
    assert time.perf_counter() - begin < 3  # it takes 0.2 s; the machine of the tests may be busy
    assert [path for path in opened if path.name == "final.png"] == [
        tmp_path / cell.name / "final.png" for cell in cells[:3]
    ]
    assert len((tmp_path / "batch.js").read_bytes()) < 1_000_000


def test_the_page_needs_nothing_from_elsewhere_and_makes_no_html_of_names():
    page = Path(batch_page.__file__).with_name("batch.html").read_text("utf-8")
    assert page.count("<script src=") == 1
    for never in ("://", "@import", "innerHTML", "insertAdjacentHTML", "eval(", "new Function", "document.write"):
        assert never not in page
