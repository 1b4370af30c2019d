"""RemoteFolder: a folder in a store such as s3://, which many machines share. fsspec talks with the store.

Credentials come from the environment, as each kind of store defines it.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dreamscripts.errors import DreamError, OutputError, short

ATOMIC = {"s3", "s3a", "gs", "gcs", "abfs", "az", "oss", "oci"}  # an object has its old or its new content at any time
LARGEST = 1 << 30  # bytes that `get` reads
PIECE = 1 << 22  # bytes that are read at once


class RemoteFolder:
    """A folder, for example "s3://bucket/folder", and the files in it by their names, such as "run/final.png".

    It can be empty, and need not exist. Raises DreamError if there is no package for this kind of store. All methods
    raise OutputError if the store cannot be reached, or refuses.
    """

    def __init__(self, url: str):
        self.url = re.sub(r"//[^/@]*@", "//", url).rstrip("/")  # without a password
        try:
            import fsspec

            self._store, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise DreamError(
                f'{self.url}: a package is missing ({short(str(error))}); pip install "dreamscripts[cluster]"'
            ) from None
        except Exception as error:  # of any store
            raise DreamError(f"{self.url}: cannot be used: {_words(error)}") from None
        self._root = str(root).rstrip("/")
        protocol = self._store.protocol
        self._is_atomic = not ATOMIC.isdisjoint([protocol] if isinstance(protocol, str) else protocol)

    def get(self, name: str) -> bytes | None:
        """Return the content of a file of at most 1 GiB, or None if it does not exist."""
        pieces: list[bytes] = []
        return b"".join(pieces) if self._read(name, pieces.append, LARGEST) else None

    def fetch(self, name: str, file: BinaryIO, most: int) -> int:
        """Write the content of a file into an open one. Returns its size in bytes.

        Raises OutputError if it does not exist, or has more than `most` bytes.
        """
        before = file.tell()
        if not self._read(name, file.write, most):
            raise OutputError(f"{self.url}/{name}: does not exist")
        return file.tell() - before

    def put(self, name: str, content: bytes) -> None:
        """Write a file, which has its old or its new content at any time."""
        with self._errors(name), self._written(name) as path:
            self._store.pipe_file(path, content)

    def push(self, local_file: Path, name: str) -> None:
        """Write a file with the content of one on this machine. It has its old or its new content at any time."""
        with self._errors(name), self._written(name) as path:
            self._store.put_file(str(local_file), path)

    def exists(self, name: str) -> bool:
        """Return whether a file exists."""
        with self._errors(name):
            self._store.invalidate_cache()
            return bool(self._store.isfile(self._path(name)))

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of all files that begin with `prefix`, also of those in folders, sorted."""
        folder = prefix.rpartition("/")[0]
        with self._errors(prefix):
            self._store.invalidate_cache()
            try:
                paths = self._store.find(self._path(folder).rstrip("/"))
            except FileNotFoundError:
                return []
        names = [path[len(self._root) + 1 :] for path in paths if path.startswith(f"{self._root}/")]
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Delete a file, if it exists."""
        with self._errors(name), suppress(FileNotFoundError):
            self._store.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _read(self, name: str, write: Callable[[bytes], object], most: int) -> bool:
        """Pass on a file piece by piece. Returns whether it exists. Raises OutputError if it is larger than `most`."""
        with self._errors(name):
            self._store.invalidate_cache()
            try:
                with self._store.open(self._path(name), "rb") as file:
                    while piece := file.read(PIECE):
                        most -= len(piece)
                        if most < 0:
                            raise OutputError(f"{self.url}/{name}: is too large")
                        write(piece)
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def _written(self, name: str) -> Iterator[str]:
        """Yield the path to write to. Where a reader could see half a file, it is renamed at the end."""
        path = self._path(name)
        if self._is_atomic:
            yield path
            return
        folder = path.rpartition("/")[0]
        self._store.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.dreamscripts-{secrets.token_hex(8)}.part"
        yield temporary
        self._store.mv(temporary, path)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """Turn the errors of a store into OutputErrors. Each kind of store has its own."""
        try:
            yield
        except DreamError:
            raise
        except Exception as error:
            raise OutputError(f"{self.url}/{name}: {_words(error)}") from None


def stamp(path: Path) -> tuple[int, int]:
    """Return the time and the size of a file, which are others when it has changed."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _words(error: Exception) -> str:
    """Return the message of a library in one line."""
    return short(" ".join(str(error).split())) or type(error).__name__
