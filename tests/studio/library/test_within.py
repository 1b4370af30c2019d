"""Files are opened within a folder only: not through links, whenever they are put there, and nothing but files."""

import os
import socket
import threading

import pytest

from dreamscripts.studio.library import within
from dreamscripts.studio.library.within import Missing


@pytest.fixture
def places(tmp_path):
    """Return a folder with a file in an inner folder, and a file outside of it."""
    (tmp_path / "base" / "inner").mkdir(parents=True)
    (tmp_path / "base" / "inner" / "file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    return tmp_path / "base", tmp_path / "secret"


def test_a_file_is_read_and_described(places):
    base, _ = places
    assert within.read(base, "inner", "file", most=6) == b"inside"
    assert within.is_file(base, "inner", "file")
    assert within.is_folder(base, "inner")
    assert within.status(base, "inner", "file").st_size == 6
    assert within.names(base, "inner") == ["file"]
    assert within.names(base) == ["inner"]
    with within.open_file(base, "inner", "file") as file:
        assert within.path_of(file, base / "x").read_bytes() == b"inside"


@pytest.mark.parametrize(
    "parts",
    [
        ("..", "secret"),
        ("inner", "..", "..", "secret"),
        ("../secret",),
        ("inner/file",),
        ("inner/../../secret",),
        ("",),
        (".",),
        ("inner", "."),
        ("inner", ""),
        ("inner",),
        ("inner", "file", "more"),
        ("none",),
        ("inner", "file\0"),
        ("inner\0", "file"),
        ("/etc/passwd",),
        ("x" * 300,),
        (),
    ],
)
def test_no_other_name_leads_anywhere(places, parts):
    base, _ = places
    with pytest.raises(Missing):
        within.open_file(base, *parts)
    assert not within.is_file(base, *parts)


def test_absolute_and_climbing_names_are_not_described_either(places):
    base, secret = places
    for parts in [("..", "secret"), ("../secret",), (str(secret),), ("inner", str(secret))]:
        assert within.status(base, *parts) is None
        assert within.names(base, *parts[:-1], "..") == []


def test_links_are_not_followed(places):
    base, secret = places
    (base / "link").symlink_to(secret)
    (base / "loop").symlink_to("loop")
    (base / "out").symlink_to(secret.parent)
    (base / "to_inner").symlink_to("inner")
    for parts in [("link",), ("loop",), ("out", "secret"), ("to_inner", "file"), ("inner", "..", "link")]:
        with pytest.raises(Missing):
            within.open_file(base, *parts)
        assert not within.is_file(base, *parts)
    assert within.names(base, "out") == []
    assert not within.is_folder(base, "to_inner")


def test_what_is_no_file_is_refused_at_once(places, tmp_path_factory):
    base, _ = places
    os.mkfifo(base / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        short = tmp_path_factory.mktemp("s")
        listener.bind(str(short / "socket"))
        for folder, name in [(base, "pipe"), (base, "inner"), (short, "socket")]:
            with pytest.raises(Missing):
                within.open_file(folder, name)


def test_a_file_that_is_too_large_is_not_read(places):
    base, _ = places
    with pytest.raises(Missing, match="too large"):
        within.read(base, "inner", "file", most=5)


def test_nothing_outside_is_read_while_a_folder_and_a_file_are_swapped_for_links(places):
    """The folder and the file become links and back again, many times, while they are opened."""
    base, secret = places
    (secret.parent / "file").write_bytes(b"outside")
    done = threading.Event()

    def swap():
        while not done.is_set():
            (base / "inner").rename(base / "kept")
            (base / "inner").symlink_to(secret.parent)
            (base / "inner").unlink()
            (base / "kept").rename(base / "inner")
            (base / "inner" / "file").rename(base / "inner" / "was")
            (base / "inner" / "file").symlink_to(secret)
            (base / "inner" / "file").unlink()
            (base / "inner" / "was").rename(base / "inner" / "file")

    thread = threading.Thread(target=swap)
    thread.start()
    found = {b"inside": 0, b"": 0}
    try:
        for _ in range(20_000):
            try:
                found[within.read(base, "inner", "file", most=100)] += 1  # KeyError for what is outside
            except Missing:
                found[b""] += 1
            if min(found.values()) > 200:
                break
    finally:
        done.set()
        thread.join()
    assert min(found.values()) > 0  # both were seen, so they were really swapped


def test_without_descriptors_of_folders_links_are_refused_too(places, monkeypatch):
    monkeypatch.setattr(within, "HAS_DIR_FD", False)  # as on Windows
    base, secret = places
    assert within.read(base, "inner", "file", most=6) == b"inside"
    assert within.names(base, "inner") == ["file"]
    (base / "link").symlink_to(secret)
    (base / "out").symlink_to(secret.parent)
    for parts in [("link",), ("out", "secret"), ("..", "secret"), ("inner", "none")]:
        with pytest.raises(Missing):
            within.open_file(base, *parts)
        assert not within.is_file(base, *parts)
