"""Store: where the run folders of a batch are, and the files that describe it."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from dreamscripts.atomic_files import LEFT_OVER, open_atomically, output_errors, write_atomically
from dreamscripts.backends.cache import cache_folder
from dreamscripts.batch.record import BATCH, RESULTS
from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.remote_folder import RemoteFolder, stamp

RECORD = "run.json"
PAGE = ("index.html", "batch.js", "results.csv", "contact-sheet.png")
THUMBNAILS = "thumbnails"
SHOWN = ("final.png", "iteration_000.png")  # of a run, for its thumbnails
MOST_OF_PICTURE = 1 << 30  # bytes


class Store(Protocol):
    """A batch. Raises OutputError if its files cannot be read or written."""

    folder: Path
    """On this machine, for the page and the records."""
    runs: Path
    """On the machine of each worker, for the run folders that it makes."""
    remote: str | None
    """The URL of the run folders, if they are not in `folder`."""
    shown: str
    """For people."""

    def has(self, run: str) -> bool:
        """Return whether a run folder existed when the store was opened."""

    def record(self, run: str) -> bytes | None:
        """Return the content of run.json of a run, or None if there is none."""

    def fetch_pictures(self, runs: Iterable[str]) -> None:
        """Fetch the pictures of runs for the page."""

    def push(self) -> None:
        """Write the page and the records where the run folders are."""


class LocalStore:
    """A batch in a folder of this machine, or in one that all machines share."""

    remote: str | None = None

    def __init__(self, folder: Path):
        self.folder = self.runs = folder.absolute()
        self.shown = str(folder)
        if folder.is_file():
            raise OutputError(f"{folder}: is a file; choose another --output")
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _refuse_others(self.shown, [path.name for path in folder.iterdir() if not LEFT_OVER.fullmatch(path.name)])

    def has(self, run: str) -> bool:
        """Return whether a run folder exists."""
        return (self.folder / run / RECORD).exists()

    def record(self, run: str) -> bytes | None:
        """Return the content of run.json of a run, or None if there is none."""
        path = self.folder / run / RECORD
        with output_errors(path):
            return path.read_bytes() if path.exists() else None

    def fetch_pictures(self, runs: Iterable[str]) -> None:
        """Do nothing: they are here."""

    def push(self) -> None:
        """Do nothing: the page is where the run folders are."""


class RemoteStore:
    """A batch in a store such as s3://. On this machine, it has a folder in the cache for the page and the records."""

    def __init__(self, url: str):
        self._files = RemoteFolder(url)
        self.remote: str | None = url
        self.shown = self._files.url
        digest = hashlib.sha256(self.shown.encode()).hexdigest()[:16]
        try:
            self.folder = cache_folder() / "batches" / digest
        except OSError as error:
            raise DreamError(f"{self.shown}: there is no home folder for the files under way ({error})") from None
        self.runs = self.folder / "under-way"
        with output_errors(self.folder):
            self.runs.mkdir(0o700, parents=True, exist_ok=True)
        names = self._files.names()
        _refuse_others(self.shown, names)
        self._there = {name.removesuffix(f"/{RECORD}") for name in names if name.endswith(f"/{RECORD}")}
        self._thumbnails = {name for name in names if name.startswith(f"{THUMBNAILS}/")}
        self._stamps: dict[str, tuple[int, int]] = {}
        self._pictures: set[Path] = set()
        for name in (BATCH, RESULTS):
            content = self._files.get(name)
            path = self.folder / name
            if content is None:
                with output_errors(path):
                    path.unlink(missing_ok=True)
            else:
                write_atomically(path, content)

    def has(self, run: str) -> bool:
        """Return whether a run folder existed when the store was opened."""
        return run in self._there

    def record(self, run: str) -> bytes | None:
        """Return the content of run.json of a run, or None if there is none."""
        return self._files.get(f"{run}/{RECORD}")

    def fetch_pictures(self, runs: Iterable[str]) -> None:
        """Fetch the pictures of runs that have no thumbnail yet. What cannot be fetched is not shown."""
        for run in runs:
            if self._has_thumbnail(run):
                continue
            for name in SHOWN:
                path = self.folder / run / name
                try:
                    with output_errors(path):
                        path.parent.mkdir(exist_ok=True)
                    with open_atomically(path, durable=False) as file:
                        self._files.fetch(f"{run}/{name}", file, MOST_OF_PICTURE)
                    self._pictures.add(path)
                except OutputError:
                    continue

    def _has_thumbnail(self, run: str) -> bool:
        """Return whether there is a thumbnail of a run, here or in the store, from which it is then fetched."""
        for name in (f"{THUMBNAILS}/photographs/{run}.jpg", f"{THUMBNAILS}/{run}.jpg"):
            path = self.folder / name
            if name in self._thumbnails and not path.exists() and (content := self._files.get(name)) is not None:
                with output_errors(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content, durable=False)
                self._stamps[name] = stamp(path)
        return path.exists()

    def push(self) -> None:
        """Push the page and the records that have changed, and forget the pictures that have thumbnails."""
        for path in [path for path in self._pictures if self._has_thumbnail(path.parent.name)]:
            with output_errors(path):
                path.unlink(missing_ok=True)
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
            self._pictures.remove(path)
        for path in [
            *(self.folder / name for name in (BATCH, RESULTS, *PAGE)),
            *self.folder.glob(f"{THUMBNAILS}/**/*.jpg"),
        ]:
            if not path.exists():
                continue
            name = path.relative_to(self.folder).as_posix()
            if self._stamps.get(name) != (now := stamp(path)):
                self._files.push(path, name)
                self._stamps[name] = now


def _refuse_others(shown: str, names: Collection[str]) -> None:
    """Raise OutputError if there are files that are not of a batch: its page could replace some of them."""
    if names and BATCH not in names and RESULTS not in names:
        raise OutputError(f"{shown}: is not empty, and contains no batch; choose another --output")


def open_store(name: str) -> Store:
    """Open the store of a batch: a folder, or a URL such as s3://bucket/folder. Raises OutputError and DreamError."""
    return RemoteStore(name) if "://" in name else LocalStore(Path(name))
