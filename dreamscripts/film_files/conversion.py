"""Convert decoded frames to RGB with FFmpeg's filters: one size, square pixels, no fields, nothing transparent."""

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dreamscripts.film_files.decoding import Decoded
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.geometry import Shape, Size, fitted_into, square_pixels
from dreamscripts.film_files.opening import pyav

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame

# FFmpeg's numbers for the matrices of colours, by which YUV is converted to RGB, and for the ranges of YUV.
BT709, BT601, UNSPECIFIED = 1, 6, (2, 3)
MATRICES = {BT709, 4, 5, BT601, 7, 9, 10}  # also FCC, BT.601 for 625 lines, SMPTE 240M, and two of BT.2020
LIMITED, FULL = 1, 2
HIGH_DEFINITION = 720  # lines; without a tag, films with fewer have the colours of BT.601
ACCURATE = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
LARGE_REDUCTION = 8  # from this factor on, areas are averaged, because Lanczos needs too many weights
LEAST_FOR_FIELDS = 8  # pixels per side
NEIGHBOURS = 1  # frames before a frame that change it, if it is deinterlaced


class _Input(NamedTuple):
    """What a graph of filters depends on."""

    size: Size
    format: str
    matrix: int
    range: int
    interlaced: bool


class Converter:
    """Converts frames in the order of their times. A deinterlaced frame is given after the next frame was pushed."""

    def __init__(self, shape: Shape, say: Callable[[str], None]) -> None:
        """Prepare for frames of a shape. `say` is called with notes; it is called again with the same note."""
        self._shape, self._say = shape, say
        self._graph: Graph | None = None
        self._input: _Input | None = None
        self._interlaced = False
        self._waiting: deque[int] = deque()  # times of the frames in the graph

    def skip(self, frame: "VideoFrame") -> None:
        """Take notice of a frame that is not needed: neither itself, nor by one of the NEIGHBOURS frames after it."""
        self._interlaced |= frame.interlaced_frame

    def push(self, decoded: Decoded) -> Iterator[Frame]:
        """Convert a frame. Yield the frames that are ready."""
        frame = decoded.frame
        self._interlaced |= frame.interlaced_frame
        found = _Input(
            (frame.height, frame.width), frame.format.name, frame.colorspace, frame.color_range, self._interlaced
        )
        if found != self._input:
            yield from self.flush()
            self._input, self._graph = found, self._build(frame, found)
        assert self._graph is not None
        self._waiting.append(decoded.pts)
        self._graph.vpush(frame)
        yield from self._ready()

    def flush(self) -> Iterator[Frame]:
        """Yield the frames that are left at the end."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph = self._input = None

    def _ready(self) -> Iterator[Frame]:
        assert self._graph is not None
        errors = pyav().error
        while self._waiting:
            try:
                frame = self._graph.vpull()
            except (errors.BlockingIOError, errors.EOFError):
                return
            yield Frame(self._shape.orientation.upright(self._opaque(frame)), self._waiting.popleft())

    def _opaque(self, frame: "VideoFrame") -> np.ndarray:
        """Return the pixels of a frame in RGB, or those of a frame in premultiplied RGBA on white."""
        pixels = frame.to_ndarray()
        if pixels.shape[2] == 3:
            return pixels
        alpha = pixels[:, :, 3:]
        if alpha.min() == 255:
            return pixels[:, :, :3]
        self._say("transparent parts are shown on white")
        return np.minimum(pixels[:, :, :3].astype(np.uint16) + (255 - alpha), 255).astype(np.uint8)

    def _build(self, frame: "VideoFrame", found: _Input) -> "Graph":
        """Build the filters for frames like `frame`."""
        graph = pyav().filter.Graph()
        unit = frame.time_base or Fraction(1, 1000)  # the last frames of a decoder have none, and it does not matter
        source = graph.add_buffer(template=frame, time_base=unit)
        nodes = [graph.add(name, options) for name, options in self._filters(frame, found)]
        graph.link_nodes(source, *nodes, graph.add("buffersink"))
        graph.configure()
        return graph

    def _filters(self, frame: "VideoFrame", found: _Input) -> Iterator[tuple[str, str]]:
        yield "setparams", f"{self._colours(frame)}:color_primaries=bt709:color_trc=bt709"  # not to convert these
        if found.interlaced and min(found.size) >= LEAST_FOR_FIELDS:
            self._say("it is interlaced; every two fields are made into one frame")
            yield "bwdif", "mode=send_frame:parity=auto:deint=interlaced"
        transparent = has_alpha(frame.format)
        if transparent:
            yield "scale", f"flags=bicubic+{ACCURATE}"
            yield "format", "gbrap"
            yield "premultiply", "inplace=1"
        yield from self._resize(found.size, "rgba" if transparent else "rgb24")

    def _colours(self, frame: "VideoFrame") -> str:
        """Return the matrix and the range of a frame's colours, as options of the filter `setparams`."""
        if frame.format.is_rgb or frame.format.has_palette:
            return "colorspace=gbr:range=pc"
        matrix, colour_range = frame.colorspace, frame.color_range
        if matrix not in MATRICES:
            if matrix not in UNSPECIFIED:
                self._say("its colours are coded in a way that is not known here; they may be wrong")
            matrix = BT709 if self._shape.in_file[0] >= HIGH_DEFINITION else BT601
        if colour_range not in (LIMITED, FULL):
            colour_range = FULL if frame.format.name.startswith(("yuvj", "gray", "ya")) else LIMITED
        return f"colorspace={matrix}:range={colour_range}"

    def _resize(self, size: Size, pixel_format: str) -> Iterator[tuple[str, str]]:
        """Return the filters that convert frames of a size to that of the frames that are given, not yet turned."""
        height, width = self._shape.unturned
        if size != self._shape.in_file:
            self._say("the size of its frames changes; later frames are fitted into the size of the first")
            rows, columns = fitted_into(*square_pixels(size, self._shape.aspect), (height, width))
            yield "scale", f"{columns}:{rows}:flags={_method(size, (rows, columns))}"
            yield "format", pixel_format
            yield "pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2:black"
        elif self._shape.is_cropped:
            yield "scale", f"flags=bicubic+{ACCURATE}"
            yield "format", pixel_format
            yield "crop", f"{width}:{height}:0:0:exact=1"
        else:
            yield "scale", f"{width}:{height}:flags={_method(size, (height, width))}"
            yield "format", pixel_format


def _method(size: Size, target: Size) -> str:
    reduction = max(before / after for before, after in zip(size, target, strict=True))
    return f"{'area' if reduction > LARGE_REDUCTION else 'lanczos'}+{ACCURATE}"


def has_alpha(pixel_format: "VideoFormat") -> bool:
    """Return whether frames in a format of pixels may be transparent."""
    return pixel_format.has_palette or any(component.is_alpha for component in pixel_format.components)
