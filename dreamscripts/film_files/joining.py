"""Join segments into a film, with the sound and the subtitles of another film, without decoding anything."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from heapq import merge
from operator import attrgetter
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from dreamscripts.errors import FilmError
from dreamscripts.film_files.copying import Sound, Timed, Track, unit_of
from dreamscripts.film_files.kinds import Kind
from dreamscripts.film_files.metadata import COMMENT
from dreamscripts.film_files.muxing import Refused, exact_times, muxer, with_durations
from dreamscripts.film_files.opening import opened

# FFmpeg must not move the pictures when the sound begins before them, as it does in most films.
UNMOVED = {"avoid_negative_ts": "disabled"}


def join(
    path: str | Path,
    segments: Sequence[Path],
    kind: Kind,
    *,
    metadata: str = "",
    sound_of: Path | None = None,
    start: float | Fraction = 0,
    end: float | Fraction | None = None,
) -> list[str]:
    """Write the segments of `encode`, one after the other, to a film. Return notes on what it lacks.

    The sound and the subtitles of the film `sound_of` are copied unchanged, from `start` to `end` in seconds from its
    beginning, to the times that they have in relation to the pictures. `metadata`, usually settings in TOML, becomes
    the comment of the film. The memory does not depend on the length. Raises OutputError if the film cannot be
    written, and FilmError if a segment or `sound_of` cannot be read, or if the segments do not fit together.
    """
    if sound_of is None:
        return _write(path, segments, kind, metadata, None)
    with opened(sound_of) as film:
        sound = Sound(film, kind, _exact(start), None if end is None else _exact(end))
        try:
            return _write(path, segments, kind, metadata, sound)
        except Refused as error:  # a packet is damaged, for example
            if not sound.streams:
                raise
            note = f"the sound and the subtitles of {sound_of} are left out, because they cannot be copied ({error})"
    return [note, *_write(path, segments, kind, metadata, None)]


def _exact(seconds: float | Fraction) -> Fraction:
    """Return a number of seconds, such as 0.1, exactly, although the number with floating point is not exact."""
    return Fraction(seconds).limit_denominator(1_000_000)


def _write(path: str | Path, segments: Sequence[Path], kind: Kind, metadata: str, sound: Sound | None) -> list[str]:
    with opened(segments[0]) as film:
        copied = sound.streams if sound else []
        options = exact_times(*(unit_of(stream) for stream in (film.stream, *copied)))
        with muxer(path, kind.container, options | UNMOVED) as output:
            if metadata:
                output.metadata[COMMENT] = metadata
            pictures = Track(output, film.stream)
            tracks = {stream: Track(output, stream) for stream in copied}
            output.start_encoding()
            others = sound.packets(tracks) if sound and tracks else iter(())
            for timed in merge(_pictures(segments, film.stream, pictures), others, key=attrgetter("dts")):
                timed.track.write(timed)
    notes = sound.notes if sound else []
    if pictures.is_exact:
        return notes
    return [*notes, f"the times of the frames are rounded to milliseconds, as in every {kind.name} film"]


def _pictures(segments: Sequence[Path], first: VideoStream, track: Track) -> Iterator[Timed]:
    """Yield the packets of all segments. One segment at a time is open."""
    unit = unit_of(first)
    last = round(1 / (Fraction(first.average_rate or 25) * unit))
    for packet in with_durations(_packets(segments, first), last):
        time = (packet.pts or 0) * unit
        yield Timed(time, time, (packet.duration or 0) * unit, packet, track)


def _packets(segments: Sequence[Path], first: VideoStream) -> Iterator[Packet]:
    for path in segments:
        with opened(path) as segment:
            if _properties(segment.stream) != _properties(first):
                raise FilmError(
                    f"{path}: does not fit to {segments[0].name}, because another version of PyAV wrote it; begin the"
                    " film afresh"
                )
            yield from (packet for packet in segment.container.demux(segment.stream) if packet.size)


def _properties(stream: VideoStream) -> tuple[object, ...]:
    context = stream.codec_context
    return context.name, context.width, context.height, stream.time_base, context.extradata
