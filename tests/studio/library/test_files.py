"""Files of runs, photographs, films and sheets: opened by identifier and fixed name, and nothing else is."""

import io
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image
from small_films import pictures
from studio_library import as_file, content_of, open_library

from dreamscripts.film_files.animation import write_animation
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.images.files import save_picture
from dreamscripts.images.pillow import quiet
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import thumbnails
from dreamscripts.studio.library.within import Missing

SETTINGS = Settings.load("marble", network="pocket").to_toml()


@pytest.fixture
def run(library, make_run):
    make_run("hills-marble", "stopped")
    (library.base / "hills-marble" / "secret.txt").write_text("secret")
    library.history.scan()
    return library.history.runs[0]


@pytest.fixture
def photograph(library, picture):
    return library.photographs.add(as_file(picture), "Grandma's hills.jpg")


@pytest.mark.parametrize(
    ("name", "kind", "download"),
    [
        ("final.png", "image/png", "hills-marble.png"),
        ("iteration_001.png", "image/png", "hills-marble-iteration_001.png"),
        ("settings.toml", "text/plain; charset=utf-8", "hills-marble.toml"),
        ("loss.csv", "text/csv; charset=utf-8", "hills-marble-loss.csv"),
    ],
)
def test_the_files_of_a_run_are_opened_as_they_are(library, run, name, kind, download):
    opened = library.files.open(run.id, name)
    path = library.base / "hills-marble" / name
    assert (opened.kind, opened.download, opened.size) == (kind, download, path.stat().st_size)
    assert content_of(opened) == path.read_bytes()


HOSTILE = [
    "",
    ".",
    "..",
    "run.json",
    "state.npz",
    "start.npy",
    "secret.txt",
    "../hills-marble/final.png",
    "..\\x",
    "/etc/passwd",
    "final.png/",
    "final.png\0",
    "./final.png",
    "FINAL.PNG",
    "iteration_1.png",
    "iteration_００１.png",
    "iteration_001.png/../../x",
    "photograph.png",
    "preview-marble.png",
    "film.mp4",
    "sheet.png",
    "%2e%2e%2fx",
    "token",
    "x" * 300,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_other_name_opens_anything_of_a_run(library, run, name):
    with pytest.raises(Missing):
        library.files.open(run.id, name)


@pytest.mark.parametrize(
    "id", ["", "..", "0" * 16, "hills-marble", "../x", "0" * 15, "A" * 16, "trash", "0" * 16 + "\n"]
)
@pytest.mark.parametrize("name", ["final.png", "thumbnail.jpg", "photograph.png", "sheet.png", "settings.toml"])
def test_no_other_identifier_opens_anything(library, run, photograph, id, name):
    with pytest.raises(Missing):
        library.files.open(id, name)


@given(st.text(), st.text())
@examples(max_examples=200)
def test_whatever_is_asked_for_it_is_missing(tmp_path_factory, id, name):
    library = open_library(tmp_path_factory.getbasetemp())
    with pytest.raises(Missing):
        library.files.open(id, name)


def test_a_photograph_its_thumbnail_and_its_previews(library, photograph, picture):
    opened = library.files.open(photograph.id, "photograph.png")
    assert opened.download == "Grandma's hills.png"
    assert Image.open(io.BytesIO(content_of(opened))).size == (picture.shape[1], picture.shape[0])
    thumbnail = library.files.open(photograph.id, "thumbnail.jpg")
    assert thumbnail.kind == "image/jpeg"
    assert Image.open(io.BytesIO(content_of(thumbnail))).format == "JPEG"
    with pytest.raises(Missing):
        library.files.open(photograph.id, "preview-marble.png")
    save_picture(picture, library.photographs.previews_folder(photograph.id) / "marble.png")
    assert content_of(library.files.open(photograph.id, "preview-marble.png")).startswith(b"\x89PNG")
    for name in ("final.png", "preview-../marble.png", "preview-.png", "preview-A.png", "upload", "photograph.json"):
        with pytest.raises(Missing):
            library.files.open(photograph.id, name)


def test_a_large_picture_has_a_small_thumbnail_that_is_kept(library, make_run, rng):
    make_run("run")
    save_picture(rng.uniform(0, 255, (700, 1000, 3)), library.base / "run" / "final.png")
    library.history.scan()
    run = library.history.runs[0]
    small = Image.open(io.BytesIO(content_of(library.files.open(run.id, run.thumbnail.name))))
    assert small.size == (480, 336)
    kept = list((library.store / "thumbnails").iterdir())
    assert [path.name for path in kept] == [f"{run.id}-{run.picture.version}.jpg"]
    before = kept[0].stat()
    library.files.open(run.id, "thumbnail.jpg").file.close()
    assert kept[0].stat() == before or kept[0].stat().st_mtime_ns == before.st_mtime_ns


def test_a_picture_that_changes_has_another_thumbnail(library, make_run):
    make_run("run")
    path = library.base / "run" / "final.png"
    colours = []
    for colour, time in ((0, 1000), (200, 2000)):
        save_picture(np.full((9, 9, 3), colour), path)
        os.utime(path, (time, time))
        run = library.history.refresh("run")
        opened = library.files.open(run.id, run.thumbnail.name)
        colours.append(np.asarray(Image.open(io.BytesIO(content_of(opened)))).mean())
    assert colours == [pytest.approx(0, abs=2), pytest.approx(200, abs=2)]


def test_thumbnails_are_bounded_in_number_and_bytes(library, monkeypatch):
    folder = library.store / "thumbnails"
    for number in range(30):
        (folder / f"{number:016x}-1.jpg").write_bytes(bytes(1000))
        os.utime(folder / f"{number:016x}-1.jpg", (number, number))
    monkeypatch.setattr(thumbnails, "MOST_FILES", 20)
    open_library(library.base)
    assert sorted(path.stat().st_mtime for path in folder.iterdir()) == list(range(10, 30))
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 5000)
    open_library(library.base)
    assert sorted(path.stat().st_mtime for path in folder.iterdir()) == list(range(25, 30))


