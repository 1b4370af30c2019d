"""Arrays in NumPy's formats .npy and .npz, in files that anybody may have changed.

NumPy itself allocates what a header asks for, and parses headers as Python. Here, a header must have the form that
NumPy writes, and the size of the file must be the size of its array before memory is allocated.
"""

import io
import math
import re
import struct
import zipfile
from typing import IO

import numpy as np

MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    rb"\{'descr': '([<>|][biufcU]\d{1,6})', 'fortran_order': (False|True), 'shape': \(((?:\d+, ?)*(?:\d+)?)\), \} *\n"
)
ARCHIVE_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, struct.error)


def load_array(file: IO[bytes], size: int) -> np.ndarray:
    """Read an array of numbers, or a text, from a .npy file of `size` bytes. Raises ValueError if it is damaged."""
    start = file.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 2:
        raise ValueError("it is not an array in NumPy's format")
    header = HEADER.fullmatch(file.read(int.from_bytes(start[len(MAGIC) :], "little")))
    if header is None:
        raise ValueError("its header is not one that NumPy writes for numbers")
    try:
        dtype = np.dtype(header[1].decode())
    except TypeError:
        raise ValueError(f"it has numbers of an unknown type, {header[1].decode()}") from None
    shape = tuple(int(side) for side in header[3].split(b",") if side.strip())
    count = math.prod(shape)
    if count * dtype.itemsize != size - file.tell() or not count * dtype.itemsize:
        raise ValueError("its size is not that of its array; it was cut or changed")
    array = np.empty(count, dtype)
    if file.readinto(array.view(np.uint8)) != array.nbytes:  # type: ignore[attr-defined]
        raise ValueError("it ends too early")
    return array.reshape(shape, order="F" if header[2] == b"True" else "C")


def dump_array(array: np.ndarray) -> bytes:
    """Return the content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def load_arrays(file: IO[bytes], size: int) -> dict[str, np.ndarray]:
    """Read all arrays of an uncompressed .npz file of `size` bytes. Raises ValueError if it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("it is compressed, which no run writes")
            if sum(entry.file_size for entry in entries) > size:
                raise ValueError("it claims to contain more than its size")
            arrays = {}
            for entry in entries:
                with archive.open(entry) as part:
                    arrays[entry.filename.removesuffix(".npy")] = load_array(part, entry.file_size)
            return arrays
    except ARCHIVE_ERRORS as error:
        raise ValueError(f"it is not a whole archive ({error})") from None
