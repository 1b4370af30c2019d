"""Write files atomically: to a temporary name in the same folder, then rename. Name, number and lock output folders."""

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

from dreamscripts.errors import OutputError

LEFT_OVER = re.compile(r"\.dreamscripts-[0-9a-f]{16}\.part")  # a temporary file; its name cannot be foreseen
LONGEST = 240  # bytes in a name: file systems allow 255, and a number or an ending may follow


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
    """Create an output folder. An existing folder is used if it is empty. Raises OutputError if it is not.

    A process that was killed at its start can leave a temporary file. The folder then counts as empty.
    """
    if folder.is_file():
        raise OutputError(f"{folder}: is a file; choose another --output")
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(not LEFT_OVER.fullmatch(path.name) for path in folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; choose another --output")


def fitting_name(start: str, end: str = "") -> str:
    """Return `start` + `end` as the name of a new file or folder. A `start` that is too long for a name is cut."""
    while len(f"{start}{end}".encode(errors="surrogateescape")) > LONGEST:
        start = start[:-1]
    return f"{start}{end}"


def make_numbered_folder(name: str | Path) -> Path:
    """Create and return `name`, or the first of name-2, name-3, … that does not exist. Raises OutputError.

    Two processes that call this at the same moment get different folders.
    """
    for folder in numbered(name):
        with output_errors(folder), suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError  # there is always a next number


def numbered(name: str | Path) -> Iterator[Path]:
    """Yield name, name-2, name-3, …"""
    yield Path(name)
    yield from (Path(f"{name}-{number}") for number in count(2))


def lock(folder: Path) -> Callable[[], None]:
    """Lock an output folder until the returned function is called or this process ends.

    Raises OutputError if another process has the lock. Raises OSError if there is no such folder.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return lambda: None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OutputError(f"{folder}: another process is writing to it") from None
    return partial(os.close, descriptor)


def write_atomically(path: str | Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that it has either the old or the new content at any time, even after a crash.

    The content is on the disk before it gets the name, so that this is also true after a power cut. With `durable` =
    False it is not: this is faster, for files that can be made again. After a power cut, the file may also be missing,
    unless `sync` has been called for its folder. A symbolic link is replaced, not followed. Raises OutputError if the
    file cannot be written. It then keeps the old content.
    """
    with open_atomically(path, durable=durable) as file:
        _write(file.fileno(), content)


@contextmanager
def open_atomically(path: str | Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a new file for reading and writing, which becomes the file `path` at the end of the `with` statement.

    `durable` is as in `write_atomically`. After an exception, the old file is unchanged and the new one is deleted. An
    OSError becomes an OutputError.
    """
    path = Path(path)
    temporary = path.with_name(f".dreamscripts-{secrets.token_hex(8)}.part")
    with output_errors(path):
        # With "x", this never opens a file or a link that somebody else put there.
        file = temporary.open("x+b")
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync(path: str | Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk. Raises OutputError."""
    if os.name == "nt":  # Windows does this for open files only
        return
    with output_errors(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot do this
                raise
        finally:
            os.close(descriptor)


def remove_left_overs(folder: Path) -> None:
    """Delete the temporary files of processes that were killed. Call this only with the folder's lock."""
    with output_errors(folder):
        for path in [path for path in folder.iterdir() if LEFT_OVER.fullmatch(path.name)]:
            path.unlink()
