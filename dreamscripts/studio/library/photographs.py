"""Photographs: the pictures that a person dreams on, decoded and written again, never kept as they came."""

import filecmp
import logging
import re
import secrets
import shutil
import time
import unicodedata
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from threading import RLock
from typing import BinaryIO

from pydantic import Field, ValidationError

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.errors import DreamError, PictureError, SettingsError, short
from dreamscripts.images.decoding import fitted_size
from dreamscripts.images.file_kinds import kind_of
from dreamscripts.images.files import open_photo, read_settings, save_picture
from dreamscripts.images.png_chunks import chunks
from dreamscripts.runs.records import Record
from dreamscripts.studio.library import within
from dreamscripts.studio.library.folder import StudioFolder, make_private
from dreamscripts.studio.library.within import Missing

MOST_BYTES = 64 * 2**20  # of a file
MOST_PIXELS = 100_000_000
MOST_CHUNKS = 50_000  # of a PNG: to look at millions of them takes minutes
LONGEST_SIDE = 4096  # pixels; larger photographs are reduced
MOST_PHOTOGRAPHS = 500
LONGEST_NAME, LONGEST_STEM = 120, 60  # characters, to show and in the names of files
LONGEST_SETTINGS = 100_000  # characters
KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
RECORD = "photograph.json"
PREVIEW = re.compile(r"([a-z0-9_-]{1,60})\.png")
MOST_OF_RECORD = 2_000_000  # bytes
ABANDONED = 3600.0  # seconds after which a photograph without a record is not being written any more
INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # Unicode's categories of characters that are obeyed or hidden

log = logging.getLogger(__name__)


class Photograph(Record):
    """A photograph in the store, as its file photograph.json says."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    name: str
    """The name of the file that it came from, to show."""
    file: str
    """The name of its PNG file in its folder."""
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    created: float = Field(default_factory=time.time, ge=0, allow_inf_nan=False)
    """Seconds since 1970."""
    notes: list[str] = Field(default_factory=list)
    """What was changed, one line each."""
    settings: str | None = None
    """The settings in a picture that dreamscripts made: TOML that nobody has checked."""


class Photographs:
    """The photographs in the store. Threads may share them."""

    def __init__(self, folder: StudioFolder):
        self._store = folder.store
        self._folder = folder.store / "photographs"
        self._lock = RLock()
        self._known: dict[str, Photograph] = {}
        self._remove_abandoned()

    def add(self, file: BinaryIO, name: str) -> Photograph:
        """Decode a picture and keep it as a PNG without anything else in it. `name` is that of the person's file.

        It becomes upright and sRGB, at most LONGEST_SIDE pixels on a side. The same picture with the same name is kept
        once. Raises PictureError, and OutputError if the disk is full.
        """
        name = shown_name(name)
        if len(within.names(self._folder)) >= MOST_PHOTOGRAPHS:
            raise PictureError(f"there are {MOST_PHOTOGRAPHS} photographs here already; delete some of them first")
        id = secrets.token_hex(8)
        folder = self._folder / id
        with output_errors(folder):
            folder.mkdir(mode=0o700)
        try:
            photograph = self._decoded(folder, id, file, name)
            if twin := self._twin(photograph):
                shutil.rmtree(folder, ignore_errors=True)
                return twin
            write_atomically(folder / RECORD, photograph.model_dump_json(indent=1).encode())
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, PictureError):  # it names our own file, which the person does not know
                message = str(error).replace(str(_upload(folder)), name)
                sentence = message.startswith((f"{name}: is ", f"{name}: has ", f"{name}: contains "))
                raise PictureError(message.replace(f"{name}: ", f"{name} ", 1) if sentence else message) from None
            raise
        with self._lock:
            self._known[id] = photograph
        return photograph

    def all(self) -> list[Photograph]:
        """Return the photographs, newest first."""
        with self._lock:
            found = set(within.names(self._folder))
            for id in self._known.keys() - found:
                del self._known[id]
            for id in found - self._known.keys():
                if (photograph := self._read(id)) is not None:
                    self._known[id] = photograph
            return sorted(self._known.values(), key=lambda photograph: (-photograph.created, photograph.id))

    def get(self, id: str) -> Photograph:
        """Return a photograph. Raises Missing."""
        with self._lock:
            photograph = self._known.get(id) or self._read(id)
        if photograph is None or not within.is_file(self._folder, id, photograph.file):
            raise Missing("this photograph is not here any more")
        return photograph

    def path(self, id: str) -> Path:
        """Return the PNG file of a photograph. Raises Missing."""
        return self._folder / id / self.get(id).file

    def previews_folder(self, id: str) -> Path:
        """Return the folder for the previews of a photograph, `<look>.png`. Raises Missing and OutputError."""
        folder = self._store / "previews" / self.get(id).id
        make_private(folder)
        return folder

    def previews(self, id: str) -> list[str]:
        """Return the looks of which there is a preview."""
        found = map(PREVIEW.fullmatch, within.names(self._store, "previews", id))
        return sorted(match[1] for match in found if match)

    def named(self, path: str) -> Photograph | None:
        """Return the photograph whose file has this path, as a run's record says it, or None."""
        try:
            found = Path(path)
            photograph = self.get(found.parent.name) if found.parent.parent == self._folder else None
        except (DreamError, ValueError):
            return None
        return photograph if photograph and photograph.file == found.name else None

    def remove(self, id: str) -> None:
        """Delete a photograph and its previews. Runs of it stay. Raises Missing."""
        self.get(id)
        for room in ("photographs", "previews"):
            shutil.rmtree(self._store / room / id, ignore_errors=True)
        with self._lock:
            self._known.pop(id, None)
        if within.is_folder(self._folder, id):
            raise PictureError("this photograph cannot be deleted; somebody has changed the rights of its folder")

    def _decoded(self, folder: Path, id: str, file: BinaryIO, name: str) -> Photograph:
        """Write the PNG of a picture in its folder, and return its record. Raises PictureError and OutputError."""
        path = _upload(folder)
        with output_errors(path):
            content = file.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise PictureError(f"{path}: is larger than {MOST_BYTES // 2**20} MB; make it smaller first")
            path.write_bytes(content)
        del content
        kind = _checked_kind(path)
        height, width = fitted_size(path, None)
        if height * width > MOST_PIXELS:
            raise PictureError(
                f"{path}: has {height * width / 1e6:.0f} million pixels, and {MOST_PIXELS / 1e6:.0f} million are the "
                "limit; make it smaller first"
            )
        reduced = max(height, width) > LONGEST_SIDE
        photo = open_photo(path, LONGEST_SIDE if reduced else None)
        notes = [short(note) for note in photo.notes]
        height, width, _ = photo.pixels.shape
        if reduced:
            notes.append(f"it was reduced to {width} × {height} pixels")
        settings, note = _settings_in(path) if kind == "PNG" else (None, "")
        notes += [note] if note else []
        file_name = f"{stem_of(name)}.png"
        save_picture(photo.pixels, folder / file_name)
        with output_errors(path):
            path.unlink()
        return Photograph(id=id, name=name, file=file_name, width=width, height=height, notes=notes, settings=settings)

    def _twin(self, photograph: Photograph) -> Photograph | None:
        """Return the photograph that is the same in all but its identifier and its date, if there is one."""
        path = self._folder / photograph.id / photograph.file
        own = {"id", "created"}
        for other in self.all():
            if photograph.model_dump(exclude=own) == other.model_dump(exclude=own):
                with suppress(DreamError, OSError):
                    if filecmp.cmp(path, self.path(other.id), shallow=False):
                        return other
        return None

    def _read(self, id: str) -> Photograph | None:
        """Read the record of a photograph. None if it is missing or damaged, or not that of this folder."""
        if not re.fullmatch("[0-9a-f]{16}", id):
            return None
        try:
            content = within.read(self._folder, id, RECORD, most=MOST_OF_RECORD)
            photograph = Photograph.model_validate_json(content)
        except Missing:
            return None
        except ValidationError:
            log.warning("%s: is damaged; delete the folder", self._folder / id / RECORD)
            return None
        return photograph if photograph.id == id else None

    def _remove_abandoned(self) -> None:
        """Delete what a killed process has left: a photograph without a record."""
        for id in within.names(self._folder):
            found = within.status(self._folder, id)
            if found and found.st_mtime < time.time() - ABANDONED and not within.is_file(self._folder, id, RECORD):
                shutil.rmtree(self._folder / id, ignore_errors=True)


