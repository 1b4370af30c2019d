"""Write frames as GIF or animated WebP with Pillow. PyAV is not needed."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import open_atomically
from dreamscripts.backends.host import free_memory
from dreamscripts.errors import OutputError
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.gif import GifWriter
from dreamscripts.film_files.kinds import Kind
from dreamscripts.film_files.metadata import as_xmp

QUALITY = 80  # of WebP, 0..100: a dream needs half as many bytes again with 90, and looks the same in motion
EFFORT = 4  # of WebP, 0..6
IN_MEMORY = 4  # bytes of a pixel in Pillow


class Format(NamedTuple):
    """What a format allows."""

    unit: Fraction
    """In which durations are counted, in seconds."""
    shortest: int
    """The shortest duration of a frame, in units. Browsers show a shorter frame for 0.1 s."""
    largest: int
    """The largest side, in pixels."""


FORMATS = {"GIF": Format(Fraction(1, 100), 2, 65535), "WebP": Format(Fraction(1, 1000), 11, 16383)}


class Shown(NamedTuple):
    """A picture, uint8 (H, W, 3) RGB, and how long it is shown, in units of the format."""

    pixels: np.ndarray
    duration: int


def write_animation(
    path: str | Path,
    frames: Iterable[Frame],
    time_base: Fraction,
    kind: Kind,
    *,
    metadata: str = "",
    loop: bool = True,
) -> list[str]:
    """Write frames to a GIF or an animated WebP, and return notes.

    The frames have one size, and their times increase. The last frame is shown as long as the one before it. With
    `loop`, the film is repeated without end. `metadata`, usually settings in TOML, is the comment of a GIF and the
    description in a WebP file. Of a GIF, two frames are in memory, of a WebP file all. Raises OutputError if the file
    cannot be written, if there are no frames, or if they do not fit in memory. An existing file is then unchanged.
    """
    timing = _Timing(FORMATS[kind.name], time_base)
    shown = timing.shown(_checked(path, frames, kind))
    with open_atomically(path) as file:
        if kind.name == "GIF":
            _write_gif(file, shown, metadata, loop)
        else:
            _write_webp(path, file, shown, metadata, loop)
    return timing.notes(kind)


class _Timing:
    """Rounds the times of frames so that the film keeps its length, and leaves out frames that are too short."""

    def __init__(self, format: Format, time_base: Fraction) -> None:
        self._format, self._unit = format, format.unit / time_base
        self._frames = self._left_out = 0

    def shown(self, frames: Iterable[Frame]) -> Iterator[Shown]:
        """Yield the pictures that differ, one frame late. There is at least one frame."""
        frames = iter(frames)
        last = pending = next(frames)
        begins, gap, self._frames = self._rounded(pending.pts), 0, 1
        for frame in frames:
            self._frames += 1
            now = self._rounded(frame.pts)
            gap, last = frame.pts - last.pts, frame
            if np.array_equal(frame.pixels, pending.pixels):
                continue  # the pending picture is shown longer
            if now - begins < self._format.shortest:
                self._left_out += 1
                continue
            yield Shown(pending.pixels, now - begins)
            pending, begins = frame, now
        yield Shown(pending.pixels, max(self._rounded(last.pts + gap) - begins, self._format.shortest))

    def notes(self, kind: Kind) -> list[str]:
        if not self._left_out:
            return []
        fastest = 1 / (self._format.shortest * self._format.unit)
        return [
            f"{self._left_out} of {self._frames} frames are left out, because browsers show a {kind.name} at up to"
            f" {int(fastest)} frames a second"
        ]

    def _rounded(self, pts: int) -> int:
        return round(pts / self._unit)


def _checked(path: str | Path, frames: Iterable[Frame], kind: Kind) -> Iterator[Frame]:
    """Yield the frames. Raises OutputError if there are none, or if they are too large for the format."""
    shape = None
    for frame in frames:
        if shape is None:
            shape = frame.pixels.shape
            if max(shape) > (largest := FORMATS[kind.name].largest):
                raise OutputError(f"{path}: a {kind.name} is at most {largest} pixels wide and high; make it smaller")
        if frame.pixels.shape != shape:
            raise ValueError(f"a frame has the shape {frame.pixels.shape} instead of {shape}")
        yield frame
    if shape is None:
        raise OutputError(f"{path}: there are no frames to write")


def _write_gif(file: BinaryIO, shown: Iterable[Shown], metadata: str, loop: bool) -> None:
    writer = GifWriter(file, metadata.encode(), loop)
    for pixels, duration in shown:
        writer.write(pixels, duration)
    writer.finish()


def _write_webp(path: str | Path, file: BinaryIO, shown: Iterable[Shown], metadata: str, loop: bool) -> None:
    images: list[Image.Image] = []
    durations: list[int] = []
    for pixels, duration in shown:
        if free_memory() < 2 * IN_MEMORY * pixels[..., 0].size:
            raise OutputError(
                f"{path}: Pillow needs all frames of a WebP in memory, and {len(images)} frames fill it; use a name"
                " that ends in .webm, or a smaller size"
            )
        images.append(Image.fromarray(pixels))
        durations.append(duration)
    images[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=durations,
        loop=0 if loop else 1,
        quality=QUALITY,
        method=EFFORT,
        xmp=as_xmp(metadata) if metadata else b"",
    )
