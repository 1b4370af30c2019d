"""The history: what lies in the folder, whoever made it, however damaged it is."""

import json
import math
import os
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from small_films import pictures
from studio_library import as_file, iterate, open_library

from dreamscripts.film_files.animation import write_animation
from dreamscripts.film_files.encoding import encode
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.joining import join
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.images.files import save_picture
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import dreams
from dreamscripts.studio.library.within import Missing

RATE = Fraction(25)
SETTINGS = Settings.load("marble", network="pocket").to_toml()


def scanned(library):
    """Return {folder: run} after a scan."""
    library.history.scan()
    return {run.folder: run for run in library.history.runs}


def test_a_complete_run_of_the_command_line(library, make_run):
    make_run("hills-bad_trip", source="/home/me/My Pictures/hills.jpg", rows=4)
    run = scanned(library)["hills-bad_trip"]
    assert (run.kind, run.state, run.name, run.look) == ("dream", "complete", "hills-bad_trip", "bad_trip")
    assert (run.photo_name, run.network, run.width, run.height) == ("hills.jpg", "pocket", 64, 48)
    assert (run.iterations, run.seconds, run.loss, run.resumable, run.message) == (3, 3.0, -3.0, False, "")
    assert run.picture.name == "final.png"
    assert run.thumbnail.id == run.id == library.history.id_of("hills-bad_trip")
    assert run.created == (library.base / "hills-bad_trip" / "settings.toml").stat().st_mtime


def test_all_of_a_run(library, make_run):
    make_run("hills-bad_trip", source="/home/me/hills.jpg", rows=4, keep_every=2)
    library.history.scan()
    details = library.history.details(library.history.id_of("hills-bad_trip"))
    assert [row["loss"] for row in details.rows] == [-0.0, -1.0, -2.0, -3.0]
    assert details.rows[2] | {"loss": 0} == {
        "octave": 0,
        "iteration": 2,
        "passes": 14,
        "seconds": 2.0,
        "loss": 0,
        "terms": {"a": 2.0},
    }
    assert [snapshot.iteration for snapshot in details.snapshots] == [0, 2]
    assert details.start == details.snapshots[0].link  # start.npy is deleted at the end
    assert {kind: link.name for kind, link in details.downloads.items()} == {
        "picture": "final.png",
        "settings": "settings.toml",
        "losses": "loss.csv",
    }
    assert Settings.from_toml(details.settings).network == "pocket"


def test_a_run_of_a_photograph_of_the_studio_starts_with_it(library, make_run, picture):
    photograph = library.photographs.add(as_file(picture), "Grandma.jpg")
    make_run("x", source=str(library.photographs.path(photograph.id)))
    run = scanned(library)["x"]
    assert run.photo_name == "Grandma.jpg"
    start = library.history.details(run.id).start
    assert (start.id, start.name) == (photograph.id, "photograph.png")
    library.photographs.remove(photograph.id)
    assert library.history.details(run.id).start.name == "iteration_000.png"


def test_a_run_is_running_as_long_as_somebody_has_its_lock(library, make_run):
    run_folder = make_run("live", "running", rows=3)
    run = scanned(library)["live"]
    assert (run.state, run.resumable, run.iterations) == ("running", False, 2)
    assert run.picture.name == "iteration_002.png"
    assert library.history.details(run.id).start.name == "start.png"
    run_folder.save(iterate(3, run_folder.picture))
    changed = library.history.scan().changed
    assert [(run.picture.name, run.iterations) for run in changed] == [("iteration_003.png", 3)]
    run_folder.release()  # killed
    changed = library.history.scan().changed
    assert [(run.state, run.resumable, run.message) for run in changed] == [("stopped", True, "it was interrupted")]


def test_asking_never_keeps_a_run_from_being_resumed(library, make_run):
    make_run("live", "running").release()
    library.history.scan()
    resumed = RunFolder.reopen(library.base / "live")
    library.history.refresh("live")
    assert library.history.runs[0].state == "running"
    resumed.release()
    assert library.history.refresh("live").state == "stopped"


def test_the_lock_of_another_process_is_seen(library, make_run):
    make_run("live", "running").release()
    hold = "import sys, fcntl, os; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(1); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, library.base / "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert scanned(library)["live"].state == "running"
        process.kill()
    assert scanned(library)["live"].state == "stopped"


@pytest.mark.parametrize("status", ["stopped", "diverged", "complete"])
def test_how_a_run_ended(library, make_run, status):
    make_run("run", status)
    run = scanned(library)["run"]
    assert run.state == status
    assert run.resumable == (status == "stopped")
    assert run.picture.name == "final.png"