def shown_name(name: str) -> str:
    """Return the name of a file that somebody sent as it can be shown: without folders and invisible characters."""
    last = re.split(r"[/\\]", name[:10_000])[-1]
    visible = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c) not in INVISIBLE)
    plain = " ".join(visible.split())
    if len(plain) > LONGEST_NAME:
        ending = PurePosixPath(plain).suffix[-10:]
        plain = f"{plain[: LONGEST_NAME - len(ending) - 1]}…{ending}"
    return plain or "photograph"


def stem_of(name: str) -> str:
    """Return what a file that is made of the picture `name` may be called, in any file system and without ending."""
    stem = re.sub(r'[<>:"/\\|?*%]+', "-", re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name))[:LONGEST_STEM]
    while len(stem.encode()) > 2 * LONGEST_STEM:
        stem = stem[:-1]
    return stem.strip("-. ") or "photograph"


def _upload(folder: Path) -> Path:
    """Return where a picture lies while it is decoded."""
    return folder / "upload"


def _checked_kind(path: Path) -> str:
    """Return the format of a picture. Raises PictureError if it is none of KINDS."""
    with path.open("rb") as file:
        kind = kind_of(file)
        if kind.name == "PNG" and next(islice(chunks(file), MOST_CHUNKS, None), None):
            raise PictureError(f"{path}: is made of more than {MOST_CHUNKS} parts; save it again with another program")
    if kind.refusal:
        raise PictureError(f"{path}: {kind.refusal}")
    if kind.name not in KINDS:
        raise PictureError(f"{path}: is not a picture that can be read; use JPEG, PNG, WebP, TIFF, AVIF, GIF or BMP")
    return kind.name


def _settings_in(path: Path) -> tuple[str | None, str]:
    """Return the settings in a PNG, or None, and a note."""
    try:
        settings = read_settings(path)
    except SettingsError as error:
        return None, "the settings in it are damaged" if "damaged" in str(error) else ""
    if len(settings) > LONGEST_SETTINGS:
        return None, "the settings in it are too long to be used"
    return settings, ""
