"""Sheets: nine dreams with three values each of two settings, and one picture of them."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from studio_library import content_of, open_library

from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.sheet_record import Axis
from dreamscripts.studio.library.within import Missing

TEXT = '# Mine.\nnetwork = "pocket"\nsize = 64  # small\n[features]\nblock4_conv1 = 1\n'
X, Y = Axis(key="octaves.count", values=[1, 2, 3]), Axis(key="features.block4_conv1", values=[0.5, 1, 2.5])


@pytest.fixture
def sheet(library):
    return library.sheets.make("hills-sheet", "0" * 16, "hills.jpg", "mine", TEXT, X, Y)


def test_a_sheet_has_nine_cells_with_their_settings_and_folders(library, sheet):
    for row, weight in zip(sheet.cells, Y.values, strict=True):
        for cell, count in zip(row, X.values, strict=True):
            settings = Settings.from_toml(cell.settings)
            assert (settings.octaves.count, settings.features["block4_conv1"].weight) == (count, weight)
            assert "# small" in cell.settings
            assert cell.run == library.history.id_of(cell.folder)
    folders = [cell.folder for row in sheet.cells for cell in row]
    assert len(set(folders)) == 9
    assert folders[0] == "hills-sheet/octaves.count=1_features.block4_conv1=0.5"
    assert sheet.picture is None
    assert library.sheets.all() == [sheet]
    assert open_library(library.base).sheets.get(sheet.id) == sheet


def test_its_runs_are_in_the_history_with_its_look_and_photograph(library, sheet, make_run):
    make_run(sheet.cells[2][1].folder)
    make_run("hills-sheet/of another name")
    make_run("hills-sheet/.hidden")
    library.history.scan()
    run = library.history.get(sheet.cells[2][1].run)
    assert (run.look, run.photo_name, run.sheet) == ("mine", "hills.jpg", sheet.id)
    assert library.history.refresh(run.folder) == run
    assert {one.folder for one in library.history.runs} == {run.folder, "hills-sheet/of another name"}


def test_its_picture_shows_the_dreams_that_there_are(library, sheet, make_run):
    with pytest.raises(Missing):
        library.files.open(sheet.id, "sheet.png")
    versions = set()
    for (row, column), colour in {(0, 0): (255, 0, 0), (1, 2): (0, 255, 0), (2, 1): (0, 0, 255)}.items():
        cell = sheet.cells[row][column]
        make_run(cell.folder)
        save_picture(np.full((40, 60, 3), colour), library.base / cell.folder / "final.png")
        library.history.refresh(cell.folder)
        versions.add(library.sheets.get(sheet.id).picture.version)
    assert len(versions) == 3
    link = library.sheets.get(sheet.id).picture
    opened = library.files.open(link.id, link.name)
    assert (opened.kind, opened.download) == ("image/png", "hills-sheet.png")
    picture = np.asarray(Image.open(io.BytesIO(content_of(opened))).convert("RGB"))
    places = []
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        rows, columns = np.nonzero((picture == colour).all(axis=2))
        assert len(rows) == 40 * 60
        places.append((rows.mean(), columns.mean()))
    (red_row, red_column), (green_row, green_column), (blue_row, blue_column) = places
    assert red_row < green_row < blue_row
    assert red_column < blue_column < green_column


def test_a_damaged_or_deleted_dream_is_an_empty_cell(library, sheet, make_run):
    one, other = sheet.cells[0][0], sheet.cells[1][1]
    for cell in (one, other):
        make_run(cell.folder)
    library.history.scan()
    (library.base / one.folder / "final.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    assert library.sheets.picture(sheet.id).startswith(b"\x89PNG")


BAD = [
    (Axis(key="size", values=[1, 2, 3]), Axis(key="size", values=[1, 2, 3]), "two different"),
    (Axis(key="size", values=[8, 8, 9]), Y, "three different"),
    (Axis(key="size", values=[8, 9, -1]), Y, "size = -1"),
    (Axis(key="sise", values=[8, 9, 10]), Y, "no setting 'sise'"),
    (Axis(key="network", values=[8, 9, 10]), Y, "network"),
    (Axis(key="size.x", values=[8, 9, 10]), Y, "is a value"),
]


@pytest.mark.parametrize(("x", "y", "message"), BAD)
def test_settings_that_cannot_be_are_refused_before_anything_is_made(library, x, y, message):
    with pytest.raises(SettingsError, match=message):
        library.sheets.make("sheet", None, "", "", TEXT, x, y)
    assert not (library.base / "sheet").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", ".hidden", "a\0b", "a:b", "/tmp/x", "a\\b"])
def test_other_names_of_a_sheet_are_refused(library, name):
    with pytest.raises(OutputError):
        library.sheets.make(name, None, "", "", TEXT, X, Y)


def test_a_name_that_is_taken_is_refused(library, sheet):
    with pytest.raises(OutputError):
        library.sheets.make("hills-sheet", None, "", "", TEXT, X, Y)


@pytest.mark.parametrize(
    "change",
    [
        {"x": {"key": "size", "values": [1, 2, 10**3000]}},
        {"x": 1},
        {"y": {"key": "size", "values": [1, 2]}},
        {"created": -1},
        {"more": 1},
        {"settings": None},
    ],
)
def test_a_damaged_record_is_no_sheet(library, sheet, make_run, change):
    make_run(sheet.cells[0][0].folder)
    path = library.base / "hills-sheet" / "sheet.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert library.sheets.all() == []
    with pytest.raises(Missing):
        library.sheets.get(sheet.id)
    library.history.scan()
    assert [run.sheet for run in library.history.runs] == [None]


def test_a_record_with_hostile_keys_leads_nowhere(library, sheet, tmp_path, make_run):
    path = library.base / "hills-sheet" / "sheet.json"
    record = json.loads(path.read_text())
    record["x"]["key"] = "../../outside/x"
    path.write_text(json.dumps(record))
    (again,) = library.sheets.all()
    for row in again.cells:
        for cell in row:
            assert cell.folder.startswith("hills-sheet/")
            assert cell.folder.count("/") == 1
            with pytest.raises(SettingsError):
                Settings.from_toml(cell.settings)


def test_links_are_no_sheets(library, sheet, tmp_path):
    (library.base / "hills-sheet").rename(tmp_path / "outside")
    (library.base / "hills-sheet").symlink_to(tmp_path / "outside")
    assert library.sheets.all() == []
    with pytest.raises(Missing):
        library.sheets.get(sheet.id)
