"""Open the files that a person names, and refuse at once what is not a file: pipes, sockets, devices, folders."""

import os
import re
import stat
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from dreamscripts.errors import DreamError, did_you_mean

# On a pipe that nobody writes to, open() would wait. The flags are missing on some systems.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
MOST_NAMES = 1000  # of files in a folder, among which the meant one is searched
OTHER_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


def open_regular(path: str | Path, error: type[DreamError], kind: str) -> BinaryIO:
    """Open a regular file, or a link to one, for reading. It never waits.

    Raises `error` if the file cannot be read or if it is a folder, a pipe, a socket, a device or a file of the system
    in /proc. The message calls the file a `kind`, for example "picture".
    """
    path = Path(path)
    try:
        refuse_irregular(path, path.stat().st_mode, error, kind)
        file = os.open(path, FLAGS)
        try:
            refuse_irregular(path, os.fstat(file).st_mode, error, kind)  # it may have been replaced since
        except BaseException:
            os.close(file)
            raise
        return os.fdopen(file, "rb")
    except FileNotFoundError:
        if re.match(r"https?:/", str(path)):
            raise error(f"{path}: is a web address; download the {kind} and name the file") from None
        raise error(f"{path}: there is no such {kind}{did_you_mean(path.name, _beside(path))}") from None
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from None
    except ValueError:  # the name contains a null character
        raise error(f"{path}: is not the name of a {kind}") from None


def _beside(path: Path) -> list[str]:
    """Return the names of files in the same folder, at most MOST_NAMES, or none if it cannot be read."""
    try:
        with os.scandir(path.parent) as entries:
            return sorted(entry.name for entry in islice(entries, MOST_NAMES) if entry.is_file())
    except (OSError, ValueError):
        return []


def refuse_irregular(path: Path, mode: int, error: type[DreamError], kind: str) -> None:
    """Raise `error` if `mode`, as from `os.stat`, is not that of a regular file, or if the file is in /proc."""
    for is_kind, found in OTHER_KINDS:
        if is_kind(mode):
            raise error(f"{path}: {found}, not a {kind}; give the name of a file")
    if path.resolve().is_relative_to("/proc"):
        raise error(f"{path}: is a file of the system, not a {kind}")
