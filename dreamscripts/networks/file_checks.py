"""Check model and weights files before they are read. They may come from a stranger.

A few megabytes can unpack to gigabytes, and an HDF5 file can refer to other files, which would then be read.
"""

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import NetworkError, did_you_mean, short
from dreamscripts.regular_files import open_regular

if TYPE_CHECKING:
    import h5py

# Keras stores weights without compression. Weights that were compressed later take a tenth of the space or more.
EXPANSION = 100
ALWAYS = 16 * 2**20  # bytes that a file of any size may unpack to
FILTERS = {1, 2, 3, 4, 5, 6, 32000}  # HDF5's own compression and LZF; for another one, HDF5 loads a plug-in
ZIPPED = "a model that Keras saved as .keras"


def check_plain_file(path: Path, kind: str) -> None:
    """Raise NetworkError if `path` is not a readable file with content. `kind` is "model" or "weights"."""
    with open_regular(path, NetworkError, f"{kind} file") as file:
        if not os.fstat(file.fileno()).st_size:
            raise NetworkError(f"{path}: is an empty file")


def check_weights_file(path: Path) -> None:
    """Raise NetworkError if `path` is not a readable weights file with content. It may be a misspelled word."""
    if not os.path.exists(path):  # noqa: PTH110 - for any text, also a very long one
        raise NetworkError(f"{path}: there is no such weights file{did_you_mean(path.name, ['imagenet', 'random'])}")
    check_plain_file(path, "weights")


def check_unpacked(path: Path, unpacked: int) -> None:
    """Raise NetworkError if the content of a file is too large: `unpacked` bytes."""
    packed = path.stat().st_size
    if unpacked > EXPANSION * packed + ALWAYS:
        raise NetworkError(
            f"{path}: has {packed / 1e6:.1f} MB but unpacks to {unpacked / 1e9:.1f} GB, so it was not written by Keras "
            "or NumPy for a network"
        )
    if unpacked > (free := free_memory()):
        raise NetworkError(f"{path}: needs {unpacked / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free")


@contextmanager
def open_zip(path: Path, kind: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive after its listing was checked. Reads no entry beyond its listed size.

    Raises NetworkError, also for an error while it is read: "is not {kind}, or is damaged".
    """
    with _damage(path, kind), zipfile.ZipFile(path) as archive:
        check_unpacked(path, sum(entry.file_size for entry in archive.infolist()))
        yield archive


@contextmanager
def open_hdf5(path: Path, kind: str, content: bytes | None = None) -> Iterator["h5py.File"]:
    """Open an HDF5 file after its listing was checked. `content` are its bytes, if it is inside the archive `path`.

    Raises NetworkError, also for an error while it is read: "is not {kind}, or is damaged".
    """
    import h5py

    with _damage(path, kind), h5py.File(path if content is None else BytesIO(content), "r") as file:
        check_unpacked(path, sum(math.prod(part.shape) * part.dtype.itemsize for part in _datasets(file, path)))
        yield file


@contextmanager
def _damage(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except NetworkError:
        raise
    except Exception:  # zipfile, NumPy and h5py raise errors of many kinds for damaged files
        raise NetworkError(f"{path}: is not {kind}, or is damaged") from None


def _datasets(file: "h5py.File", path: Path) -> Iterator["h5py.Dataset"]:
    """Yield the datasets in an HDF5 file. Raises NetworkError if it refers to other files, or needs a plug-in."""
    import h5py

    seen, groups = set(), [file]
    while groups:
        group = groups.pop()
        _check_names(group, path)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise NetworkError(f"{path}: '{short(name)}' in it is a link to another place, which is not followed")
            part = group[name]
            place = h5py.h5o.get_info(part.id).addr
            if place in seen:
                raise NetworkError(f"{path}: '{short(name)}' in it has a second name, which Keras never writes")
            seen.add(place)
            if isinstance(part, h5py.Group):
                groups.append(part)
            elif isinstance(part, h5py.Dataset):
                creation = part.id.get_create_plist()
                filters = {creation.get_filter(number)[0] for number in range(creation.get_nfilters())}
                if part.external or part.is_virtual or part.dtype.hasobject or not filters <= FILTERS:
                    raise NetworkError(
                        f"{path}: '{short(name)}' in it is not an array of numbers that Keras wrote; "
                        "it may be in other files"
                    )
                yield part


def _check_names(group: "h5py.Group", path: Path) -> None:
    """Raise NetworkError if a list of names in an older file has a name twice, which would be read twice."""
    for key in ("layer_names", "weight_names"):
        listed = [name for part in group.attrs if part.startswith(key) for name in group.attrs[part]]
        names = [name.decode() if isinstance(name, bytes) else name for name in listed]
        if len(set(names)) < len(names) or any({"", ".", ".."} & set(name.split("/")) for name in names):
            raise NetworkError(f"{path}: its list of {key} is damaged")


def numbers_in(file: "h5py.File", path: Path) -> int:
    """Count the numbers in all datasets of an HDF5 file, which is in `path`."""
    return sum(math.prod(part.shape) for part in _datasets(file, path))
