"""Write a container of packets to a file, atomically, with one-line errors."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import OutputContainer
from av.packet import Packet

from dreamscripts.atomic_files import open_atomically
from dreamscripts.errors import OutputError, short

EXACT = {"fflags": "+bitexact"}  # no versions, dates and random numbers: the same film is the same bytes
# MP4 and QuickTime begin with their index, so that a browser can start before it has the whole file. The usual tags of
# QuickTime hold only 65535 bytes.
FLAGS = {"mp4": "+faststart", "mov": "+faststart+use_metadata_tags"}


class Refused(OutputError):
    """FFmpeg cannot write a packet or a stream to a container."""


@contextmanager
def muxer(path: str | Path, container: str, options: Mapping[str, str]) -> Iterator[OutputContainer]:
    """Yield a container for writing, which becomes the file `path` at the end of the `with` statement.

    `container` is FFmpeg's name of it, and `options` are FFmpeg's options. Raises OutputError if the file cannot be
    written, and Refused if FFmpeg refuses something in the `with` statement. An existing file is then unchanged.
    """
    with open_atomically(path) as file:

        def reopen(url: str, flags: int, options: object) -> BinaryIO:
            file.flush()
            return Path(file.name).open("rb")  # FFmpeg reads what it wrote when it moves the index to the beginning

        options = {**EXACT, "movflags": FLAGS.get(container, ""), **options}  # others ignore movflags
        try:
            output = av.open(file, "w", format=container, container_options=options, io_open=reopen)
            yield output
            output.close()
        except av.FFmpegError as error:
            raise Refused(f"{path}: cannot be written: {short(str(error.strerror))}") from None


def exact_times(*clocks: Fraction) -> dict[str, str]:
    """Return the options with which MP4 and QuickTime keep times exactly.

    `clocks` are the time bases of the pictures and of other streams. Their times count from the beginning of the film
    in the unit of the whole film, so this must be a unit of every stream. Players read it as an integer of 32 bits.
    """
    common = math.lcm(*(clock.denominator for clock in clocks))
    pictures = clocks[0].denominator
    return {
        "video_track_timescale": str(pictures),
        "movie_timescale": str(common if common < 2**31 else pictures),
    }


def with_durations(packets: Iterable[Packet], last: int) -> Iterator[Packet]:
    """Set the duration of every packet to the time until the next one, and that of the last packet to `last`."""
    before = None
    for packet in packets:
        if before is not None:
            before.duration = (packet.pts or 0) - (before.pts or 0)
            yield before
        before = packet
    if before is not None:
        before.duration = last
        yield before
