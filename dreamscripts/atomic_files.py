"""Write files atomically: to a temporary name in the same folder, then rename."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dreamscripts.errors import OutputError


@contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn an OSError into an OutputError that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            problem = "the disk is full; files written before are kept"
        else:
            problem = f"cannot be written: {error.strerror or error}"
        raise OutputError(f"{path}: {problem}") from None


def make_folder(folder: Path) -> None:
    """Create an output folder. An existing folder is used if it is empty. Raises OutputError if it is not."""
    if folder.is_file():
        raise OutputError(f"{folder}: is a file; choose another --output")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; choose another --output")


def lock(folder: Path) -> Callable[[], None]:
    """Lock an output folder until the returned function is called or this process ends.

    Raises OutputError if another process has the lock.
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
        raise OutputError(f"{folder}: another process is writing to it") from None
    return partial(os.close, descriptor)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that it has either the old or the new content at any time, even after a crash.

    Raises OutputError if the file cannot be written. It then keeps the old content.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.part")
    with output_errors(path):
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
