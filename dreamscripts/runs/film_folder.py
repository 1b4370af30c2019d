"""The folder of a film in the making: its finished segments, its last frames, and the state to resume from."""

import os
import shutil
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from dreamscripts.atomic_files import (
    lock,
    make_folder,
    output_errors,
    remove_left_overs,
    sync,
    write_atomically,
)
from dreamscripts.errors import OutputError
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.runs.array_files import dump_array, load_array
from dreamscripts.runs.film_record import FilmFrame, FilmRecord, State, dump_state, read_state
from dreamscripts.runs.find_film import FILES, FRAMES, parts_of
from dreamscripts.runs.records import Damaged, check_plain_file, read_array, read_file, read_record
from dreamscripts.runs.run_folder import COST, RAREST
from dreamscripts.runs.run_record import check_unchanged, read_settings
from dreamscripts.runs.run_state import checksum
from dreamscripts.settings.schema import Settings

SEGMENT = 60  # frames
COMPRESSED, PACKED = (
    0.5,
    4.0,
)  # most bytes per pixel of a frame that is encoded, and of one that waits for its animation
ADVICE = "delete the folder and start again"


class FilmFolder:
    """The folder `<film>.parts`, which contains all that is needed to make the film. No file is ever half-written.

    Each frame is a file until there are enough of them for a segment. A process can be killed at any moment, and the
    power can fail: the state names the segments and frames that belong to the film, and all others are deleted when it
    is resumed. So the film has the same bytes as without the interruption.
    """

    def __init__(self, film: Path, settings: Settings, record: FilmRecord, unlock: Callable[[], None]):
        self.film = film
        self.folder = parts_of(film)
        self.settings = settings
        self.record = record
        self.release = weakref.finalize(self, unlock)
        self.last: FilmFrame | None = None
        self.notes: list[str] = []  # on the film, for the person
        self._kind = kind_of(film)
        self._segments: list[int] = []  # the checksum of each
        self._times: list[int] = []  # of the frames after the last segment
        self._checksums: list[int] = []  # of their files
        self._last_time = 0  # of the last frame
        self._in_state: FilmFrame | None = None
        self._next_checkpoint = 0.0

    @classmethod
    def create(cls, film: Path, settings: Settings, record: FilmRecord, start: np.ndarray | None) -> Self:
        """Create the folder for a new film. `start` is the first picture of a zoom, float32 (H, W, 3).

        Raises OutputError if the film or its folder exists, or if the disk has too little room for the film.
        """
        folder = parts_of(film)
        kind_of(film)
        if os.path.lexists(film):
            raise OutputError(f"{film}: already exists; choose another --output")
        if (folder / "film.json").exists():
            raise OutputError(f"{film}: this film has been begun; go on with it (--resume), or choose another --output")
        make_folder(folder)
        with output_errors(folder):
            made = cls(film, settings, record, lock(folder))
        try:
            _check_room(folder, film, record)
            write_atomically(folder / "settings.toml", settings.to_toml().encode())
            if start is not None:
                write_atomically(folder / "start.npy", dump_array(start))
            made._write_record()
        except BaseException:
            made.discard()
            raise
        return made

    @classmethod
    def reopen(cls, film: Path) -> Self:
        """Open an interrupted film. Its `last` is the frame to continue after, or None if no frame was saved.

        Raises OutputError if there is none, or if a file in its folder is damaged.
        """
        folder = parts_of(film)
        try:
            unlock = lock(folder)
        except OSError:
            whole = " (it is complete)" if film.exists() else ""
            raise OutputError(f"{film}: there is nothing to resume{whole}") from None
        try:
            remove_left_overs(folder)
            record = read_record(folder / "film.json", FilmRecord, ADVICE)
            settings = read_settings(folder / "settings.toml", ADVICE)
            check_unchanged(folder / "settings.toml", record.settings, "film.json")
        except BaseException:
            unlock()
            raise
        made = cls(film, settings, record, unlock)
        try:
            made._read_state()
        except BaseException:
            made.release()
            raise
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Unlock the folder, and delete it if no frame has been made."""
        if self.last is None:
            self.discard()
        self.release()

    @property
    def start(self) -> np.ndarray:
        """The first picture of a zoom, float32 (H, W, 3). Raises OutputError."""
        path = self.folder / "start.npy"
        start = read_array(path, (self.record.height, self.record.width, 3), ADVICE)
        if checksum(start) != self.record.checksum:
            raise Damaged(path, "its pixels are not those that the film was started with", ADVICE)
        return start

    @property
    def frames(self) -> int:
        """The number of frames that have been made."""
        return 0 if self.last is None else self.last.number + 1

    def save(self, frame: FilmFrame, time_of_frame: int) -> None:
        """Write a frame, and make a segment when there are enough. Make a checkpoint, unless the last one is recent."""
        content = dump_array(frame.pixels)
        write_atomically(self._frame_file(frame.number), content, durable=False)
        self._times.append(time_of_frame)
        self._checksums.append(zlib.crc32(content))
        self.last, self._last_time = frame, time_of_frame
        if len(self._times) == SEGMENT and not self._kind.is_animation:
            self._make_segment()
        elif time.monotonic() >= self._next_checkpoint:
            self._make_checkpoint()

    def finish(self, complete: bool) -> None:
        """Write the film of all frames so far, if there are any. If it is complete or has none, delete the folder."""
        if self.last is not None:
            if not complete:
                self._make_checkpoint()
            self.notes += self._write_film(complete)
        if complete or self.last is None:
            self.discard()

    def discard(self) -> None:
        """Delete the files of the film in the making, and their folder if it is then empty."""
        with suppress(OutputError):
            remove_left_overs(self.folder)
            _remove([path for pattern in FILES for path in self.folder.glob(pattern)])
        with suppress(OSError):
            self.folder.rmdir()

    def _write_film(self, complete: bool) -> list[str]:
        unit, rate = self.record.time_base.value, self.record.rate.value
        metadata = self.settings.to_toml()
        if self._kind.is_animation:
            from dreamscripts.film_files.animation import write_animation

            return write_animation(self.film, self._frames(), unit, self._kind, metadata=metadata)
        from dreamscripts.film_files.encoding import encode
        from dreamscripts.film_files.joining import join

        segments = [self._segment_file(number) for number in range(len(self._segments))]
        rest = self.folder / "rest.mp4"
        if self._times:
            encode(rest, self._frames(), unit, rate, self._kind)
            segments.append(rest)
        video = self.settings.video
        source, start, end = None, Fraction(0), None
        if video is not None and self.record.source is not None:
            source, start = Path(self.record.source), Fraction(video.start)
            end = None if video.end is None else Fraction(video.end)
            if not complete:  # the sound ends with the pictures
                end = start + self._last_time * unit + 1 / rate
        return join(self.film, segments, self._kind, metadata=metadata, sound_of=source, start=start, end=end)

    def _make_segment(self) -> None:
        """Encode the frames as a segment. They are deleted when the state names the segment."""
        from dreamscripts.film_files.encoding import encode

        record, made = self.record, list(self._frame_files())
        segment = self._segment_file(len(self._segments))
        encode(segment, self._frames(), record.time_base.value, record.rate.value, self._kind)
        self._segments.append(_checksum_of(segment))
        self._times.clear()
        self._checksums.clear()
        self._make_checkpoint()
        _remove(made)

    def _make_checkpoint(self) -> None:
        """Write the state, after all files that it names are on the disk."""
        if self.last is None or self.last is self._in_state:
            return
        began = time.monotonic()
        for path in self._frame_files():
            sync(path)
        self._write_record()
        sync(self.folder)
        state = State(self.last, self._last_time, tuple(self._segments), tuple(self._times), tuple(self._checksums))
        write_atomically(self.folder / "state.npz", dump_state(state))
        sync(self.folder)
        self._in_state = self.last
        now = time.monotonic()
        self._next_checkpoint = now + min((now - began) / COST, RAREST)

    def _read_state(self) -> None:
        """Read the state, and delete what is newer than it. Raises Damaged."""
        path = self.folder / "state.npz"
        if os.path.lexists(path):
            state = read_state(path, self.record, ADVICE)
            self.last = self._in_state = state.frame
            self._last_time, self._segments = state.time, list(state.segments)
            self._times, self._checksums = list(state.times), list(state.checksums)
        files = [*map(self._segment_file, range(len(self._segments))), *self._frame_files()]
        needed = dict(zip(files, [*self._segments, *self._checksums], strict=True))
        for file, expected in needed.items():
            check_plain_file(file, ADVICE)
            if _checksum_of(file) != expected:
                raise Damaged(file, "its content is not what was written", ADVICE)
        for pattern in FRAMES:
            _remove([file for file in self.folder.glob(pattern) if file not in needed])

    def _frames(self) -> Iterator[Frame]:
        """Read the frames that are in no segment."""
        for path, shown in zip(self._frame_files(), self._times, strict=True):
            pixels = read_file(path, load_array, ADVICE)
            if pixels.dtype != np.uint8 or pixels.shape != (self.record.height, self.record.width, 3):
                raise Damaged(path, f"it has the shape {pixels.shape} and the type {pixels.dtype}", ADVICE)
            yield Frame(pixels, shown)

    def _frame_files(self) -> list[Path]:
        return [self._frame_file(self.frames - len(self._times) + index) for index in range(len(self._times))]

    def _frame_file(self, number: int) -> Path:
        return self.folder / f"frame_{number:06d}.npy"

    def _segment_file(self, number: int) -> Path:
        return self.folder / f"segment_{number:04d}.mp4"

    def _write_record(self) -> None:
        write_atomically(self.folder / "film.json", self.record.model_dump_json(indent=1).encode())


def _checksum_of(path: Path) -> int:
    """Return the CRC-32 of a file."""
    found = 0
    with output_errors(path), path.open("rb") as file:
        while part := file.read(1 << 20):
            found = zlib.crc32(part, found)
    return found


def _check_room(folder: Path, film: Path, record: FilmRecord) -> None:
    """Raise OutputError if the disk is too small for a film."""
    most = PACKED if kind_of(film).is_animation else 2 * COMPRESSED  # segments, and the film that is made of them
    needed = record.frames * record.height * record.width * most
    with output_errors(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{film}: {record.frames} frames may need {needed / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left;"
            " use a smaller --size, or make a shorter film"
        )


def _remove(files: list[Path]) -> None:
    for file in files:
        with output_errors(file):
            file.unlink(missing_ok=True)
