"""The state of a run, state.npz: the iterate to resume from. Nothing in the file is trusted."""

import io
import os
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.optimizers.optimize import accepts_state
from dreamscripts.registry import SCHEDULES
from dreamscripts.runs.array_files import load_arrays
from dreamscripts.runs.records import Damaged, parse_record, read_array, read_file
from dreamscripts.runs.run_record import Facts, Row
from dreamscripts.settings.schema import Settings

PREFIX = "memory "  # of the optimizer's arrays


def dump_state(iterate: Iterate, others: Mapping[str, np.ndarray] = MappingProxyType({})) -> bytes:
    """Return the content of state.npz for an iterate, with `others`: further arrays by name."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"{PREFIX}{name}": np.asarray(array) for name, array in iterate.state.items()}
    arrays.update(others)
    facts = Facts.of(iterate)
    facts.checksum = _checksum_of_state(iterate.x, facts, arrays)
    np.savez(buffer, x=iterate.x, rest=facts.model_dump_json(), **arrays)
    return buffer.getvalue()


def read_state(path: Path) -> Iterate | None:
    """Read state.npz. Returns None if it is missing. Raises Damaged, and OutputError if there is too little memory."""
    return read_iterate(path, ())[0] if os.path.lexists(path) else None


def read_iterate(path: Path, names: Collection[str]) -> tuple[Iterate, dict[str, np.ndarray]]:
    """Read an iterate, and the further arrays with these names. Raises Damaged and OutputError."""
    arrays = read_file(path, load_arrays, "")
    try:
        x, rest = arrays.pop("x"), arrays.pop("rest")
        if rest.dtype.kind != "U" or not all(name.startswith(PREFIX) or name in names for name in arrays):
            raise ValueError("it contains something else than a state")
        facts = parse_record(str(rest), path, Facts, "")
        if x.dtype not in (np.float32, np.float64) or not np.isfinite(x).all():
            raise ValueError("its picture has values that are not finite numbers")
        if any(array.dtype.kind == "U" for array in arrays.values()):
            raise ValueError("the optimizer's state contains something else than numbers")
        if facts.checksum not in (None, _checksum_of_state(x, facts, arrays)):
            raise ValueError("its numbers are not those that the run wrote")
        others = {name: arrays.pop(name) for name in names}
    except KeyError as error:
        raise Damaged(path, f"{error} is missing", "") from None
    except ValueError as error:
        raise Damaged(path, str(error), "") from None
    state = {name.removeprefix(PREFIX): array for name, array in arrays.items()}
    return Iterate(x=x, state=state, **facts.model_dump(exclude={"checksum"})), others


def _checksum_of_state(x: np.ndarray, facts: Facts, arrays: Mapping[str, np.ndarray]) -> int:
    """Return the CRC-32 of the facts, except the checksum in them, and of all arrays with their names."""
    found = zlib.crc32(facts.model_dump_json(exclude={"checksum"}).encode())
    for name, array in {"x": x, **arrays}.items():
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), zlib.crc32(f"{name} {array.dtype}".encode(), found))
    return found


def checksum(picture: np.ndarray) -> int:
    """Return the CRC-32 of a start picture."""
    return zlib.crc32(np.ascontiguousarray(picture).data)


def read_start(path: Path, settings: Settings, expected: int | None) -> np.ndarray:
    """Read start.npy, the start picture: float32 (H, W, 3). `expected` is its checksum, None if it is not known.

    Raises Damaged, and OutputError if there is too little memory.
    """
    start = read_array(path, (None, None, 3), "")
    if settings.size is not None and max(start.shape[:2]) != settings.size:
        raise Damaged(path, f"its size is {start.shape[1]}×{start.shape[0]}, but the settings say {settings.size}", "")
    if expected is not None and checksum(start) != expected:
        raise Damaged(path, "its pixels are not those that the run was started with", "")
    return start


def check_state(last: Iterate, path: Path, settings: Settings, start: tuple[int, ...], rows: list[Row]) -> None:
    """Raise Damaged if a state does not fit the settings, the shape of the start picture, and the record."""
    problem = _misfit(last, settings, start) or _other_row(last, rows)
    if problem:
        raise Damaged(path, problem, "")


def ends_run(last: Iterate, settings: Settings) -> bool:
    """Return whether an iterate is the last of its run."""
    return last.ends_octave and last.octave == settings.octaves.count - 1


def _misfit(last: Iterate, settings: Settings, start: tuple[int, ...]) -> str | None:
    octaves, each = settings.octaves.count, settings.optimizer.iterations
    first, end = last.octave * each, (last.octave + 1) * each
    at_start = last.iteration == 0
    if last.octave >= octaves or not (at_start or first < last.iteration <= end):
        return f"the settings have no iteration {last.iteration} in octave {last.octave}"
    if last.ends_octave if at_start else (last.iteration == end and not last.ends_octave):
        return f"iteration {last.iteration} is at the wrong place of its octave"
    entry = SCHEDULES[settings.octaves.kind]
    sizes = entry.schedule.sizes_of((start[0], start[1]), settings.octaves)
    size = start[:2] if entry.returns and ends_run(last, settings) else sizes[last.octave]
    if last.x.shape != (*size, 3):
        return f"its picture has the shape {last.x.shape}, not {(*size, 3)}"
    if at_start or last.ends_octave:
        return None  # the next iteration starts without a state
    accepted = accepts_state(last.state, settings.optimizer, last.x.shape)
    return None if accepted else f"its arrays are not those of {settings.optimizer.name} in the middle of an octave"


def _other_row(last: Iterate, rows: list[Row]) -> str | None:
    """Say that the record has other values for the iterate of the state, if this is so."""
    row = next((row for row in rows if row.iteration == last.iteration), None)
    if row is None:
        return f"run.json has no iteration {last.iteration}"
    in_record, in_state = (facts.model_dump_json(exclude={"seconds"}) for facts in (row, Row.of(last)))
    return None if in_record == in_state else f"run.json has other values for iteration {last.iteration}"
