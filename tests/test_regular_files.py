import os
import socket
from pathlib import Path

import pytest

from dreamscripts.errors import PictureError
from dreamscripts.regular_files import open_regular


def refusal(path):
    with pytest.raises(PictureError) as error:
        open_regular(path, PictureError, "picture")
    assert str(error.value).startswith(str(path)[:60])  # the middle of a long name is left out
    return str(error.value)


def test_a_file_and_a_link_to_it_are_opened(tmp_path):
    (tmp_path / "a").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a", "link"):
        with open_regular(tmp_path / name, PictureError, "picture") as file:
            assert file.read() == b"bytes"


def test_other_kinds_are_refused_at_once(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe, not a picture" in refusal(tmp_path / "pipe")  # nobody writes to it
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert "is a socket" in refusal(tmp_path / "socket")
    assert "is a folder" in refusal(tmp_path)
    assert "there is no such picture" in refusal(tmp_path / "missing")
    assert "is not the name" in refusal(tmp_path / "null\0")
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(
    ("path", "says"), [("/dev/zero", "is a device"), ("/proc/self/maps", "is a file of the system")]
)
def test_files_of_the_system_are_refused(path, says):
    if not Path(path).exists():
        pytest.skip(f"there is no {path}")
    assert says in refusal(path)


def test_a_pipe_in_place_of_the_file_that_was_looked_at_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"bytes")
    before = (tmp_path / "a").stat()
    (tmp_path / "a").unlink()
    os.mkfifo(tmp_path / "a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path, **options: before)
        assert "is a pipe" in refusal(tmp_path / "a")


@pytest.mark.parametrize("address", ["https://example.com/a.jpg", "http://example.com/a.jpg"])
def test_a_web_address_is_not_a_file(address):
    with pytest.raises(PictureError, match=r"is a web address; download the picture and name the file$"):
        open_regular(address, PictureError, "picture")


def test_a_similar_name_in_the_same_folder_is_suggested(tmp_path):
    (tmp_path / "castle.jpg").touch()
    (tmp_path / "casle").mkdir()
    with pytest.raises(PictureError, match=r"casle\.jpg: there is no such picture \(did you mean 'castle\.jpg'\?\)$"):
        open_regular(tmp_path / "casle.jpg", PictureError, "picture")
    with pytest.raises(PictureError, match=r"there is no such picture$"):
        open_regular(tmp_path / "none" / "casle.jpg", PictureError, "picture")