def test_thumbnails_stay_bounded_while_they_are_made(library, run, monkeypatch):
    monkeypatch.setattr(thumbnails, "MOST_FILES", 5)
    monkeypatch.setattr(thumbnails, "WRITES", 2)
    path = library.base / "hills-marble" / "final.png"
    for number in range(20):
        os.utime(path, (1000 + number, 1000 + number))
        library.history.refresh("hills-marble")
        library.files.open(run.id, "thumbnail.jpg").file.close()
    assert len(list((library.store / "thumbnails").iterdir())) <= 7


@pytest.mark.parametrize(
    "content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + bytes(50), b"GIF89a" + bytes(50)]
)
def test_a_run_whose_picture_is_damaged_or_something_else_has_none(library, run, content):
    (library.base / "hills-marble" / "final.png").write_bytes(content)
    library.history.refresh("hills-marble")
    with pytest.raises(Missing):
        library.files.open(run.id, "thumbnail.jpg")
    if content[:4] != b"\x89PNG":
        with pytest.raises(Missing):
            library.files.open(run.id, "final.png")


def test_a_picture_of_a_run_with_too_many_pixels_is_not_decoded(library, run, monkeypatch):
    monkeypatch.setattr(thumbnails, "MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(Missing, match="too large"):
        library.files.open(run.id, "thumbnail.jpg")


def test_links_are_not_opened_also_if_they_are_put_there_later(library, run, photograph, tmp_path, picture):
    secret = tmp_path / "secret.png"
    save_picture(picture, secret)
    folder = library.base / "hills-marble"
    for name in ("final.png", "iteration_001.png", "settings.toml", "loss.csv"):
        (folder / name).unlink()
        (folder / name).symlink_to(secret)
        with pytest.raises(Missing):
            library.files.open(run.id, name)
    with pytest.raises(Missing):
        library.files.open(run.id, "thumbnail.jpg")
    (library.photographs.previews_folder(photograph.id) / "marble.png").symlink_to(secret)
    with pytest.raises(Missing):
        library.files.open(photograph.id, "preview-marble.png")
    folder.rename(library.base / "was")
    folder.symlink_to(library.base / "was")
    with pytest.raises(Missing):
        library.files.open(run.id, "iteration_000.png")
    thumbnail = library.store / "thumbnails" / f"{photograph.id}-0.jpg"
    thumbnail.symlink_to(secret)
    assert content_of(library.files.open(photograph.id, "thumbnail.jpg"))[:2] == b"\xff\xd8"
    assert not thumbnail.is_symlink()


def test_the_start_picture_is_shown_from_its_numbers(library, make_run):
    run_folder = make_run("run", "running")
    library.history.scan()
    run = library.history.runs[0]
    link = library.history.details(run.id).start
    shown = np.asarray(Image.open(io.BytesIO(content_of(library.files.open(link.id, link.name)))))
    assert (shown == np.rint(run_folder.picture)).all()


def test_start_pictures_that_are_damaged_are_missing(library, run):
    path = library.base / "hills-marble" / "start.npy"
    content = path.read_bytes()
    nan = io.BytesIO()
    np.save(nan, np.full((4, 4, 3), np.nan, np.float32))
    flat = io.BytesIO()
    np.save(flat, np.zeros(12, np.float32))
    for number, damage in enumerate(
        (b"", content[:-1], content[:50], nan.getvalue(), flat.getvalue(), b"PK" + content)
    ):
        path.write_bytes(damage)
        os.utime(path, (number, number))
        with pytest.raises(Missing):
            library.files.open(run.id, "start.png")


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".webp"])
def test_a_film_and_its_thumbnail(library, ending):
    pytest.importorskip("av")
    path = library.base / f"My film{ending}"
    if ending == ".mp4":
        from small_films import write_film

        write_film(path, pictures(6), container_options={"movflags": "use_metadata_tags"})
        import av

        with av.open(str(path)) as source, av.open(str(library.base / "x.mp4"), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            target.metadata["comment"] = SETTINGS
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        (library.base / "x.mp4").replace(path)
    else:
        frames = [Frame(pixels, number) for number, pixels in enumerate(pictures(6))]
        write_animation(path, frames, 1, kind_of(path), metadata=SETTINGS)
    library.history.scan()
    (run,) = library.history.runs
    opened = library.files.open(run.id, run.picture.name)
    assert (opened.download, opened.kind.partition("/")[0]) == (
        f"My film{ending}",
        "video" if ending == ".mp4" else "image",
    )
    assert content_of(opened) == path.read_bytes()
    small = Image.open(io.BytesIO(content_of(library.files.open(run.id, "thumbnail.jpg"))))
    assert small.format == "JPEG"
    assert small.width / small.height == pytest.approx(64 / 48, abs=0.01)
    for name in ("final.png", "film.mov", "settings.toml", f"My film{ending}"):
        with pytest.raises(Missing):
            library.files.open(run.id, name)


def test_a_single_picture(library, picture):
    save_picture(picture, library.base / "eyes.png", SETTINGS)
    library.history.scan()
    (run,) = library.history.runs
    opened = library.files.open(run.id, run.picture.name)
    assert (run.picture.name, opened.download) == ("picture.png", "eyes.png")
    assert content_of(opened) == (library.base / "eyes.png").read_bytes()
    assert content_of(library.files.open(run.id, "thumbnail.jpg"))[:2] == b"\xff\xd8"
    with pytest.raises(Missing):
        library.files.open(run.id, "final.png")


def test_thumbnails_do_not_wait_for_a_picture_that_is_being_decoded(library, run):
    found = []
    with quiet():  # as while a large photograph is read
        thread = threading.Thread(
            target=lambda: found.append(content_of(library.files.open(run.id, "thumbnail.jpg"))), daemon=True
        )
        thread.start()
        thread.join(10)
    assert found


def test_many_threads_ask_for_one_thumbnail(library, run):
    found = []

    def ask():
        found.append(content_of(library.files.open(run.id, "thumbnail.jpg")))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert len(list((library.store / "thumbnails").iterdir())) == 1
