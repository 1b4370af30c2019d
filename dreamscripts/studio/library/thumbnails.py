"""Small pictures for the wall, and start pictures as PNG: made when they are first asked for, and kept in the store."""

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import LEFT_OVER, write_atomically
from dreamscripts.backends.host import free_memory
from dreamscripts.errors import DreamError
from dreamscripts.film_files.kinds import KINDS
from dreamscripts.film_files.reading import open_film
from dreamscripts.images.files import save_picture
from dreamscripts.images.pillow import quiet, refusals
from dreamscripts.runs.array_files import load_array
from dreamscripts.studio.library import within
from dreamscripts.studio.library.dreams import png_size
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.within import Missing

SIDE = 480  # pixels, for a tile of half this size on a screen with two pixels per point
QUALITY = 82
LATEST_FRAME = 60  # of a film: its first frame is often only the photograph
MOST_PIXELS = 89_000_000  # Pillow warns of more
MOST_FILES, MOST_BYTES = 4000, 2**29
WRITES = 50  # between two looks at how much there is
OF_START = 3  # memory for start.npy: its size, times this


class Thumbnails:
    """The folder `thumbnails` in the store. The oldest are deleted when there are too many."""

    def __init__(self, folder: StudioFolder):
        self._folder = folder.store / "thumbnails"
        self._making = Lock()
        self._writes = 0
        self._prune()

    def of_picture(self, id: str, version: int, base: Path, *parts: str) -> BinaryIO:
        """Open the thumbnail, a JPEG, of the PNG file base/parts. Raises Missing if this is not a picture."""
        return self._kept(f"{id}-{version}.jpg", lambda path: self._write(path, _small_picture(base, *parts)))

    def of_film(self, id: str, version: int, base: Path, name: str) -> BinaryIO:
        """Open the thumbnail, a JPEG, of the film base/name. Raises Missing if it cannot be read."""
        return self._kept(f"{id}-{version}.jpg", lambda path: self._write(path, _small_frame(base, name)))

    def of_start(self, id: str, version: int, base: Path, *parts: str) -> BinaryIO:
        """Open the start picture of a run as a PNG, made from start.npy. Raises Missing if this is damaged."""
        return self._kept(
            f"{id}-{version}-start.png", lambda path: save_picture(_start(base, *parts), path, durable=False)
        )

    def of_sheet(self, id: str, version: int, draw: Callable[[], bytes]) -> BinaryIO:
        """Open the picture of a sheet, a PNG, which `draw` makes."""
        return self._kept(f"{id}-{version}-sheet.png", lambda path: write_atomically(path, draw(), durable=False))

    def _kept(self, name: str, make: Callable[[Path], None]) -> BinaryIO:
        """Open a file, and make it first if it is missing. One thread at a time makes files."""
        with suppress(Missing):
            return within.open_file(self._folder, name)
        with self._making:
            if not within.is_file(self._folder, name):
                self._writes += 1
                if self._writes % WRITES == 0:
                    self._prune()
                try:
                    make(self._folder / name)
                except Missing:
                    raise
                except (DreamError, OSError, ValueError) as error:
                    raise Missing(f"this picture cannot be shown: {error}") from None
        return within.open_file(self._folder, name)

    def _write(self, path: Path, picture: Image.Image) -> None:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=QUALITY)
        write_atomically(path, buffer.getvalue(), durable=False)

    def _prune(self) -> None:
        """Delete the oldest files if there are too many, or too large ones."""
        found = []
        for name in within.names(self._folder):
            status = within.status(self._folder, name)
            if status and not LEFT_OVER.fullmatch(name):
                found.append((status.st_mtime_ns, status.st_size, name))
        size, count = sum(one[1] for one in found), len(found)
        for _, bytes_, name in sorted(found):
            if count <= MOST_FILES and size <= MOST_BYTES:
                return
            with suppress(OSError):
                (self._folder / name).unlink()
            count, size = count - 1, size - bytes_


def _small_picture(base: Path, *parts: str) -> Image.Image:
    """Make a picture small. It is not within `quiet`, where a large upload would keep all others waiting."""
    width, height = png_size(base, *parts) or (0, 0)
    if width * height > MOST_PIXELS:
        raise Missing("this picture is too large to be shown")
    path = base.joinpath(*parts)
    with within.open_file(base, *parts) as file, refusals(path), Image.open(file, formats=("PNG",)) as image:
        return _small(image)


def _small_frame(base: Path, name: str) -> Image.Image:
    with within.open_file(base, name) as file:
        path = within.path_of(file, base / name)
        if KINDS[PurePosixPath(name).suffix.lower()].is_animation:
            with quiet(), refusals(path), Image.open(file, formats=("GIF", "WEBP")) as image:
                image.seek(min(getattr(image, "n_frames", 1) // 2, LATEST_FRAME))
                return _small(image)
        with open_film(path, size=SIDE) as film:
            frame = next(film.frames(min(film.count // 2, LATEST_FRAME)), None) or next(film.frames())
            return Image.fromarray(frame.pixels)


def _small(image: Image.Image) -> Image.Image:
    if image.width * image.height > MOST_PIXELS:
        raise Missing("this picture is too large to be shown")
    image.load()
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((SIDE, SIDE), reducing_gap=3.0)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")


def _start(base: Path, *parts: str) -> np.ndarray:
    """Read start.npy: float32 (H, W, 3). Raises Missing and ValueError."""
    with within.open_file(base, *parts) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if size > min(free_memory() // OF_START, MOST_PIXELS * 12 + 1000):
            raise Missing("the start picture is too large to be shown")
        array = load_array(file, size)
    if array.dtype != np.float32 or array.ndim != 3 or array.shape[2] != 3 or not np.isfinite(array).all():
        raise ValueError("it is not a picture")
    return array
