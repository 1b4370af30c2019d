"""Copy packets to another file, at other times but otherwise unchanged: the pictures of segments, sound, subtitles."""

import io
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from dreamscripts.film_files.decoding import clock_of, origin
from dreamscripts.film_files.kinds import KINDS, Kind
from dreamscripts.film_files.opening import OpenFilm

WORDS = {"audio": "sound", "subtitle": "subtitles"}
TAGS = ("language", "title")  # what a player shows, when a person chooses a sound or subtitles
NAMES = {"opus": "Opus", "vorbis": "Vorbis", "subrip": "SRT", "mov_text": "MOV text", "webvtt": "WebVTT"}
NAMES |= {"hdmv_pgs_subtitle": "PGS", "dvd_subtitle": "VobSub"}
USUAL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
LATEST = 1_000_000_000  # seconds: no film is so long, and FFmpeg cannot count more in every unit
DISORDER = 30  # seconds after the end, up to which an earlier packet of another stream may follow


class Timed(NamedTuple):
    """A packet, and its times in the film that is written, in seconds."""

    dts: Fraction
    """When it is decoded: packets are written in this order."""
    pts: Fraction
    """When it is shown or heard."""
    duration: Fraction
    packet: Packet
    track: "Track"


class Track:
    """A stream of a film that is written."""

    def __init__(self, output: OutputContainer, template: Stream) -> None:
        """Add a stream with the properties of another one, such as its codec, its language and its unit of time."""
        self.stream = _add(output, template)
        self.stream.disposition = template.disposition
        self.stream.metadata.update({tag: template.metadata[tag] for tag in TAGS if tag in template.metadata})
        self.is_exact = True
        """Whether all times until now were kept exactly, because they are multiples of the unit of this stream."""
        self._output = output
        self._last: int | None = None

    def write(self, timed: Timed) -> None:
        """Write a packet. If its decoding time is not later than the last one, it is made later."""
        unit = unit_of(self.stream)
        dts, pts = round(timed.dts / unit), round(timed.pts / unit)
        self.is_exact = self.is_exact and pts * unit == timed.pts
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        self._last = dts
        packet = timed.packet
        packet.dts, packet.pts, packet.duration = dts, max(pts, dts), round(timed.duration / unit)
        packet.stream, packet.time_base = self.stream, unit
        self._output.mux(packet)


def _add(output: OutputContainer, template: Stream) -> Stream:
    """Add a stream like another one. Raises ValueError or FFmpegError if the container cannot hold it."""
    stream = output.add_stream_from_template(template, opaque=True)
    context = stream.codec_context
    if isinstance(context, AudioCodecContext) and context.layout.name.endswith(" channels"):  # it is not known which
        channels = context.layout.nb_channels
        if channels in USUAL_LAYOUTS:
            context.layout = USUAL_LAYOUTS[channels]
        elif output.format.name == "mp4" and context.name.startswith("pcm_"):
            raise ValueError("FFmpeg refuses this at the end of the file")
    return stream


def unit_of(stream: Stream) -> Fraction:
    """Return the unit of the times in a stream, in seconds."""
    return Fraction(stream.time_base or 1)


class Sound:
    """The sound and the subtitles of an open film, for a film of some kind."""

    def __init__(self, film: OpenFilm, kind: Kind, start: Fraction, end: Fraction | None) -> None:
        """Choose the streams that the kind can contain. `start` and `end` are in seconds from the film's beginning."""
        self.notes: list[str] = []
        """What is not copied, and why."""
        self.streams: list[Stream] = []
        self._film, self._start, self._end = film, start, end
        for stream in (*film.container.streams.audio, *film.container.streams.subtitles):
            if _can_hold(kind, stream):
                self.streams.append(stream)
            elif (note := _missing(stream, kind)) not in self.notes:
                self.notes.append(note)

    def packets(self, tracks: dict[Stream, Track]) -> Iterator[Timed]:
        """Yield the packets for the tracks of all streams, from `start` to `end`, in about their order.

        They are moved in time as the frames of `FilmSource` are. With `start` 0, no packet is left out at the
        beginning. If the film is damaged, the packets before the damage are given.
        """
        container, step = self._film.container, unit_of(self._film.stream)
        shift = (self._start + clock_of(container)) // step * step  # the pictures are moved by whole units
        begins = origin(container)
        since = self._start + begins if self._start else None
        until = None if self._end is None else self._end + begins
        for packet in self._readable():
            unit = unit_of(packet.stream)
            dts, pts, duration = ((ticks or 0) * unit for ticks in (packet.dts, packet.pts, packet.duration))
            if max(abs(dts), abs(pts), duration) > LATEST:
                continue  # the time is damaged
            if until is not None and pts >= until:
                if dts >= until + DISORDER:
                    return
                continue
            if since is not None and pts < since:
                if packet.stream.type != "subtitle" or pts + duration <= since:
                    continue
                dts, pts, duration = since, since, pts + duration - since  # it is still shown
            yield Timed(dts - shift, pts - shift, duration, packet, tracks[packet.stream])

    def _readable(self) -> Iterator[Packet]:
        """Yield the packets as far as the film can be read. Those without any time are given one."""
        last: dict[int, int] = {}
        try:
            for packet in self._film.container.demux(self.streams):
                if not packet.size or (packet.size == 2 and packet.stream.codec_context.name == "mov_text"):
                    continue  # the end of a stream, for a decoder, or of a subtitle, which is written by its duration
                index = packet.stream.index
                if packet.dts is None:
                    packet.dts = packet.pts if packet.pts is not None else last.get(index, 0)
                if packet.pts is None:
                    packet.pts = packet.dts
                last[index] = packet.dts + (packet.duration or 0)
                yield packet
        except IndexError:
            return  # PyAV, at the end of a film in which streams appeared that its header does not name
        except (av.FFmpegError, OSError):
            self.notes.append(f"{self._film.path}: is damaged or cut off, and so are its sound and subtitles")


def _missing(stream: Stream, kind: Kind) -> str:
    word = WORDS[stream.type]
    if stream.codec_context is None:
        return f"the {word} of the film cannot be copied, because FFmpeg does not know the format"
    codec = stream.codec_context.codec.canonical_name
    name = NAMES.get(codec) or codec.partition("_")[0].upper()
    endings = [ending for ending, other in KINDS.items() if not other.is_animation and _can_hold(other, stream)]
    instead = f"; use a name that ends in {' or '.join(endings)}" if endings else ""
    return f"{kind.name} cannot contain the {word} ({name}){instead}"


def _can_hold(kind: Kind, stream: Stream) -> bool:
    """Return whether FFmpeg begins a film of this kind with such a stream."""
    if stream.codec_context is None:
        return False
    trial = av.open(io.BytesIO(), "w", format=kind.container)
    try:
        _add(trial, stream)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with suppress(av.FFmpegError):  # it contains no packets
            trial.close()
    return True
