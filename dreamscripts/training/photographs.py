"""Read the photographs of a folder while the student is trained: in threads ahead of use, with a bounded cache."""

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np

from dreamscripts.errors import PictureError
from dreamscripts.images.decoding import fitted_size
from dreamscripts.images.file_kinds import ENDINGS
from dreamscripts.images.files import open_photo
from dreamscripts.training.crops import resized

LONGEST = 512  # pixels: the longer side of larger photographs is reduced to this before crops are taken
KEPT_BYTES = 512 * 2**20  # of decoded photographs; those beyond are decoded each time
EVERY = 25  # one photograph in this many is held out
MOST_HELD_OUT = 64
THREADS = min(8, os.cpu_count() or 1)  # a GPU takes a step faster than one core makes its crops
AHEAD = 2 * THREADS  # steps whose pictures are made in advance


def find_photographs(folder: Path) -> list[Path]:
    """Return the picture files in a folder and in the folders within it, in order of their paths.

    Hidden files and folders are skipped. Raises PictureError if there are fewer than two files, because one is held
    out.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder}: {'is not a folder' if folder.exists() else 'there is no such folder'}")
    found = []
    for within, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(within, name) for name in names if not name.startswith(".")]
    found = sorted(path for path in found if path.suffix.lower() in ENDINGS and path.is_file())
    if len(found) < 2:
        count = "only one photograph" if found else "no photograph"
        raise PictureError(f"{folder}: there is {count} in this folder; give a folder with at least two")
    return found


class Photographs:
    """Photographs for training, and others that are held out: every 25th file, at most 64.

    `bad` {path: reason} are the files that could not be opened so far. The next file is used in place of each.
    """

    def __init__(self, files: list[Path]):
        places = range(0, len(files), EVERY)[:MOST_HELD_OUT]
        self.held_out = [files[i] for i in places]
        self.files = [file for i, file in enumerate(files) if i not in places]
        self.bad: dict[Path, str] = {}
        self._kept: dict[int, np.ndarray] = {}
        self._bytes = 0
        self._lock = Lock()

    def open(self, number: int) -> np.ndarray:
        """Return the photograph with this number, uint8 (H, W, 3). Raises PictureError if none can be opened."""
        for place in range(number, number + len(self.files)):
            index = place % len(self.files)
            if self.files[index] in self.bad:
                continue
            if (kept := self._kept.get(index)) is not None:
                return kept
            if (pixels := self._read(self.files[index])) is not None:
                self._keep(index, pixels)
                return pixels
        file, reason = next(iter(self.bad.items()))
        raise PictureError(f"none of the photographs can be opened; the first is {file}: {reason}")

    def held_out_pictures(self, side: int) -> np.ndarray:
        """Return the squares in the middle of the photographs that are held out, float32 (N, side, side, 3).

        Raises PictureError if none can be opened.
        """
        squares = []
        for file in self.held_out:
            if (photo := self._read(file)) is not None:
                height, width = photo.shape[:2]
                least = min(height, width)
                squares.append(resized(photo, (height - least) / 2, (width - least) / 2, least, side))
        if not squares:
            file = self.held_out[0]
            raise PictureError(f"none of the photographs that are held out can be opened; {file}: {self.bad[file]}")
        return np.stack(squares)

    def good_held_out(self, count: int) -> list[Path]:
        """Return the first `count` files of those that are held out and could be opened, or fewer."""
        return [file for file in self.held_out if file not in self.bad][:count]

    def _read(self, file: Path) -> np.ndarray | None:
        """Decode a file, or note why this is not possible."""
        try:
            is_large = max(fitted_size(file, None)) > LONGEST
            return np.rint(open_photo(file, LONGEST if is_large else None).pixels).astype(np.uint8)
        except PictureError as error:
            self.bad[file] = str(error).removeprefix(f"{file}: ")
            return None

    def _keep(self, index: int, pixels: np.ndarray) -> None:
        with self._lock:
            if self._bytes + pixels.nbytes <= KEPT_BYTES and index not in self._kept:
                self._kept[index] = pixels
                self._bytes += pixels.nbytes


def read_ahead(make: Callable[[int], np.ndarray], first: int) -> Generator[np.ndarray]:
    """Yield make(first), make(first + 1), … without end. The next few are made in threads meanwhile."""
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="photographs")
    waiting: deque[Future] = deque(threads.submit(make, first + i) for i in range(AHEAD))
    try:
        while True:
            made = waiting.popleft().result()
            first += 1
            waiting.append(threads.submit(make, first + AHEAD - 1))
            yield made
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
