"""The trash: everything comes back as it was, nothing that is being written goes there, and nothing is replaced."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from studio_library import as_file, content_of, open_library

from dreamscripts.errors import OutputError
from dreamscripts.images.files import save_picture
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import moving
from dreamscripts.studio.library.sheet_record import Axis
from dreamscripts.studio.library.within import Missing

SETTINGS = Settings.load("marble", network="pocket").to_toml()


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(library, make_run):
    make_run("hills-marble", source="/x/hills.jpg")
    library.history.scan()
    return library.history.runs[0]


def test_a_run_goes_and_comes_back_as_it_was(library, run):
    before = contents(library.base / "hills-marble")
    item = library.trash.put_run(run.id)
    assert not (library.base / "hills-marble").exists()
    assert (item.id, item.run, item.bytes) == (run.id, run, sum(map(len, before.values())))
    assert library.history.runs == []
    assert library.trash.items() == [item]
    assert open_library(library.base).trash.items() == [item]
    assert library.trash.restore(run.id) == "hills-marble"
    assert contents(library.base / "hills-marble") == before
    assert library.history.refresh("hills-marble") == run
    assert library.trash.items() == []
    assert list((library.store / "trash").iterdir()) == []
    with pytest.raises(Missing):
        library.trash.restore(run.id)


def test_a_name_that_is_taken_meanwhile_gets_a_number_and_nothing_is_replaced(library, run, make_run):
    library.trash.put_run(run.id)
    make_run("hills-marble")
    (library.base / "hills-marble-2").write_text("a file")
    taken = contents(library.base / "hills-marble")
    assert library.trash.restore(run.id) == "hills-marble-3"
    assert contents(library.base / "hills-marble") == taken
    assert (library.base / "hills-marble-2").read_text() == "a file"
    assert (library.base / "hills-marble-3" / "final.png").exists()


def test_two_runs_of_one_name_are_both_in_the_trash(library, run, make_run):
    library.trash.put_run(run.id)
    make_run("hills-marble", rows=2)
    library.history.scan()
    assert library.trash.put_run(run.id).run.iterations == 1
    items = library.trash.items()
    assert sorted(item.run.iterations for item in items) == [1, 2]
    assert len({item.id for item in items}) == 2
    assert library.trash.restore(run.id) == "hills-marble"  # undo brings back the last one
    assert library.history.refresh("hills-marble").iterations == 1
    (older,) = library.trash.items()
    assert library.trash.restore(older.id) == "hills-marble-2"


def test_a_run_that_is_being_written_stays(library, make_run):
    writing = make_run("live", "running")
    library.history.scan()
    id = library.history.id_of("live")
    with pytest.raises(OutputError, match="is being written; stop it first"):
        library.trash.put_run(id)
    assert (library.base / "live" / "run.json").exists()
    assert list((library.store / "trash").iterdir()) == []
    writing.release()
    library.trash.put_run(id)
    assert not (library.base / "live").exists()


def test_a_run_that_another_process_writes_stays(library, run):
    hold = "import sys, fcntl, os; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(1); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, library.base / "hills-marble"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with pytest.raises(OutputError, match="is being written"):
            library.trash.put_run(run.id)
        process.kill()
    library.trash.put_run(run.id)


def test_a_full_disk_loses_nothing(library, run, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    before = contents(library.base / "hills-marble")
    with monkeypatch.context() as patch:
        patch.setattr(moving.os, "rename", full)
        with pytest.raises(OutputError, match="disk is full"):
            library.trash.put_run(run.id)
    assert contents(library.base / "hills-marble") == before
    assert library.trash.items() == []
    library.trash.put_run(run.id)
    with monkeypatch.context() as patch:
        patch.setattr(moving.os, "rename", full)
        with pytest.raises(OutputError):
            library.trash.restore(run.id)
    assert len(library.trash.items()) == 1
    assert library.trash.restore(run.id) == "hills-marble"


def test_films_and_single_pictures_keep_their_endings(library, picture):
    save_picture(picture, library.base / "eyes.png", SETTINGS)
    library.history.scan()
    id = library.history.id_of("eyes.png")
    library.trash.put_run(id)
    assert content_of(library.files.open(id, "thumbnail.jpg"))[:2] == b"\xff\xd8"
    (library.base / "eyes.png").write_bytes(b"taken")
    (library.base / "eyes-2.png").write_bytes(b"taken, too")
    assert library.trash.restore(id) == "eyes-3.png"
    assert (library.base / "eyes.png").read_bytes() == b"taken"
    assert (library.base / "eyes-3.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_appears_just_before_a_restore_is_not_replaced(library, picture, monkeypatch):
    save_picture(picture, library.base / "eyes.png", SETTINGS)
    library.history.scan()
    id = library.history.id_of("eyes.png")
    library.trash.put_run(id)
    look = moving.within.status

    def late(base, *parts):
        """Say that there is nothing, and then put something there."""
        found = look(base, *parts)
        if base == library.base and parts == ("eyes.png",) and found is None:
            (base / "eyes.png").write_bytes(b"just now")
        return found

    monkeypatch.setattr(moving.within, "status", late)
    assert library.trash.restore(id) == "eyes-2.png"
    assert (library.base / "eyes.png").read_bytes() == b"just now"


def test_a_film_in_the_making_goes_with_its_folder(library, make_run):
    folder = library.base / "hills-zoom.mp4.parts"
    folder.mkdir()
    (folder / "film.json").write_text("{}")
    library.history.scan()
    id = library.history.id_of("hills-zoom.mp4")
    library.trash.put_run(id)
    assert not folder.exists()
    (library.base / "hills-zoom.mp4").write_bytes(b"another film")
    assert library.trash.restore(id) == "hills-zoom-2.mp4"
    assert (library.base / "hills-zoom-2.mp4.parts" / "film.json").read_text() == "{}"


def test_a_sheet_goes_with_all_its_runs(library, make_run):
    axes = Axis(key="size", values=[32, 48, 64]), Axis(key="seed", values=[0, 1, 2])
    sheet = library.sheets.make("my-sheet", None, "hills.jpg", "marble", SETTINGS, *axes)
    make_run(sheet.cells[0][0].folder)
    writing = make_run(sheet.cells[1][1].folder, "running")
    library.history.scan()
    with pytest.raises(OutputError, match="is being written"):
        library.trash.put_sheet(sheet.id)
    writing.release()
    library.trash.put_sheet(sheet.id)
    assert library.sheets.all() == []
    assert set(library.history.scan().gone) == {sheet.cells[0][0].run, sheet.cells[1][1].run}
    assert library.trash.restore(sheet.id) == "my-sheet"
    assert [one.id for one in library.sheets.all()] == [sheet.id]
    assert len(library.history.scan().changed) == 2


def test_a_run_of_a_sheet_comes_back_beside_the_others_or_to_the_top_if_the_sheet_is_gone(library, make_run):
    axes = Axis(key="size", values=[32, 48, 64]), Axis(key="seed", values=[0, 1, 2])
    sheet = library.sheets.make("my-sheet", None, "", "marble", SETTINGS, *axes)
    cell = sheet.cells[0][0]
    make_run(cell.folder)
    library.history.scan()
    library.trash.put_run(cell.run)
    assert library.trash.restore(cell.run) == cell.folder
    library.history.scan()
    library.trash.put_run(cell.run)
    library.trash.put_sheet(sheet.id)
    assert library.trash.restore(cell.run) == cell.folder.partition("/")[2]


def test_emptying_deletes_everything_and_follows_no_link(library, run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    (library.base / "hills-marble" / "link").symlink_to(outside)
    (library.store / "trash" / "link").symlink_to(outside)
    (library.store / "trash" / "file").write_text("x")
    library.trash.put_run(run.id)
    library.trash.empty()
    assert list((library.store / "trash").iterdir()) == []
    assert (outside / "file").read_text() == "stays"
    library.trash.empty()


def test_a_run_that_becomes_a_link_does_not_go(library, run, tmp_path):
    (library.base / "hills-marble").rename(tmp_path / "outside")
    (library.base / "hills-marble").symlink_to(tmp_path / "outside")
    with pytest.raises(Missing):
        library.trash.put_run(run.id)
    assert (tmp_path / "outside" / "run.json").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b/c", ".hidden", "", "a/../b", "a\0b", ".dreamscripts-studio/x"]
)
def test_a_record_in_the_trash_cannot_name_another_place(library, run, name):
    library.trash.put_run(run.id)
    record = library.store / "trash" / run.id / "item.json"
    text = record.read_text()
    assert '"name": "hills-marble",\n "content"' in text
    quoted = json.dumps(name)
    record.write_text(text.replace('"name": "hills-marble",\n "content"', f'"name": {quoted},\n "content"'))
    assert library.trash.items() == []
    with pytest.raises(Missing):
        library.trash.restore(run.id)


@pytest.mark.parametrize("content", ["../../../outside.png", "item.json/..", "none", ""])
def test_a_record_in_the_trash_cannot_name_another_content(library, run, content, tmp_path):
    (tmp_path / "outside.png").write_bytes(as_file([[[0, 0, 0]]]).getvalue())
    library.trash.put_run(run.id)
    record = library.store / "trash" / run.id / "item.json"
    record.write_text(record.read_text().replace('"content": "content"', f'"content": "{content}"'))
    for act in (library.trash.restore, lambda id: library.files.open(id, "thumbnail.jpg")):
        with pytest.raises(Missing):
            act(run.id)


@pytest.mark.parametrize("id", ["", "..", ".", "../photographs", "0" * 16, "/etc", "a\0"])
def test_other_identifiers_restore_and_delete_nothing(library, run, id):
    for act in (library.trash.restore, library.trash.put_run, library.trash.put_sheet):
        with pytest.raises(Missing):
            act(id)


def test_damaged_items_are_not_listed_but_are_deleted_with_the_others(library, run):
    for number, content in enumerate((b"", b"{}", b"\xff", b"[" * 10_000)):
        folder = library.store / "trash" / f"{number:016x}"
        folder.mkdir()
        (folder / "item.json").write_bytes(content)
    library.trash.put_run(run.id)
    assert [item.id for item in library.trash.items()] == [run.id]
    library.trash.empty()
    assert list((library.store / "trash").iterdir()) == []


def test_folders_in_folders_in_folders_are_no_mistake(library, make_run, monkeypatch):
    run = make_run("deep")
    library.history.scan()
    monkeypatch.chdir(run.folder)
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    monkeypatch.chdir(library.base)
    item = library.trash.put_run(library.history.id_of("deep"))
    assert item.bytes > 0
    with suppress(OutputError):
        library.trash.empty()
    subprocess.run(["rm", "-rf", library.store / "trash"], check=True)
