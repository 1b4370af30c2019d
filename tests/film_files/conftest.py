"""Fixtures for tests of film files."""

import errno
from pathlib import Path

import pytest


@pytest.fixture
def full_disk(monkeypatch):
    """Return a function, after which a disk has room for some more bytes in new files."""

    def fill(room):
        open_path = Path.open

        def opened(path, mode="r", *args, **keys):
            file = open_path(path, mode, *args, **keys)
            return Full(file, room) if mode == "x+b" else file

        monkeypatch.setattr(Path, "open", opened)

    return fill


class Full:
    """A file on a disk with room for `room` bytes."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, data):
        if self._file.tell() + len(data) > self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def writelines(self, lines):
        for line in lines:
            self.write(line)
