"""Read the frames of a film: upright, with square pixels, in 8-bit RGB, at the times of the file."""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dreamscripts.errors import FilmError, short
from dreamscripts.film_files.conversion import NEIGHBOURS, Converter
from dreamscripts.film_files.decoding import Damage, Decoded, between
from dreamscripts.film_files.facts import Facts, facts_of
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.geometry import UPRIGHT, Shape, orientation_of, square_pixels, target_size
from dreamscripts.film_files.opening import pyav, refuse_too_large

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@contextmanager
def open_film(
    path: str | Path, *, size: int | None = None, start: float = 0.0, end: float | None = None
) -> Iterator["FilmSource"]:
    """Open a film, or the part of it from `start` to `end` (seconds from its beginning), for reading.

    The frames are turned upright and scaled to square pixels. With `size`, their longer side is scaled to `size`
    pixels. Odd sides become even: a frame that is not scaled loses its last row or column. Raises FilmError, which
    names the problem, also if no frame is left or if the memory is too small.
    """
    path = Path(path)
    since, until = _part(path, start, end)
    facts = facts_of(path)
    damage = Damage()
    first = next(between(path, since, until, damage), None)
    if first is None:
        raise FilmError(f"{path}: {_nothing(since, until, damage)}")
    shape = _shape(path, first.frame, facts, size)
    source = FilmSource(path, facts, shape, since, until)
    source.examine(first)
    with source.iterators:
        yield source


class FilmSource:
    """A film that can be read once or several times. `open_film` makes it."""

    def __init__(self, path: Path, facts: Facts, shape: Shape, start: Fraction, end: Fraction | None) -> None:
        """Prepare to read the frames with `start` <= time < `end`."""
        self.path = path
        self.size = shape.size
        """Height and width of the frames that are given. Both are even."""
        self.time_base = facts.time_base
        """The unit of `Frame.pts`, in seconds."""
        self.rate = facts.rate
        """The mean number of frames per second."""
        self.start, self.end = start, end
        self.seconds = max(0.0, float((facts.ends if end is None else min(end, facts.ends)) - start))
        """The duration of what is read: an estimate if the file does not contain it."""
        self.count = max(1, round(self.seconds * facts.rate))
        """The number of frames that are read: an estimate if the file does not contain it."""
        if facts.frames and not start and end is None:
            self.count = facts.frames
        self.has_sound, self.has_subtitles = facts.has_sound, facts.has_subtitles
        self.notes = list(facts.notes)
        """What is changed or missing, in plain words. More notes may follow while frames are read."""
        self.iterators = ExitStack()
        """The iterators of `frames`. Closing the stack closes their files."""
        self._shape, self._expected, self._clock = shape, facts.expected, facts.clock

    def frames(self, first: int = 0) -> Iterator[Frame]:
        """Read the frames from number `first` on, counted from `start`. Only a few frames are in memory.

        A frame is the same whether or not it is the first one that is read: the frames before it are decoded, too.
        Its time is that in the file, less `start`, and less the beginning of a film that begins a second or more after
        0. Raises FilmError if the film can no longer be opened.
        """
        frames = self._frames(first)
        self.iterators.callback(frames.close)
        return frames

    def _frames(self, first: int) -> Generator[Frame, None, None]:
        damage, shift = Damage(), int((self.start + self._clock) // self.time_base)
        frames = self._converted(between(self.path, self.start, self.end, damage), first)
        for pixels, pts in islice(frames, min(first, NEIGHBOURS), None):
            yield Frame(pixels, pts - shift)
        ends = [time for time in (self.end, self._expected) if time is not None]
        for note in damage.notes(min(ends) if self._expected is not None else None):
            self._say(note)

    def _converted(self, frames: Iterable[Decoded], first: int) -> Iterator[Frame]:
        """Convert the frames from NEIGHBOURS before number `first` on."""
        converter = Converter(self._shape, self._say)
        try:
            for number, decoded in enumerate(frames):
                if number < first - NEIGHBOURS:
                    converter.skip(decoded.frame)
                else:
                    yield from converter.push(decoded)
            yield from converter.flush()
        except pyav().FFmpegError as error:
            raise FilmError(f"{self.path}: its frames cannot be converted to RGB: {short(str(error))}") from None

    def examine(self, first: Decoded) -> None:
        """Take notes on the first frame. Raises FilmError if it cannot be converted."""
        for note in _adaptations(first.frame, self._shape):
            self._say(note)
        for _ in self._converted([first], 0):
            pass

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _part(path: Path, start: float, end: float | None) -> tuple[Fraction, Fraction | None]:
    """Check the part of a film that is wanted. Seconds such as 0.1 are meant exactly, although floats are not exact."""
    if not (math.isfinite(start) and start >= 0 and (end is None or (math.isfinite(end) and end > start))):
        until = "its end" if end is None else f"{end:g} s"
        raise FilmError(f"{path}: there is no part from {start:g} s to {until}; the first must be less, and at least 0")
    return _exact(start), None if end is None else _exact(end)


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)


def _nothing(start: Fraction, end: Fraction | None, damage: Damage) -> str:
    """Say why a film has no frames from `start` to `end`."""
    if not damage.reached:
        if damage.packets or damage.ended:
            return "is damaged: none of its frames can be read"
        return "contains no frames"
    if damage.reached <= start:
        return f"ends after {float(damage.reached):.1f} s, so nothing is left from {float(start):g} s on"
    until = "its end" if end is None else f"{float(end):g} s"
    return f"has no frame that begins between {float(start):g} s and {until}; give a longer part"


def _shape(path: Path, first: "VideoFrame", facts: Facts, size: int | None) -> Shape:
    """Return the shape of a film with this first frame. Raises FilmError if the memory is too small for it."""
    orientation = orientation_of(first) or UPRIGHT
    in_file = (first.height, first.width)
    height, width = square_pixels(in_file, facts.aspect)
    height, width = (width, height) if orientation.transposed else (height, width)
    target = target_size(height, width, size)
    refuse_too_large(path, first.width, first.height, target[0] * target[1])
    return Shape(in_file, facts.aspect, orientation, target)


def _adaptations(first: "VideoFrame", shape: Shape) -> Iterator[str]:
    """Say how frames are changed so that they get their shape."""
    if orientation_of(first) is None:
        yield "it should be shown turned by an angle that is not a multiple of 90°; it is not turned"
    if shape.aspect != 1:
        yield f"its pixels are not square; it is scaled to {shape.size[1]}×{shape.size[0]}"
    elif shape.is_cropped and shape.in_file != shape.unturned:
        yield f"the sides of a film must be even; it is cut to {shape.size[1]}×{shape.size[0]} by one pixel"
