"""Decode the frames of a film in the order of their times, as far as they can be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dreamscripts.errors import FilmError
from dreamscripts.film_files.opening import OpenFilm, opened, pyav

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

USUAL_RATE = Fraction(25)  # frames per second, if a film does not say
LATE = 1  # seconds: a shorter time before the first frame or sound can be meant
EARLIER = (1, 10)  # seconds before the first wanted frame, at which a keyframe is looked for
# Formats in which keyframes are marked and can be found by their times.
INDEXED = {"mov", "matroska", "avi", "mpegts", "mpeg", "asf", "flv", "ogg", "mxf", "nut"}


@dataclass
class Damage:
    """What could not be read of a film."""

    since: int = -(2**63)
    """The time stamp of the first frame that matters. Before it, frames after a keyframe may lack others."""
    packets: int = 0
    """The number of packets that could not be decoded, and of frames that were decoded with errors."""
    first: Fraction | None = None
    """The time up to which there is no damage, in seconds from the beginning of the film."""
    ended: bool = False
    """Whether the file could not be read to its end."""
    times: bool = False
    """Whether the times of some frames were not increasing and had to be changed."""
    reached: Fraction = Fraction(0)
    """The time at which the last frame ends, in seconds from the beginning of the film."""

    def forget(self, since: int) -> None:
        """Begin again, for a film in which frames before the time stamp `since` do not matter."""
        vars(self).update(vars(Damage(since)))

    def notes(self, expected: Fraction | None) -> Iterator[str]:
        """Say what could not be read. `expected` is when the film should end at the earliest, if that is known."""
        if self.ended or (expected is not None and self.reached < expected):
            yield f"it is cut off or damaged: its pictures end after {float(self.reached):.1f} s"
        elif self.packets:
            yield (
                f"it is damaged: {self.packets} of its frames are missing or have errors, "
                f"the first after {float(self.first or 0):.1f} s"
            )
        elif self.times:
            yield "the times of some of its frames did not increase; they were changed"


class Decoded(NamedTuple):
    """A frame as FFmpeg decodes it."""

    frame: "VideoFrame"
    pts: int
    """Its time in units of the stream's time base."""
    time: Fraction
    """Its time in seconds from the beginning of the film."""


def between(path: Path, start: Fraction, end: Fraction | None, damage: Damage) -> Iterator[Decoded]:
    """Decode the frames of a film with `start` <= time < `end`, in seconds. With `start` 0, no frame is left out.

    A frame is the same, whatever `start` and `end` are. The times increase. `damage` is filled meanwhile. Raises
    FilmError if the film cannot be opened.
    """
    for frame in _from_before(path, start, damage):
        if end is not None and frame.time >= end:
            return
        if frame.time >= start or not start:
            yield frame


def _from_before(path: Path, start: Fraction, damage: Damage) -> Iterator[Decoded]:
    """Decode a film from the beginning, or from a keyframe before the time `start` if no frame can be lost by that."""
    for earlier in EARLIER:
        if start > earlier:
            with opened(path) as film:
                damage.forget(ticks(film, start))
                frames = _from_keyframe(film, ticks(film, start - earlier), damage)
                if frames is not None:
                    yield from frames
                    return
    with opened(path) as film:
        damage.forget(damage.since)
        yield from _from_packets(film, film.container.demux(film.stream), damage)


def _from_keyframe(film: OpenFilm, at: int, damage: Damage) -> Iterator[Decoded] | None:
    """Decode from the keyframe before the time stamp `at`. Return None if a frame since `damage.since` may be lost."""
    if INDEXED.isdisjoint(film.container.format.name.split(",")):
        return None
    try:
        film.container.seek(at, stream=film.stream)
        packets = film.container.demux(film.stream)
        keyframe = next((packet for packet in packets if packet.is_keyframe), None)
    except pyav().FFmpegError:
        return None
    if keyframe is None or keyframe.pts is None or keyframe.pts > damage.since:
        return None
    frames = _from_packets(film, chain([keyframe], packets), damage)
    first = next(frames, None)
    # A stream that is refreshed part by part gives its first frame later than its keyframe.
    return chain([first], frames) if first is not None and first.pts <= damage.since else None


def _from_packets(film: OpenFilm, packets: "Iterator[Packet]", damage: Damage) -> Iterator[Decoded]:
    """Decode packets, and give frames without a usable time one."""
    second, step = round(1 / time_base_of(film.stream)), frame_ticks(film.stream)
    last: int | None = None
    for frame in _frames(film, packets, damage):
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is None:
            pts = 0 if last is None else last + step
        elif last is not None and pts <= last:
            damage.times = True
            pts = last + (1 if last - pts < second else step)
        last = pts
        damage.reached = seconds(film, pts + (frame.duration or step))
        yield Decoded(frame, pts, seconds(film, pts))


def _frames(film: OpenFilm, packets: "Iterator[Packet]", damage: Damage) -> "Iterator[VideoFrame]":
    """Decode packets as far as they can be read, and go on after damaged packets."""
    for packet in chain(readable(packets, damage), [None]):  # None asks for the frames that are left
        try:
            frames = film.decoder.decode(packet)
        except MemoryError:
            raise FilmError(f"{film.path}: the memory is too small for its frames; make it smaller first") from None
        except EOFError:  # the packets had ended with None, too
            return
        except (pyav().FFmpegError, ValueError):
            _count(damage, packet.pts if packet is not None else None)
            continue
        if packet is not None and packet.is_corrupt and not any(frame.is_corrupt for frame in frames):
            _count(damage, packet.pts)
        for frame in frames:
            if frame.is_corrupt:
                _count(damage, frame.pts)
            yield frame


def readable(packets: "Iterator[Packet]", damage: Damage) -> "Iterator[Packet]":
    """Yield packets until the file cannot be read any further. Write that into `damage`."""
    try:
        yield from packets
    except (pyav().FFmpegError, OSError):
        damage.ended = True


def _count(damage: Damage, pts: int | None) -> None:
    if pts is not None and pts < damage.since:
        return
    if not damage.packets:
        damage.first = damage.reached
    damage.packets += 1


def origin(container: "InputContainer") -> Fraction:
    """Return the time at which a film begins, on the clock of its file, in seconds."""
    return max(Fraction(container.start_time or 0, 1_000_000), Fraction(0))


def clock_of(container: "InputContainer") -> Fraction:
    """Return the time in the file that counts as 0, in seconds: 0, or the beginning of a film that begins late.

    Such a film has the clock of a broadcast or a recorder. Players would wait, if a copy of it began as late.
    """
    begins = origin(container)
    return begins if begins >= LATE else Fraction(0)


def seconds(film: OpenFilm, pts: int) -> Fraction:
    """Return the time of a frame, in seconds from the beginning of the film."""
    return pts * time_base_of(film.stream) - origin(film.container)


def ticks(film: OpenFilm, time: Fraction) -> int:
    """Return the last time stamp of a stream that is not after a time in seconds from the beginning of the film."""
    return int((time + origin(film.container)) // time_base_of(film.stream))


def time_base_of(stream: "VideoStream") -> Fraction:
    """Return the unit of a stream's times, in seconds."""
    return Fraction(stream.time_base or 1)


def rate_of(stream: "VideoStream") -> Fraction:
    """Return the mean number of frames per second."""
    return Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or USUAL_RATE)


def frame_ticks(stream: "VideoStream") -> int:
    """Return the mean duration of a frame in units of the stream's time base."""
    return max(1, round(1 / rate_of(stream) / time_base_of(stream)))
