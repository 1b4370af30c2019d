"""Files: open a file of a run, a photograph or a sheet by its identifier and one of a few names, never by a path."""

import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from dreamscripts.images.png_chunks import SIGNATURE
from dreamscripts.studio.library import within
from dreamscripts.studio.library.dreams import SNAPSHOT, version
from dreamscripts.studio.library.films import PICTURE
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.photographs import Photograph, Photographs, stem_of
from dreamscripts.studio.library.run import Run
from dreamscripts.studio.library.sheets import Sheets
from dreamscripts.studio.library.thumbnails import Thumbnails
from dreamscripts.studio.library.trash_record import read_trashed
from dreamscripts.studio.library.within import Missing

THUMBNAIL, PHOTOGRAPH, START, SHEET = "thumbnail.jpg", "photograph.png", "start.png", "sheet.png"
OF_RUN = ("final.png", "settings.toml", "loss.csv", "loss.png")
PREVIEW = re.compile(r"preview-([a-z0-9_-]{1,60})\.png")
MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".toml": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True)
class OpenFile:
    """An open file to send. Whoever gets it closes `file`."""

    file: BinaryIO
    size: int
    """Bytes."""
    modified: float
    """Seconds since 1970."""
    kind: str
    """The media type, one of MEDIA."""
    download: str
    """A name for the file where it is saved."""


class Files:
    """Opens the files that FileLink names."""

    def __init__(self, folder: StudioFolder, photographs: Photographs, history: History, sheets: Sheets):
        self._base, self._store = folder.base, folder.store
        self._photographs = photographs
        self._history = history
        self._sheets = sheets
        self._thumbnails = Thumbnails(folder)

    def open(self, id: str, name: str) -> OpenFile:
        """Open a file. Raises Missing if there is none, and for every name that is not one of those in FileLinks.

        `name` of a photograph: photograph.png, thumbnail.jpg, preview-LOOK.png. Of a run: final.png,
        iteration_000.png, start.png, settings.toml, loss.csv, loss.png, thumbnail.jpg. Of a single picture:
        picture.png, thumbnail.jpg. Of a film: film.mp4, or with its other ending, and thumbnail.jpg. Of what is in the
        trash: thumbnail.jpg. Of a sheet: sheet.png. A thumbnail is made when it is first asked for.
        """
        if not re.fullmatch("[0-9a-f]{16}", id):
            raise Missing("there is no such file")
        if name == SHEET:
            return _opened(self._of_sheet(id), name, self._sheets.get(id).folder)
        try:
            run = self._history.get(id)
        except Missing:
            if within.is_folder(self._store, "trash", id):
                return _opened(self._of_trash(id, name), name, id)
            photograph = self._photographs.get(id)
            return _opened(self._of_photograph(photograph, name), name, stem_of(photograph.name))
        return _opened(self._of_run(run, name), name, run.name)

    def _of_run(self, run: Run, name: str) -> BinaryIO:
        parts = run.folder.split("/")
        if name == THUMBNAIL and run.picture:
            number = run.picture.version
            if run.kind == "film":
                return self._thumbnails.of_film(run.id, number, self._base, run.folder)
            inner = [] if run.picture.name == PICTURE else [run.picture.name]
            return self._thumbnails.of_picture(run.id, number, self._base, *parts, *inner)
        if run.kind == "film" or (run.picture and run.picture.name == PICTURE):
            if run.picture is None or name != run.picture.name:
                raise Missing("there is no such file")
            return within.open_file(self._base, *parts)
        if name == START:
            number = version(self._base, *parts, "start.npy")
            return self._thumbnails.of_start(run.id, number, self._base, *parts, "start.npy")
        if name in OF_RUN or SNAPSHOT.fullmatch(name):
            return within.open_file(self._base, *parts, name)
        raise Missing("there is no such file")

    def _of_photograph(self, photograph: Photograph, name: str) -> BinaryIO:
        parts = ["photographs", photograph.id, photograph.file]
        if name == PHOTOGRAPH:
            return within.open_file(self._store, *parts)
        if name == THUMBNAIL:
            return self._thumbnails.of_picture(photograph.id, 0, self._store, *parts)
        if match := PREVIEW.fullmatch(name):
            return within.open_file(self._store, "previews", photograph.id, f"{match[1]}.png")
        raise Missing("there is no such file")

    def _of_sheet(self, id: str) -> BinaryIO:
        link = self._sheets.get(id).picture
        if link is None:
            raise Missing("this sheet has no pictures yet")
        return self._thumbnails.of_sheet(id, link.version, lambda: self._sheets.picture(id))

    def _of_trash(self, id: str, name: str) -> BinaryIO:
        record = read_trashed(self._store, id)
        picture = record.run.picture
        if name != THUMBNAIL or picture is None:
            raise Missing("there is no such file")
        if record.run.kind == "film":
            return self._thumbnails.of_film(id, picture.version, self._store / "trash" / id, record.content)
        inner = [] if picture.name == PICTURE else [picture.name]
        return self._thumbnails.of_picture(id, picture.version, self._store, "trash", id, record.content, *inner)


def _opened(file: BinaryIO, name: str, title: str) -> OpenFile:
    """Describe an open file of the thing called `title`. Raises Missing if it is not what its name says."""
    status = os.fstat(file.fileno())
    ending = PurePosixPath(name).suffix
    if ending == ".png":
        is_png = file.read(len(SIGNATURE)) == SIGNATURE
        file.seek(0)
        if not is_png:
            file.close()
            raise Missing("this file is damaged")
    stem = PurePosixPath(name).stem
    of_snapshot = f"-{stem}" if stem.startswith(("iteration_", "start", "preview-", "loss")) else ""
    download = f"{stem_of(title)}{of_snapshot}{ending}"
    return OpenFile(file, status.st_size, status.st_mtime, MEDIA[ending], download)
