import errno
from pathlib import Path

import pytest

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import OutputError


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path):
    for content in (b"one", b"another"):
        write_atomically(tmp_path / "a.txt", content)
        assert (tmp_path / "a.txt").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_content_and_no_rubbish(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a.txt", b"old")

    def half_then_full(self, content):
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_then_full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_atomically(tmp_path / "a.txt", b"new and longer")
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.txt: cannot be written: Not a directory"):
        write_atomically(tmp_path / "file" / "a.txt", b"")
