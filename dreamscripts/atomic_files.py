"""Files appear whole or not at all: written beside their final name, then renamed."""

import errno
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dreamscripts.errors import OutputError


@contextmanager
def output_errors(path: str | Path):
    """Turn what the file system refuses into an OutputError for the person who chose the place."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full; what was written before is kept"
        else:
            what = f"cannot be written: {error.strerror or error}"
        raise OutputError(f"{path}: {what}") from None


def make_folder(folder: Path) -> None:
    """Make a folder for output, where it is not there and empty already; raises OutputError where it cannot be."""
    if folder.is_file():
        raise OutputError(f"{folder}: is a file; choose another --output")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; choose another --output")


def lock(folder: Path) -> Callable[[], None]:
    """Keep others out of a folder of output until the function given back is called, or this process ends.

    Raises OutputError where another one is at work in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return lambda: None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OutputError(f"{folder}: another process is dreaming in it") from None
    return partial(os.close, descriptor)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part of it.

    Raises OutputError where that is impossible; the old content then stands.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.part")
    with output_errors(path):
        try:
            beside.write_bytes(content)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
