"""Save measurements of this machine for later runs, in small JSON files under ~/.cache/dreamscripts."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import OutputError

Key = Mapping[str, Any]
LARGEST = 1 << 20  # bytes of a file


def cache_folder() -> Path:
    """Return the cache folder, in XDG_CACHE_HOME or ~/.cache. It may not exist. Raises OSError if there is no home."""
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "dreamscripts"
    try:
        return Path.home() / ".cache" / "dreamscripts"
    except RuntimeError as error:
        raise OSError(str(error)) from None


def recall(key: Key) -> Any:
    """Return the value saved under a key, or None if there is no such value or its file is damaged.

    The value can be of any JSON type, because anybody may have changed the file.
    """
    try:
        path = _path(key)
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:  # a link or a pipe, for example
            return None
        saved = json.loads(path.read_text("utf-8"))
        return saved["answer"] if saved["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep(key: Key, value: Any) -> None:
    """Save a value under a key, and replace an older value. Key and value must be of types that JSON supports.

    Several processes can write at the same time. If the folder cannot be written, nothing is saved.
    """
    with suppress(OSError, OutputError):
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"key": key, "answer": value}, indent=1).encode(), durable=False)


@contextmanager
def alone(key: Key) -> Iterator[None]:
    """Let other processes wait that want the same, so that only one of them measures it.

    If the folder cannot be written, or if the system has no such locks, nobody waits.
    """
    with ExitStack() as stack:
        with suppress(OSError, ImportError):
            import fcntl

            path = _path(key).with_suffix(".lock")
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _path(key: Key) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "measured" / f"{digest[:16]}.json"
