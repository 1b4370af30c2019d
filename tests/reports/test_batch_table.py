import csv
import io
import math

from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import shown
from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_table import results_csv


def read(cells: list[Cell]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(results_csv(cells).decode("utf-8-sig"), newline="")))


def test_a_row_for_each_cell():
    done = Cell("sky-a", "sky.jpg", {"settings": "a", "seed": "0"}, "done", "", 20, 133, -1.23456789012, 41.25, "gpu-1")
    waiting = Cell("sky-b", "", {"settings": "b", "seed": "0"}, "waiting")
    one, other = read([done, waiting])
    assert ",".join(one) == "name,photo,settings,seed,state,loss,iterations,passes,seconds,node,message"
    assert one["loss"] == "-1.23456789012"
    assert [one[key] for key in ("name", "photo", "seed", "state", "iterations", "passes", "seconds", "node")] == (
        ["sky-a", "sky.jpg", "0", "done", "20", "133", "41.25", "gpu-1"]
    )
    assert (other["loss"], other["seconds"], other["photo"]) == ("", "", "")
    assert read([]) == []


def test_a_cell_without_a_key_has_an_empty_value():
    rows = read([Cell("a", "", {"seed": "1"}, "done"), Cell("b", "", {"step": "2"}, "done")])
    assert [(row["seed"], row["step"]) for row in rows] == [("1", ""), ("", "2")]


def test_a_loss_can_be_infinite_or_not_a_number():
    losses = [read([Cell("a", "", {}, "failed", loss=loss)])[0]["loss"] for loss in (math.inf, -math.inf, math.nan)]
    assert losses == ["inf", "-inf", "nan"]


def test_no_text_is_a_formula_but_numbers_stay_numbers():
    row = read([Cell('=cmd|"/c"!A1', "@sky", {"settings": "-x", "step": "-0.5"}, "failed", "+1 and\nmore")])[0]
    assert [row[key] for key in ("name", "photo", "settings", "step", "message")] == (
        ['\'=cmd|"/c"!A1', "'@sky", "'-x", "-0.5", "'+1 and\\nmore"]
    )


@given(st.text(), st.text())
def test_any_text_is_one_cell(name, message):
    row = read([Cell(name, "", {"seed": "1"}, "failed", message)])[0]
    for text, written in ((name, row["name"]), (message, row["message"])):
        assert written.removeprefix("'") == shown(text).removeprefix("'")
        assert written.lstrip()[:1] not in ("=", "@")
