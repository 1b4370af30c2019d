"""Open files and folders within a folder without following a symbolic link, at whatever moment one is put there."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dreamscripts.errors import DreamError

HAS_DIR_FD = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd  # Windows has not
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
FILE = (  # opening a pipe that nobody writes to would wait without O_NONBLOCK
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Missing(DreamError):
    """A thing that does not exist, perhaps no longer."""


def open_file(base: Path, *parts: str) -> BinaryIO:
    """Open the regular file base/parts for reading. Raises Missing if there is none, or if a part is a link."""
    try:
        with _parent(base, parts) as (parent, last):
            descriptor = os.open(last, FILE, dir_fd=parent) if HAS_DIR_FD else _open_plainly(base, parts)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise Missing(f"{parts[-1] if parts else base}: there is no such file") from None
    return os.fdopen(descriptor, "rb")


def read(base: Path, *parts: str, most: int) -> bytes:
    """Read a file of at most `most` bytes. Raises Missing, also if the file is larger."""
    with open_file(base, *parts) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Missing(f"{parts[-1]}: is too large to be read")
    return content


def path_of(file: BinaryIO, path: Path) -> Path:
    """Return a path of an open file for libraries that open a path again: where possible, of just this file."""
    own = Path(f"/proc/self/fd/{file.fileno()}")
    return own if own.exists() else path


def status(base: Path, *parts: str) -> os.stat_result | None:
    """Return the status of what is at base/parts, not of what a link there leads to. None: there is nothing."""
    try:
        with _parent(base, parts) as (parent, last):
            if HAS_DIR_FD:
                return os.stat(last, dir_fd=parent, follow_symlinks=False)
            return base.joinpath(*parts).lstat()
    except (OSError, ValueError):
        return None


def is_file(base: Path, *parts: str) -> bool:
    """Return whether base/parts is a regular file with content, and no part is a link."""
    found = status(base, *parts)
    return found is not None and stat.S_ISREG(found.st_mode) and found.st_size > 0


def is_folder(base: Path, *parts: str) -> bool:
    """Return whether base/parts is a folder, and no part is a link."""
    found = status(base, *parts)
    return found is not None and stat.S_ISDIR(found.st_mode)


def names(base: Path, *parts: str) -> list[str]:
    """List the names in the folder base/parts, in no order. Nothing if it is no folder, or if a part is a link."""
    try:
        with open_folder(base, *parts) as folder:
            return os.listdir(folder)  # noqa: PTH208 - of a descriptor
    except (OSError, ValueError):
        return []


@contextmanager
def open_folder(base: Path, *parts: str) -> Iterator[Any]:
    """Yield a descriptor of the folder base/parts, or its path where there are no such descriptors. Raises OSError."""
    if not HAS_DIR_FD:
        _refuse_links(base, parts)
        yield base.joinpath(*parts)
        return
    descriptor = os.open(base, FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        for part in parts:
            _refuse_path(part)
            inner = os.open(part, FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _parent(base: Path, parts: tuple[str, ...]) -> Iterator[tuple[int | None, str]]:
    """Yield the folder of the last part, and the last part."""
    if not parts:
        raise FileNotFoundError
    _refuse_path(parts[-1])
    with open_folder(base, *parts[:-1]) as folder:
        yield (folder if isinstance(folder, int) else None), parts[-1]


def _refuse_path(part: str) -> None:
    """Raise FileNotFoundError for a part that is not a single name."""
    if part in ("", ".", "..") or "/" in part or (os.altsep and (os.sep in part or ":" in part)):
        raise FileNotFoundError


def _open_plainly(base: Path, parts: tuple[str, ...]) -> int:
    _refuse_links(base, parts)
    return os.open(base.joinpath(*parts), FILE)


def _refuse_links(base: Path, parts: tuple[str, ...]) -> None:
    """Raise FileNotFoundError if a part is a link or does not exist."""
    path = base
    for part in parts:
        _refuse_path(part)
        path = path / part
        if not os.path.lexists(path) or path.is_symlink() or getattr(path, "is_junction", bool)():
            raise FileNotFoundError