def test_a_run_that_is_resumed_shows_the_newer_picture(library, make_run):
    make_run("run", "stopped")
    resumed = RunFolder.reopen(library.base / "run")
    resumed.save(iterate(3, resumed.picture))
    resumed._write_record()
    run = scanned(library)["run"]
    assert (run.state, run.picture.name) == ("running", "iteration_003.png")
    resumed.release()


@pytest.mark.parametrize(("name", "missing"), [("start.npy", "start.npy"), ("settings.toml", "settings.toml")])
def test_a_run_that_cannot_go_on_says_why(library, make_run, name, missing):
    make_run("run", "stopped")
    (library.base / "run" / name).unlink()
    run = scanned(library)["run"]
    assert (run.state, run.resumable) == ("stopped", False)
    assert missing in run.message


DAMAGE = {
    "empty": b"",
    "not json": b"{",
    "another record": b'{"status": "fine"}',
    "null": b"null",
    "deep": b"[" * 100_000,
    "text": "nö".encode("latin-1"),
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_run_is_shown_as_damaged_with_its_last_picture(library, make_run, kind):
    make_run("hills-marble", "stopped")
    (library.base / "hills-marble" / "run.json").write_bytes(DAMAGE[kind])
    run = scanned(library)["hills-marble"]
    assert (run.state, run.look, run.resumable) == ("damaged", "marble", False)
    assert run.message.startswith("run.json")
    assert str(library.base) not in run.message
    assert run.picture.name == "final.png"
    details = library.history.details(run.id)
    assert (details.rows, len(details.snapshots)) == ([], 3)


def test_records_with_hostile_values_are_damaged_or_shown_as_text(library, make_run):
    make_run("run", "stopped")
    path = library.base / "run" / "run.json"
    good = json.loads(path.read_text())
    for change in (
        {"picture": "a\n\x1b[31m\u202eb" * 50},
        {"settings": {"network": {"deep": 1}}},
        {"settings": {"network": "../../../secret.keras"}},
        {"notes": ["<script>alert(1)</script>\n" * 100]},
    ):
        path.write_text(json.dumps(good | change))
        run = scanned(library)["run"]
        details = library.history.details(run.id)
        for text in (run.photo_name, run.network, *details.notes):
            assert not re.search("[\x00-\x1f\u202e/]", text.replace("</script>", ""))
    for change in ({"iterates": 5}, {"keep_every": "x"}, {"extra": 1}, {"status": "new"}):
        path.write_text(json.dumps(good | change))
        assert scanned(library)["run"].state == "damaged"


def test_losses_that_are_no_numbers_are_read(library, make_run):
    run = make_run("run", "running")
    run.record.iterates[-1].loss = math.nan
    run.save_final("stopped")
    run.close("stopped")
    run.release()
    found = scanned(library)["run"]
    assert found.loss is None
    assert math.isnan(library.history.details(found.id).rows[-1]["loss"])


def test_a_huge_record_is_not_read(library, make_run, monkeypatch):
    make_run("run", "stopped")
    path = library.base / "run" / "run.json"
    with path.open("r+b") as file:
        file.truncate(100_000_000)  # sparse
    assert scanned(library)["run"].state == "damaged"


def test_links_are_neither_runs_nor_parts_of_them(library, make_run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    make_run("run", "stopped", base=outside)
    save_picture(np.zeros((8, 8, 3)), outside / "secret.png", SETTINGS)
    (library.base / "link").symlink_to(outside / "run")
    (library.base / "link.png").symlink_to(outside / "secret.png")
    (library.base / "hollow").mkdir()
    (library.base / "hollow" / "run.json").symlink_to(outside / "run" / "run.json")
    make_run("mine", "stopped")
    for name in ("final.png", "iteration_000.png", "settings.toml", "loss.csv"):
        (library.base / "mine" / name).unlink()
        (library.base / "mine" / name).symlink_to(outside / "secret.png")
    runs = scanned(library)
    assert set(runs) == {"mine", "hollow"}
    assert runs["hollow"].state == "damaged"
    details = library.history.details(runs["mine"].id)
    assert runs["mine"].picture is None or runs["mine"].picture.name.startswith("iteration_")
    assert [snapshot.iteration for snapshot in details.snapshots] == [1, 2]
    assert details.settings == ""
    assert details.downloads.keys() <= {"picture"}


def test_odd_names_have_a_run_and_are_shown_in_one_line(library, make_run):
    names = ["a b", "üñï-marble", "a\nb", "a\x1b[31m", "a\u202eb", "a:b", "a\\b", "x" * 240, "%2e%2e", "-rf", "a'\"<b>"]
    names.append(os.fsdecode(b"\xff\xfe"))
    for name in names:
        make_run(name, "stopped", rows=2)
    runs = scanned(library)
    assert set(runs) == set(names)
    for run in runs.values():
        assert not re.search("[\x00-\x1f\u202e\ud800-\udfff]", run.name)
        assert library.history.details(run.id).rows
        assert library.history.get(run.id).folder == run.folder
        run.name.encode()
    assert not runs["a:b"].resumable
    assert "command line" in runs["a:b"].message
    assert runs["a b"].resumable


def test_hidden_folders_other_files_and_the_store_are_no_runs(library, make_run):
    make_run(".hidden")
    make_run("x", base=library.store)
    (library.base / "notes.txt").write_text("x")
    (library.base / "empty").mkdir()
    (library.base / "photo.png").write_bytes(as_file(np.zeros((8, 8, 3))).getvalue())
    (library.base / "run.json").write_text("{}")
    os.mkfifo(library.base / "pipe.mp4")
    os.mkfifo(library.base / "pipe.png")
    assert scanned(library) == {}


LOOKS = [
    ("hills-dreamy", "/x/hills.jpg", "dreamy"),
    ("hills-dreamy-12", "/x/hills.jpg", "dreamy"),
    ("bad_trip", None, "bad_trip"),
    ("hills-bad_trip_octaves", "/x/hills.jpg", "bad_trip_octaves"),
    ("hills-dogslugs_8-3", "/x/hills.jpg", "dogslugs_8"),
    ("hills-mine-2", "/x/hills.jpg", "mine-2"),
    ("hills-mine-2-2", "/x/hills.jpg", "mine-2"),
    ("hills-somebody", "/x/hills.jpg", "somebody"),
    ("hills-from-old", "/x/hills.jpg", "old"),
    ("out", "/x/hills.jpg", ""),
    ("sunny-day", None, ""),
]


@pytest.mark.parametrize(("name", "picture", "look"), LOOKS)
def test_the_look_of_a_run_is_in_its_name(library, make_run, name, picture, look):
    (library.base / "mine-2.toml").write_text(SETTINGS)
    make_run(name, source=picture, rows=2)
    assert scanned(library)[name].look == look


def test_a_picture_of_visualize_is_in_the_history_and_other_pictures_are_not(library):
    save_picture(np.zeros((10, 14, 3)), library.base / "pocket-conv1-3-marble.png", SETTINGS)
    save_picture(np.zeros((10, 14, 3)), library.base / "plain.png")
    save_picture(np.zeros((10, 14, 3)), library.base / "other.png", "hello")
    runs = scanned(library)
    assert list(runs) == ["pocket-conv1-3-marble.png"]
    run = runs["pocket-conv1-3-marble.png"]
    assert (run.kind, run.state, run.look, run.network) == ("dream", "complete", "marble", "pocket")
    assert (run.width, run.height, run.picture.name) == (14, 10, "picture.png")
    assert library.history.details(run.id).settings == SETTINGS


def write_film(path, metadata=SETTINGS):
    frames = [Frame(pixels, number) for number, pixels in enumerate(pictures(6))]
    kind = kind_of(path)
    if kind.is_animation:
        write_animation(path, frames, 1 / RATE, kind, metadata=metadata)
    else:
        segment = path.with_name("segment.part.mp4")
        encode(segment, frames, 1 / RATE, RATE, kind)
        join(path, [segment], kind, metadata=metadata)
        segment.unlink()
    return path


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif", ".webp"])
def test_films_of_dreamscripts_are_in_the_history_and_others_are_not(library, ending):
    pytest.importorskip("av")
    write_film(library.base / f"hills-marble-zoom-2{ending}")
    write_film(library.base / f"holiday{ending}", "")
    write_film(library.base / f"holiday2{ending}", "made by my camera")
    (library.base / f"broken{ending}").write_bytes(b"features" * 100)
    (library.base / f"link{ending}").symlink_to(library.base / f"hills-marble-zoom-2{ending}")
    runs = scanned(library)
    assert list(runs) == [f"hills-marble-zoom-2{ending}"]
    run = runs[f"hills-marble-zoom-2{ending}"]
    assert (run.kind, run.state, run.look, run.network) == ("film", "complete", "marble", "pocket")
    assert (run.width, run.height) == (64, 48)
    assert run.iterations in (6, 0)  # WebM does not say it
    assert run.picture.name == f"film{ending}"
    details = library.history.details(run.id)
    assert details.settings == SETTINGS
    assert details.downloads == {"film": run.picture}


def test_a_film_in_the_making_is_shown_with_the_identifier_of_the_film(library):
    folder = library.base / "hills-marble-zoom.mp4.parts"
    folder.mkdir()
    record = {"kind": "zoom", "source": "/x/hills.jpg", "checksum": 1, "settings": {"network": "pocket"}}
    record |= {"height": 48, "width": 64, "frames": 50}
    record |= {key: {"numerator": 1, "denominator": 25} for key in ("time_base", "rate")}
    (folder / "film.json").write_text(json.dumps(record))
    (folder / "settings.toml").write_text(SETTINGS)
    run = scanned(library)["hills-marble-zoom.mp4"]
    assert (run.kind, run.state, run.resumable, run.photo_name) == ("film", "stopped", True, "hills.jpg")
    assert (run.width, run.height, run.picture) == (64, 48, None)
    assert library.history.details(run.id).settings == SETTINGS
    assert library.history.refresh("hills-marble-zoom.mp4") == run
    (folder / "film.json").write_text("{}")
    assert scanned(library)["hills-marble-zoom.mp4"].state == "damaged"


def test_only_what_has_changed_is_read_again(library, make_run, monkeypatch):
    for number in range(3):
        make_run(f"run{number}", "stopped", rows=2)
    assert len(library.history.scan().changed) == 3
    reads = []
    read_record = dreams.read_record
    monkeypatch.setattr(dreams, "read_record", lambda base, parts: reads.append(parts) or read_record(base, parts))
    nothing = library.history.scan()
    assert (nothing.changed, nothing.gone, reads) == ([], [], [])
    (library.base / "run1" / "run.json").write_text("{}")
    assert [run.folder for run in library.history.scan().changed] == ["run1"]
    assert reads == [["run1"]]


def test_runs_that_are_gone_are_said_once(library, make_run):
    make_run("a")
    make_run("b")
    library.history.scan()
    id = library.history.id_of("a")
    (library.base / "a").rename(library.base / "c")
    changes = library.history.scan()
    assert [run.folder for run in changes.changed] == ["c"]
    assert changes.gone == [id]
    assert library.history.scan().gone == []
    with pytest.raises(Missing):
        library.history.details(id)


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../x", "/etc", "a/../b", ".dreamscripts-studio", "a\0", "none", "a/b/c"]
)
def test_refreshing_another_name_finds_nothing(library, make_run, name):
    make_run("a")
    assert library.history.refresh(name) is None


def test_the_history_comes_in_parts_which_new_runs_do_not_move(library, make_run):
    for number in range(7):
        make_run(f"run{number}", rows=2)
        os.utime(library.base / f"run{number}" / "settings.toml", (1000 + number // 2, 1000 + number // 2))
    library.history.scan()
    order = [run.folder for run in library.history.runs]
    assert order[0] == "run6"
    first = library.history.page(limit=3)
    make_run("newer", rows=2)
    library.history.scan()
    second = library.history.page(first.next, limit=3)
    third = library.history.page(second.next, limit=3)
    assert [run.folder for part in (first, second, third) for run in part.runs] == order
    assert third.next is None
    for cursor in ("nonsense", "_", "nan_x", "1e999_"):
        assert isinstance(library.history.page(cursor, limit=3).runs, list)
    assert len(library.history.page(limit=-5).runs) == 1


def test_the_history_of_one_look_or_photograph(library, make_run):
    for name, source in [
        ("hills-marble", "/x/hills.jpg"),
        ("hills-dreamy", "/x/hills.jpg"),
        ("sea-marble", "/x/sea.jpg"),
    ]:
        make_run(name, source=source, rows=2)
    library.history.scan()
    every = library.history.page()
    assert (every.looks, every.photos) == (["dreamy", "marble"], ["hills.jpg", "sea.jpg"])
    assert {run.folder for run in library.history.page(look="marble").runs} == {"hills-marble", "sea-marble"}
    assert [run.folder for run in library.history.page(look="marble", photo="sea.jpg").runs] == ["sea-marble"]
    assert library.history.page(photo="none").runs == []


def test_two_libraries_of_one_folder_agree(library, make_run):
    make_run("a")
    assert scanned(library) == scanned(open_library(library.base))
