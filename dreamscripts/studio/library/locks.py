"""Tell whether a process is writing to a folder, and keep others from beginning to."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dreamscripts.errors import OutputError
from dreamscripts.studio.library import within

BUSY = "is being written; stop it first"
RECENT = 120.0  # seconds: without locks, a folder that was changed since then counts as being written


def is_written(base: Path, *parts: str) -> bool:
    """Return whether another process has the lock of the folder base/parts, as `atomic_files.lock` takes it.

    To ask, the lock is shared for a moment. A process that wants it in this very moment is refused, so ask seldom.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        found = within.status(base, *parts)
        return found is not None and found.st_mtime > time.time() - RECENT
    try:
        with within.open_folder(base, *parts) as folder:
            try:
                fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except (OSError, ValueError):
        return False
    return False


@contextmanager
def locked(base: Path, *parts: str) -> Iterator[None]:
    """Have the lock of the folder base/parts. Raises OutputError if another process is writing to it, or no folder."""
    release = _locked(base, parts)
    try:
        yield
    finally:
        release()


def _locked(base: Path, parts: tuple[str, ...]) -> Callable[[], None]:
    try:
        import fcntl
    except ImportError:
        if is_written(base, *parts):
            raise OutputError(f"{parts[-1]}: {BUSY}") from None
        return lambda: None
    try:
        with within.open_folder(base, *parts) as folder:
            descriptor = os.dup(folder)
    except (OSError, ValueError):
        raise within.Missing(f"{parts[-1]}: there is no such folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OutputError(f"{parts[-1]}: {BUSY}") from None
    return partial(os.close, descriptor)
