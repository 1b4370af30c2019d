"""Read the files of an output folder. Anybody may have changed them, so nothing in them is trusted."""

import os
import stat
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dreamscripts.errors import OutputError, plain_words
from dreamscripts.runs.array_files import read_array

LARGEST = 1 << 28  # bytes of a record; a trial of 100,000 passes has 20 MB


class Record(BaseModel):
    """A record, or a part of one. It has exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")


Kind = TypeVar("Kind", bound=Record)


class Damaged(OutputError):
    """A file of an output folder that cannot be used."""

    def __init__(self, path: Path, problem: str, advice: str):
        super().__init__(f"{path}: is damaged: {problem}; {advice}")
        self.path, self.problem = path, problem


def read_record(path: Path, kind: type[Kind], advice: str) -> Kind:
    """Read a JSON file as a record. `advice` says what can be done if it is damaged. Raises Damaged."""
    return parse_record(_read(path, advice), path, kind, advice)


def parse_record(content: bytes | str, path: Path, kind: type[Kind], advice: str) -> Kind:
    """Parse JSON from a file as a record. Raises Damaged."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {plain_words(first['msg'])}" if place else plain_words(first["msg"])
        raise Damaged(path, problem, advice) from None


def read_pictures(path: Path, shape: tuple[int | None, ...], advice: str) -> np.ndarray:
    """Read a .npy file of finite float32 numbers. A side of `shape` that is None can be any. Raises Damaged."""
    if not is_plain_file(path):
        raise Damaged(path, "it is missing, or not a plain file", advice)
    try:
        with path.open("rb") as file:
            array = read_array(file, path.stat().st_size)
    except (OSError, ValueError) as error:
        raise Damaged(path, str(error), advice) from None
    fits = array.dtype == np.float32 and array.ndim == len(shape)
    if not fits or any(wanted not in (None, side) for wanted, side in zip(shape, array.shape, strict=True)):
        raise Damaged(path, f"it has the shape {array.shape} and the type {array.dtype}", advice)
    if not np.isfinite(array).all():
        raise Damaged(path, "it has values that are not finite numbers", advice)
    return array


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a file with content: not a link, a folder, a pipe or a device."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _read(path: Path, advice: str) -> bytes:
    if not is_plain_file(path):
        raise Damaged(path, "it is empty, or not a plain file", advice)
    if path.stat().st_size > LARGEST:
        raise Damaged(path, "it is too large", advice)
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or os.strerror(error.errno or 0)}") from None
