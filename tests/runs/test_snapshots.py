"""The snapshots of a run, as a movie reads them."""

import json

import numpy as np
import pytest
from PIL import Image

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import OutputError
from dreamscripts.images.files import open_picture
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.runs.snapshots import read_snapshots


def iterate(number, side=16, value=None) -> Iterate:
    x = np.full((side, side + 3, 3), 10 * number if value is None else value, np.float32)
    return Iterate(0, number, 1.0 - number, {"block2_conv1": 1.0 - number}, number + 1, 0.1, x, "none", 0, False, {})


@pytest.fixture
def make_run(tmp_path, settings, picture):
    """Return a function that makes a run with these iterates, and returns its folder."""

    def make(numbers=range(5), status="complete", sides=None, **options):
        run = RunFolder.create(tmp_path / "run", settings, picture, **options)
        for number in numbers:
            run.save(iterate(number, (sides or {}).get(number, 16)))
        run.save_final(status)
        run.close(status)
        run.release()
        return run.folder

    return make


def names(folder) -> list[str]:
    return [path.name for path in read_snapshots(folder).paths]


def test_they_come_in_order_with_the_settings_of_the_run(make_run, settings):
    folder = make_run([0, 2, 10, 999, 1000])  # octaves that were skipped have no iterations
    snapshots = read_snapshots(folder)
    assert [path.stem for path in snapshots.paths] == [f"iteration_{n}" for n in ("000", "002", "010", "999", "1000")]
    assert snapshots.settings == settings.to_toml()
    assert snapshots.size == (16, 19)
    assert snapshots.notes == ()


def test_octaves_are_brought_to_the_size_of_the_last(make_run):
    folder = make_run(range(3), sides={0: 8, 1: 24})
    snapshots = read_snapshots(folder)
    assert snapshots.size == (16, 19)
    frames = list(snapshots.pictures(snapshots.size))
    assert [frame.shape for frame in frames] == [(16, 19, 3)] * 3
    assert [frame.dtype for frame in frames] == [np.uint8] * 3
    assert [int(frame.mean()) for frame in frames] == [0, 10, 20]


@pytest.mark.parametrize("status", ["complete", "stopped"])
def test_the_final_picture_ends_a_movie_of_sparse_snapshots(status, make_run):
    folder = make_run(status=status, keep_every=3)
    assert names(folder) == ["iteration_000.png", "iteration_003.png", "final.png"]


def test_a_final_picture_is_not_used_twice_nor_if_it_is_not_the_last(make_run):
    folder = make_run(keep_every=2)
    assert names(folder) == ["iteration_000.png", "iteration_002.png", "iteration_004.png"]
    record = json.loads((folder / "run.json").read_text())
    (folder / "iteration_004.png").unlink()
    (folder / "run.json").write_text(json.dumps(record | {"status": "running"}))
    assert names(folder) == ["iteration_000.png", "iteration_002.png"]  # the old final.png of a resumed run
    (folder / "run.json").write_text(json.dumps(record | {"status": "diverged"}))
    assert names(folder) == ["iteration_000.png", "iteration_002.png"]  # final.png is an earlier picture


def test_the_snapshots_of_a_run_that_goes_on_are_used_before_the_record_has_them(tmp_path, settings, picture):
    run = RunFolder.create(tmp_path / "run", settings, picture)
    for number in range(3):
        run.save(iterate(number))
    assert len(read_snapshots(run.folder).paths) == 3
    run.release()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes().replace(b"IDAT", b"IDAX")),
        lambda path: path.write_bytes(b"GIF89a"),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to(path.with_name("iteration_001.png"))),
    ],
)
def test_a_damaged_snapshot_is_left_out_and_named(damage, make_run):
    folder = make_run()
    damage(folder / "iteration_002.png")
    snapshots = read_snapshots(folder)
    assert [path.stem[-1] for path in snapshots.paths] == ["0", "1", "3", "4"]
    (note,) = snapshots.notes
    assert note.startswith(f"{folder}/iteration_002.png: is damaged: ")
    assert note.endswith("; it is left out")


def test_names_that_no_run_gives_are_ignored(make_run):
    folder = make_run()
    for name in ("iteration_1.png", "iteration_0003.png", "iteration_٠٠٧.png", "iteration_-01.png", "iteration_5.jpg"):
        (folder / name).write_bytes(b"no picture")
    assert len(read_snapshots(folder).paths) == 5
    assert read_snapshots(folder).notes == ()


def test_damage_that_only_decoding_finds_is_one_line(make_run):
    folder = make_run()
    path = folder / "iteration_002.png"
    chunk = b"\0\0\0\0IDAT" + b"\x35\xaf\x06\x1e"  # an empty IDAT with its checksum, and no others
    content = path.read_bytes()
    start = content.index(b"IDAT") - 4
    path.write_bytes(content[:start] + chunk + content[content.index(b"IEND") - 4 :])
    snapshots = read_snapshots(folder)
    with pytest.raises(OutputError, match=r"iteration_002.png: is damaged: .*; delete it"):
        list(snapshots.pictures(snapshots.size))


@pytest.mark.parametrize("name", ["run.json", "settings.toml"])
def test_a_damaged_record_is_one_line(name, make_run):
    folder = make_run()
    (folder / name).write_text("= {")
    with pytest.raises(OutputError, match=f"{name}: is damaged: .*; restore it"):
        read_snapshots(folder)


def test_a_run_without_snapshots_is_one_line(make_run):
    folder = make_run()
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(OutputError, match="contains no snapshots of the run"):
        read_snapshots(folder)


def test_the_last_frame_is_the_final_picture(make_run):
    folder = make_run(keep_every=3)
    snapshots = read_snapshots(folder)
    *_, last = snapshots.pictures(snapshots.size)
    assert np.array_equal(last, open_picture(folder / "final.png").astype(np.uint8))


def test_links_out_of_the_folder_are_not_followed(make_run, tmp_path, picture):
    folder = make_run()
    Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "secret.png")
    (folder / "iteration_009.png").symlink_to(tmp_path / "secret.png")
    assert len(read_snapshots(folder).paths) == 5
