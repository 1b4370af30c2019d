"""The record of a film in the making, film.json, and its state, state.npz. Nothing in these files is trusted."""

import io
import zlib
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from dreamscripts.dreams.films.frames import VideoFrame, ZoomFrame
from dreamscripts.runs.array_files import load_arrays
from dreamscripts.runs.records import Damaged, Record, parse_record, read_file
from dreamscripts.runs.run_record import ChoicesRecord

FilmFrame = ZoomFrame | VideoFrame
FRAMES: dict[str, type[ZoomFrame] | type[VideoFrame]] = {"zoom": ZoomFrame, "video": VideoFrame}
TYPES = {
    **dict.fromkeys(("picture", "start", "added"), (np.float32, (3,))),
    **{"pixels": (np.uint8, (3,)), "luma": (np.uint8, ()), "new": (np.float32, ())},
}
"""The type and the channels of each array in a frame."""


class Ratio(Record):
    """A fraction above 0."""

    numerator: int = Field(ge=1)
    denominator: int = Field(ge=1)

    @classmethod
    def of(cls, value: Fraction) -> "Ratio":
        """Describe a fraction."""
        return cls(numerator=value.numerator, denominator=value.denominator)

    @property
    def value(self) -> Fraction:
        """The fraction."""
        return Fraction(self.numerator, self.denominator)


class FilmRecord(Record):
    """The content of film.json."""

    kind: Literal["zoom", "video"]
    source: str | None
    """The path of the photograph or film, to show and to compare. None: the zoom starts from noise."""
    checksum: int
    """Of the start picture of a zoom, or of the film under a video."""
    settings: dict[str, Any]
    height: int = Field(ge=2, le=20_000)
    width: int = Field(ge=2, le=20_000)
    time_base: Ratio
    """The unit of the times of the frames, in seconds."""
    rate: Ratio
    """Frames per second, on average."""
    frames: int = Field(ge=1)
    """The number of frames: an estimate if the film under a video does not contain it."""
    choices: ChoicesRecord | None = None
    device: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """The last frame of a film, and where it and those before it are."""

    frame: FilmFrame
    time: int  # of this frame, in the film's time base
    segments: tuple[int, ...]  # the CRC-32 of each file with frames before `times`
    times: tuple[int, ...]  # of the frames that are in no segment, in the film's time base
    checksums: tuple[int, ...]  # the CRC-32 of the files of these frames


class Facts(Record):
    """A state without its arrays."""

    frame: dict[str, int | float]
    time: int
    segments: list[int]
    times: list[int]
    checksums: list[int]
    checksum: int = 0
    """The CRC-32 of the arrays and the other facts."""


def dump_state(state: State) -> bytes:
    """Return the content of state.npz."""
    values = {field.name: getattr(state.frame, field.name) for field in fields(state.frame)}
    arrays = {name: value for name, value in values.items() if name in TYPES}
    numbers = {name: value for name, value in values.items() if name not in TYPES}
    facts = Facts(
        frame=numbers,
        time=state.time,
        segments=list(state.segments),
        times=list(state.times),
        checksums=list(state.checksums),
    )
    facts.checksum = _checksum(facts, arrays)
    buffer = io.BytesIO()
    np.savez(buffer, facts=facts.model_dump_json(), **arrays)
    return buffer.getvalue()


def read_state(path: Path, record: FilmRecord, advice: str) -> State:
    """Read state.npz. Raises Damaged, and OutputError if there is too little memory."""
    arrays = read_file(path, load_arrays, advice)
    kind = FRAMES[record.kind]
    names = {field.name for field in fields(kind)}
    facts = parse_record(str(arrays.pop("facts", "")), path, Facts, advice)
    if arrays.keys() != names & TYPES.keys() or facts.frame.keys() != names - TYPES.keys():
        raise Damaged(path, f"it is not the state of a {record.kind}", advice)
    for name, array in arrays.items():
        dtype, channels = TYPES[name]
        if array.dtype != dtype or array.shape != (record.height, record.width, *channels):
            raise Damaged(path, f"'{name}' has the shape {array.shape} and the type {array.dtype}", advice)
    if facts.checksum != _checksum(facts, arrays):
        raise Damaged(path, "its numbers are not those that the run wrote", advice)
    if len(facts.times) != len(facts.checksums) or len(facts.times) > facts.frame["number"] + 1:
        raise Damaged(path, "it names other frames than there are", advice)
    frame = kind(**facts.frame, **arrays)  # type: ignore[arg-type]
    return State(frame, facts.time, tuple(facts.segments), tuple(facts.times), tuple(facts.checksums))


def _checksum(facts: Facts, arrays: dict[str, np.ndarray]) -> int:
    found = zlib.crc32(facts.model_dump_json(exclude={"checksum"}).encode())
    for name in sorted(arrays):
        found = zlib.crc32(np.ascontiguousarray(arrays[name]).tobytes(), found)
    return found
