"""What the header of a film says: its times, its streams, and what is unusual about its pictures."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dreamscripts.film_files.decoding import (
    Damage,
    clock_of,
    frame_ticks,
    origin,
    rate_of,
    readable,
    seconds,
    time_base_of,
)
from dreamscripts.film_files.opening import OpenFilm, opened, video_streams

if TYPE_CHECKING:
    from av.video.stream import VideoStream

MICROSECOND = Fraction(1, 1_000_000)
HDR = {16: "PQ", 18: "HLG"}  # FFmpeg's numbers of transfer functions
TOLERANCE = Fraction(1, 2)  # seconds by which pictures may end before the duration of their stream
TOLERANCE_OF_FILE = Fraction(2)  # the same before the duration of the file, which may be that of its sound
DURATION = re.compile(r"(\d+):(\d+):(\d+(?:\.\d+)?)")  # hours, minutes, seconds


@dataclass(frozen=True)
class Facts:
    """The facts in the header of a film. Times are in seconds from its beginning."""

    time_base: Fraction
    """The unit of the times of frames, in seconds."""
    clock: Fraction
    """The time in the file that counts as 0, in seconds."""
    rate: Fraction
    """The mean number of frames per second."""
    frames: int
    """The number of frames, or 0 if the header does not say it."""
    ends: Fraction
    """When the last frame ends: an estimate if the header does not say it."""
    expected: Fraction | None
    """The earliest end of the last frame, unless the film is cut off. None if the header does not say it."""
    aspect: Fraction
    """The width of a pixel divided by its height."""
    has_sound: bool
    has_subtitles: bool
    notes: list[str]


def facts_of(path: Path) -> Facts:
    """Read the header of a film. Raises FilmError if it cannot be used."""
    with opened(path) as film:
        stream = film.stream
        ends, tolerance = _end(film)
        return Facts(
            time_base=time_base_of(stream),
            clock=clock_of(film.container),
            rate=rate_of(stream),
            frames=stream.frames,
            ends=ends if ends is not None else _end_by_packets(film),
            expected=None if ends is None else ends - tolerance,
            aspect=max(Fraction(stream.sample_aspect_ratio or 1), Fraction(0)) or Fraction(1),
            has_sound=bool(film.container.streams.audio),
            has_subtitles=bool(film.container.streams.subtitles),
            notes=_notes(film),
        )


def _end(film: OpenFilm) -> tuple[Fraction | None, Fraction]:
    """Return when the pictures end, and by how much the header may be wrong."""
    stream, container = film.stream, film.container
    if stream.duration:
        return seconds(film, (stream.start_time or 0) + stream.duration), TOLERANCE
    if match := DURATION.match(stream.metadata.get("DURATION", "")):  # in Matroska
        hours, minutes, rest = match.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest) - origin(container), TOLERANCE
    if container.duration:
        return container.duration * MICROSECOND, TOLERANCE if len(container.streams) == 1 else TOLERANCE_OF_FILE
    return None, Fraction(0)


def _end_by_packets(film: OpenFilm) -> Fraction:
    """Read a whole film, without decoding it, to estimate when its pictures end."""
    packets = sum(1 for packet in readable(film.container.demux(film.stream), Damage()) if packet.size)
    return packets * frame_ticks(film.stream) * time_base_of(film.stream)


def _notes(film: OpenFilm) -> list[str]:
    """Return what is unusual about the pictures of a film."""
    notes = []
    streams = len(video_streams(film.container))
    if streams > 1:
        notes.append(f"it contains {streams} streams of pictures, of which the default or the first is used")
    bits = _bits(film.stream)
    if bits > 8:
        notes.append(f"its {bits} bits per colour are converted to 8")
    transfer = HDR.get(film.stream.codec_context.color_trc)
    if transfer:
        notes.append(f"it is in HDR ({transfer}): its colours will look pale; convert it to SDR first")
    return notes


def _bits(stream: "VideoStream") -> int:
    pixel_format = stream.codec_context.format
    return max((component.bits for component in pixel_format.components), default=8) if pixel_format else 8
