import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

from dreamscripts.reports import batch_sheet_layout
from dreamscripts.reports.batch_axes import arrange
from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_sheet import FAILED_GROUND, draw_batch_sheet
from dreamscripts.reports.batch_sheet_layout import fitting_layout


def batch(photos: int, settings: int, seeds: int) -> list[Cell]:
    places = itertools.product(range(photos), range(settings), range(seeds))
    return [
        Cell(f"{photo}-{look}-{seed}", f"{photo}.jpg", {"settings": f"look {look}", "seed": str(seed)}, "done")
        for photo, look, seed in places
    ]


def boxes(layout) -> np.ndarray:
    return np.array([(left, top, left + layout.tile, top + height) for left, top, height in layout.pictures])


@examples(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 6), st.sampled_from([0.3, 0.75, 1.5]))
def test_no_picture_covers_another_and_all_are_within_the_sheet(photos, settings, seeds, shape):
    cells = batch(photos, settings, seeds)
    layout = fitting_layout(arrange(cells), [shape] * photos)
    found = boxes(layout)
    assert len(found) == len(cells)
    assert (found[:, :2] >= 24).all()
    assert (found[:, 2:] <= layout.size).all()
    assert layout.size[0] * layout.size[1] <= batch_sheet_layout.MOST_PIXELS
    assert len({(left, top) for left, top, *_ in found}) == len(cells)
    order = found[np.lexsort((found[:, 0], found[:, 1]))]
    same_line = order[1:, 1] == order[:-1, 1]
    assert (order[1:, 0] >= order[:-1, 2])[same_line].all()
    for label in layout.labels:
        assert 0 <= label.left <= label.left + label.width <= layout.size[0]
        assert 0 < label.baseline < layout.size[1]


@pytest.mark.parametrize(("photos", "settings", "seeds"), [(10_000, 1, 1), (5000, 2, 1), (1, 2, 5000), (100, 25, 4)])
def test_ten_thousand_cells_fit_and_the_sheet_is_no_ribbon(photos, settings, seeds):
    layout = fitting_layout(arrange(batch(photos, settings, seeds)), [0.75] * photos)
    width, height = layout.size
    assert width * height <= 64_000_000
    assert max(width / height, height / width) < 4
    assert layout.tile > 40


def test_headings_name_columns_and_rows():
    layout = fitting_layout(arrange(batch(2, 2, 2)), [0.75, 1.0])
    labels = [(label.text, label.kind) for label in layout.labels]
    assert labels == [
        *(("look 0", "column"), ("look 1", "column"), *[("seed 0", "column"), ("seed 1", "column")] * 2),
        *(("0.jpg", "row"), ("1.jpg", "row")),
    ]
    assert layout.labels[0].width > 2 * layout.tile  # over both seeds


def test_the_sheet_shows_pictures_and_marks_what_failed_or_is_missing(tmp_path):
    cells = batch(2, 2, 1)
    cells[3] = Cell(cells[3].name, cells[3].photo, cells[3].values, "failed", "no memory")
    paths = {}
    for number in (0, 1):
        paths[cells[number].name] = tmp_path / f"{number}.jpg"
        Image.new("RGB", (384, 288), ["red", "blue"][number]).save(paths[cells[number].name])
    paths[cells[2].name] = tmp_path / "gone.jpg"
    axes = arrange(cells)
    sheet = Image.open(io.BytesIO(draw_batch_sheet("a\nbatch", cells, axes, [0.75, 0.75], paths)))
    layout = fitting_layout(axes, [0.75, 0.75])
    corners = [sheet.getpixel((left + 30, top + 30)) for left, top, _ in layout.pictures]
    assert corners[:3] == [(254, 0, 0), (0, 0, 254), (236, 236, 234)]
    assert "#{:02x}{:02x}{:02x}".format(*corners[3]) == FAILED_GROUND
    assert sheet.size == layout.size


def test_smaller_pictures_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(batch_sheet_layout, "MOST_PIXELS", 200_000)
    cells = batch(6, 6, 1)
    sheet = Image.open(io.BytesIO(draw_batch_sheet("", cells, arrange(cells), [0.75] * 6, {})))
    assert sheet.width * sheet.height <= 200_000
