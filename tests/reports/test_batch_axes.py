from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.reports.batch_axes import arrange
from dreamscripts.reports.batch_cells import Cell


def cells(*rows: tuple[str, ...]) -> list[Cell]:
    """Cells with a photograph, a, and b."""
    keys = "settings", "optimizer.step"
    return [
        Cell(str(i), photo, dict(zip(keys, values, strict=False)), "done") for i, (photo, *values) in enumerate(rows)
    ]


def test_photographs_are_rows_and_all_that_varies_is_columns():
    axes = arrange(cells(("sky", "b", "1"), ("sky", "b", "2"), ("sea", "a", "1"), ("sea", "b", "2")))
    assert axes.names == ["photograph", "settings", "optimizer.step"]
    assert axes.values == [["sky", "sea"], ["b", "a"], ["1", "2"]]  # in the order of their first appearance
    assert axes.places == [(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1)]
    assert (axes.rows, axes.columns) == ([0], [1, 2])


def test_one_photograph_and_two_keys_make_a_sheet_of_the_keys():
    axes = arrange(cells(("sky", "a", "1"), ("sky", "a", "2"), ("sky", "b", "1")))
    assert (axes.rows, axes.columns) == ([1], [2])


def test_the_key_with_most_values_becomes_rows_which_a_page_can_scroll():
    axes = arrange(cells(("sky", "a", "1"), ("sky", "a", "2"), ("sky", "a", "3"), ("sky", "b", "1")))
    assert (axes.rows, axes.columns) == ([2], [1])


def test_what_differs_in_one_thing_has_no_rows():
    axes = arrange(cells(("sky", "a", "1"), ("sea", "a", "1")))
    assert (axes.rows, axes.columns) == ([], [0])
    assert (arrange(cells(("sky", "a", "1"))).columns, arrange([]).places) == ([], [])


def test_photographs_with_the_same_name_get_numbers():
    axes = arrange(cells(("sky", "a", "1"), ("sky", "a", "2"), ("sky", "a", "1"), ("sky", "a", "1")))
    assert axes.values[0] == ["sky", "sky (2)", "sky (3)"]


def test_cells_can_have_other_keys():
    one, other = Cell("1", "sky", {"settings": "a"}, "done"), Cell("2", "sky", {"settings": "a", "seed": "4"}, "done")
    axes = arrange([one, other])
    assert (axes.names, axes.values) == (["photograph", "settings", "seed"], [["sky"], ["a"], ["", "4"]])


def test_values_are_shown_without_characters_that_hide():
    assert arrange(cells(("a\nb\u202e", "\x1b", "1"))).values[0] == ["a\\nb\\u202e"]


@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 3), max_size=12))
def test_no_two_cells_have_the_same_place(rows):
    axes = arrange(cells(*rows))
    assert len(set(axes.places)) == len(axes.places) == len(rows)
    for place, row in zip(axes.places, rows, strict=True):
        values = [axes.values[dimension][number] for dimension, number in enumerate(place)]
        assert values[0].startswith(row[0])
        assert values[1:] == list(row[1:])
