"""Read the files of an output folder. Anybody may have changed them, so nothing in them is trusted."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import OutputError, plain_words
from dreamscripts.runs.array_files import load_array

LARGEST = 1 << 28  # bytes of a record; a trial of 100,000 passes has 20 MB


class Record(BaseModel):
    """A record, or a part of one. It has exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")


Kind = TypeVar("Kind", bound=Record)
Content = TypeVar("Content")


class Damaged(OutputError):
    """A file of an output folder that cannot be used."""

    def __init__(self, path: Path, problem: str, advice: str):
        super().__init__(f"{path}: is damaged: {problem}; {advice}")
        self.path, self.problem = path, problem


def read_record(path: Path, kind: type[Kind], advice: str) -> Kind:
    """Read a JSON file as a record. `advice` says what can be done if it is damaged. Raises Damaged."""
    return parse_record(read_file(path, _whole, advice), path, kind, advice)


def parse_record(content: bytes | str, path: Path, kind: type[Kind], advice: str) -> Kind:
    """Parse JSON from a file as a record. Raises Damaged."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {plain_words(first['msg'])}" if place else plain_words(first["msg"])
        raise Damaged(path, problem, advice) from None


def read_array(path: Path, shape: tuple[int | None, ...], advice: str) -> np.ndarray:
    """Read a .npy file of finite float32 numbers. A side of `shape` that is None can be any.

    Raises Damaged, and OutputError if there is too little memory.
    """
    array = read_file(path, load_array, advice)
    fits = array.dtype == np.float32 and array.ndim == len(shape)
    if not fits or any(wanted not in (None, side) for wanted, side in zip(shape, array.shape, strict=True)):
        raise Damaged(path, f"it has the shape {array.shape} and the type {array.dtype}", advice)
    if not np.isfinite(array).all():
        raise Damaged(path, "it has values that are not finite numbers", advice)
    return array


def read_file(path: Path, load: Callable[[IO[bytes], int], Content], advice: str) -> Content:
    """Load a file by `load(file, size)`, which raises ValueError if it is damaged.

    Raises Damaged, and OutputError if there is too little memory.
    """
    check_plain_file(path, advice)
    try:
        size, free = path.stat().st_size, free_memory()
        if size > free:
            raise OutputError(f"{path}: needs {size / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free")
        with path.open("rb") as file:
            return load(file, size)
    except ValueError as error:
        raise Damaged(path, str(error), advice) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from None


def check_plain_file(path: Path, advice: str) -> None:
    """Raise Damaged if a path is not a file with content."""
    if not is_plain_file(path):
        problem = "it is empty, or not a plain file" if os.path.lexists(path) else "it is missing"
        raise Damaged(path, problem, advice)


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a file with content: not a link, a folder, a pipe or a device."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _whole(file: IO[bytes], size: int) -> bytes:
    if size > LARGEST:
        raise ValueError("it is too large")
    return file.read()
