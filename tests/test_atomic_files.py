import errno
import os
import stat

import pytest

from dreamscripts.atomic_files import (
    lock,
    make_folder,
    make_numbered_folder,
    open_atomically,
    remove_left_overs,
    write_atomically,
)
from dreamscripts.errors import OutputError


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path):
    for content in (b"one", b"another"):
        write_atomically(tmp_path / "a.txt", content)
        assert (tmp_path / "a.txt").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_content_and_no_rubbish(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a.txt", b"old")
    write = os.write

    def half_then_full(descriptor, content):
        if len(content) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:10])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_atomically(tmp_path / "a.txt", b"new and longer")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_disk_that_fails_only_when_it_is_asked_keeps_the_old_content(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a.txt", b"old")

    def fail(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written: Input/output error"):
        write_atomically(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
    write_atomically(tmp_path / "a.txt", b"newer", durable=False)
    assert (tmp_path / "a.txt").read_bytes() == b"newer"


def test_a_file_that_is_written_piece_by_piece_appears_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with open_atomically(tmp_path / "a.txt") as file:
        file.write(b"new, ")
        file.write(b"and longer")
        file.seek(0)
        assert file.read(3) == b"new"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new, and longer"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_that_is_not_finished_leaves_the_old_content_and_no_rubbish(error, tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), open_atomically(tmp_path / "a.txt") as file:
        file.write(b"new")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: [steps.append("fsync"), fsync(descriptor)])
    monkeypatch.setattr(os, "replace", lambda *paths: [steps.append("replace"), replace(*paths)])
    write_atomically(tmp_path / "a.txt", b"content")
    assert steps == ["fsync", "replace"]


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written: Not a directory"):
        write_atomically(tmp_path / "file" / "a.txt", b"")


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "diary.txt").write_bytes(b"dear diary")
    (tmp_path / "final.png").symlink_to(tmp_path / "diary.txt")
    write_atomically(tmp_path / "final.png", b"picture")
    assert (tmp_path / "diary.txt").read_bytes() == b"dear diary"
    assert not (tmp_path / "final.png").is_symlink()
    assert (tmp_path / "final.png").read_bytes() == b"picture"


def test_the_longest_name_works_and_the_umask_is_kept(tmp_path):
    path = tmp_path / ("a" * 251 + ".txt")
    before = os.umask(0o027)
    try:
        write_atomically(path, b"content")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    def killed(*paths):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        patched.setattr(os, "unlink", lambda path: None)  # kill -9 tidies nothing
        with pytest.raises(KeyboardInterrupt):
            write_atomically(tmp_path / "a.txt", b"")
    (tmp_path / ".other.part").touch()
    assert len(list(tmp_path.iterdir())) == 2
    remove_left_overs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".other.part"]


def test_a_folder_is_claimed_by_one_process_only(tmp_path):
    name = tmp_path / "sky-dreamy"
    assert [make_numbered_folder(name).name for _ in range(3)] == ["sky-dreamy", "sky-dreamy-2", "sky-dreamy-3"]
    with pytest.raises(OutputError, match="File name too long"):
        make_numbered_folder(tmp_path / ("a" * 256))
    release = lock(name)
    with pytest.raises(OutputError, match="another process is writing to it"):
        lock(name)
    release()
    lock(name)()


def test_an_output_folder_may_be_a_link_that_the_person_made(tmp_path):
    (tmp_path / "other disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "other disk")
    make_folder(tmp_path / "runs")
    (tmp_path / "other disk" / "a.txt").touch()
    with pytest.raises(OutputError, match="is not empty"):
        make_folder(tmp_path / "runs")
