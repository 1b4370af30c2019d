"""Encode frames as a segment of a film: a file with pictures only, which `joining.join` can put after another."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from dreamscripts.errors import OutputError
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import Kind
from dreamscripts.film_files.muxing import exact_times, muxer, with_durations
from dreamscripts.film_files.scheduling import kept_scheduling

# An MP4 file keeps times in any unit. Matroska and WebM round them to milliseconds.
CONTAINER = "mp4"
# Dreams are full of detail. With these values no difference can be seen at normal speed. A frame depends on earlier
# frames only, except with AV1, whose packets are nevertheless in the order of the frames. So segments can be joined.
OPTIONS = {
    # With mbtree, about one in a hundred small films has other bytes.
    "libx264": {"preset": "veryfast", "crf": "14", "bf": "0", "x264-params": "stitchable=1:mbtree=0"},
    "libsvtav1": {"preset": "8", "crf": "20"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "6", "crf": "18", "b": "0", "auto-alt-ref": "0", "row-mt": "1"},
}
THREADS = 4  # on every machine, because the bytes can depend on it
KEY_FRAMES = 250  # the largest distance between two frames that a player can jump to
RATES = (1, 240)  # frames per second: the range that the encoder of AV1 accepts
BT709 = 1  # FFmpeg's number of the colours of HD television, in primaries, transfer and matrix
LIMITED = 1  # FFmpeg's number of the range 16..235
# FFmpeg's flags SWS_BICUBIC, SWS_FULL_CHR_H_INP, SWS_ACCURATE_RND and SWS_BITEXACT: exact colours on every processor.
CONVERSION = 0x4 | 0x4000 | 0x40000 | 0x80000


def encode(path: str | Path, frames: Iterable[Frame], time_base: Fraction, rate: Fraction, kind: Kind) -> None:
    """Write frames to a segment, an MP4 file without sound, for a film of this kind.

    All frames have the same even size. Their times are >= 0, increase, and are kept exactly. The last frame is shown
    for 1 / `rate` seconds. The same frames give the same bytes. The memory does not depend on the number of frames.
    Raises OutputError if the file cannot be written, or if there are no frames.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise OutputError(f"{path}: there are no frames to write")
    with muxer(path, CONTAINER, exact_times(time_base)) as output:
        name = _encoder(path, kind)
        steady = _steady(rate)
        stream = cast(VideoStream, output.add_stream(name, steady, options=OPTIONS[name]))
        _configure(stream.codec_context, first.pixels.shape, 1 / steady)
        with kept_scheduling():
            stream.codec_context.open()
        packets = _packets(stream, chain([first], frames), time_base)
        for packet in with_durations(packets, last=max(1, round(1 / (rate * time_base)))):
            output.mux(packet)


def _encoder(path: str | Path, kind: Kind) -> str:
    for name in kind.encoders:
        if name in av.codecs_available:
            return name
    raise OutputError(f"{path}: PyAV was built without {kind.encoders[0]}; run pip install --force-reinstall av")


def _steady(rate: Fraction) -> Fraction:
    """Return the rate for the encoder, which plans the sizes of frames with it, and does not know other times."""
    slowest, fastest = RATES
    return max(Fraction(slowest), min(rate, Fraction(fastest))).limit_denominator(100_000)


def _configure(context: VideoCodecContext, shape: tuple[int, ...], time_base: Fraction) -> None:
    context.height, context.width = shape[:2]
    context.pix_fmt = "yuv420p"  # the only format that all players know
    context.time_base = time_base
    context.thread_count = THREADS
    context.gop_size = KEY_FRAMES
    context.color_range = LIMITED
    context.colorspace = context.color_primaries = context.color_trc = BT709


def _packets(stream: VideoStream, frames: Iterable[Frame], time_base: Fraction) -> Iterator[Packet]:
    """Encode frames, which the encoder numbers. Packets come in the same order, and get the times of their frames.

    So times do not depend on the units that an encoder accepts.
    """
    times: deque[int] = deque()
    for picture in chain(_pictures(stream, frames, times), [None]):  # None: no more follow
        for packet in stream.encode(picture):
            packet.pts = packet.dts = times.popleft()
            packet.time_base = time_base
            yield packet


def _pictures(stream: VideoStream, frames: Iterable[Frame], times: deque[int]) -> Iterator[av.VideoFrame]:
    """Convert frames for the encoder, and append their times to `times`."""
    before = -1
    reformatter = VideoReformatter()
    for number, frame in enumerate(frames):
        if frame.pts <= before:
            raise ValueError(f"a frame has the time {frame.pts} after {before}")
        before = frame.pts
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), "rgb24")
        if (picture.height, picture.width) != (stream.height, stream.width):
            raise ValueError(f"a frame is {picture.width}×{picture.height}, not {stream.width}×{stream.height}")
        picture = reformatter.reformat(
            picture,
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=LIMITED,
            interpolation=CONVERSION,
        )
        picture.pts, picture.time_base = number, stream.codec_context.time_base
        times.append(frame.pts)
        yield picture
