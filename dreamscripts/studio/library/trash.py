"""Trash: what was deleted waits in the store until it is restored or the trash is emptied."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import PurePosixPath
from threading import RLock

from dreamscripts.atomic_files import fitting_name, output_errors, write_atomically
from dreamscripts.errors import OutputError
from dreamscripts.film_files.kinds import KINDS as FILMS
from dreamscripts.studio.library import within
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.locks import locked
from dreamscripts.studio.library.moving import move, size_of
from dreamscripts.studio.library.names import title
from dreamscripts.studio.library.run import Run
from dreamscripts.studio.library.scanning import PARTS
from dreamscripts.studio.library.sheet_record import find_sheet
from dreamscripts.studio.library.trash_record import RECORD, TrashRecord, read_trashed
from dreamscripts.studio.library.within import Missing


@dataclass(frozen=True)
class Trashed:
    """A run, film or sheet in the trash."""

    id: str
    """That of the run or sheet when it was deleted."""
    run: Run
    """As it was then. Of a sheet, it has the sheet's name and no picture."""
    trashed: float
    """Seconds since 1970."""
    bytes: int


class Trash:
    """The trash of the studio. Threads may share it."""

    def __init__(self, folder: StudioFolder, history: History):
        self._folder = folder
        self._trash = folder.store / "trash"
        self._history = history
        self._lock = RLock()

    def put_run(self, id: str) -> Trashed:
        """Move a run or film into the trash. Raises Missing, and OutputError if it is being written."""
        run = self._history.get(id)
        name = run.folder
        if within.status(self._folder.base, *name.split("/")) is None:
            name += PARTS  # a film in the making
        item = self._put(id, run, name)
        self._history.refresh(run.folder)
        return item

    def put_sheet(self, id: str) -> Trashed:
        """Move a sheet and all its runs into the trash. Raises Missing, and OutputError if one is being written."""
        name, record = find_sheet(self._folder, id)
        return self._put(id, Run(id, "dream", name, "complete", record.created, title(name), look=record.look), name)

    def items(self) -> list[Trashed]:
        """Return what is in the trash, newest first."""
        found = []
        for id in within.names(self._trash):
            with suppress(Missing):
                record = read_trashed(self._folder.store, id)
                found.append(Trashed(id, replace(record.run, id=id), record.trashed, record.bytes))
        return sorted(found, key=lambda item: (-item.trashed, item.id))

    def restore(self, id: str) -> str:
        """Move something back, and return its name within the base folder: a numbered one if its name is taken.

        Raises Missing and OutputError. `History.refresh` then finds it.
        """
        with self._lock:
            record = read_trashed(self._folder.store, id)
            folder, _, last = record.name.rpartition("/")
            if folder and not within.is_folder(self._folder.base, folder):
                folder = ""  # the sheet was deleted, too
            for numbered in _numbered(last):
                name = f"{folder}/{numbered}" if folder else numbered
                if self._is_taken(name):
                    continue
                with output_errors(self._folder.base / name), suppress(FileExistsError):
                    move(self._trash, f"{id}/{record.content}", self._folder.base, name)
                    break
            shutil.rmtree(self._trash / id, ignore_errors=True)
            return name.removesuffix(PARTS)

    def empty(self) -> None:
        """Delete everything in the trash for good. Raises OutputError if something cannot be deleted."""
        with self._lock:
            for id in within.names(self._trash):
                with suppress(RecursionError):  # a thousand folders in each other, which no dream has
                    shutil.rmtree(self._trash / id, ignore_errors=True)
                with suppress(OSError):
                    (self._trash / id).unlink()  # a file or a link that somebody else put there
            if within.names(self._trash):
                raise OutputError(
                    "the trash cannot be emptied; somebody has changed a folder in it (its rights, or its depth)"
                )

    def _put(self, id: str, run: Run, name: str) -> Trashed:
        base, parts = self._folder.base, name.split("/")
        with self._lock, ExitStack() as locks:
            if within.is_folder(base, *parts):
                locks.enter_context(locked(base, *parts))
                for inner in within.names(base, *parts):
                    if within.is_file(base, *parts, inner, "run.json"):  # a run of a sheet
                        locks.enter_context(locked(base, *parts, inner))
                content = "content"
            elif within.is_file(base, *parts):
                content = f"content{PurePosixPath(name).suffix.lower()}"
            else:
                raise Missing("this dream is not here any more")
            with output_errors(base / name):
                size = size_of(base, name)
            record = TrashRecord(name=name, content=content, run=run, trashed=time.time(), bytes=size)
            self._make_place(id)
            try:
                write_atomically(self._trash / id / RECORD, record.model_dump_json(indent=1).encode())
                with output_errors(base / name):
                    move(base, name, self._trash, f"{id}/{content}")
            except BaseException:
                if within.status(self._trash, id, content) is None:
                    shutil.rmtree(self._trash / id, ignore_errors=True)
                raise
        return Trashed(id, run, record.trashed, record.bytes)

    def _make_place(self, id: str) -> None:
        """Make a folder for an item. An older item with this identifier gets another one."""
        place = self._trash / id
        with output_errors(place):
            if os.path.lexists(place):
                place.rename(self._trash / secrets.token_hex(8))
            place.mkdir(mode=0o700)

    def _is_taken(self, name: str) -> bool:
        """Return whether a name is that of something in the base folder, or of a film in the making there."""
        film = name.removesuffix(PARTS)
        return any(within.status(self._folder.base, *one.split("/")) is not None for one in (film, film + PARTS))


def _numbered(name: str) -> Iterator[str]:
    """Yield name, name-2, name-3, … with the ending of a film or picture at the end."""
    plain = name.removesuffix(PARTS)
    ending = PurePosixPath(plain).suffix
    ending = ending if ending.lower() in (*FILMS, ".png") else ""
    stem, end = plain.removesuffix(ending), ending + name[len(plain) :]
    yield name
    yield from (fitting_name(stem, f"-{number}{end}") for number in count(2))
