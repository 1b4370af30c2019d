"""Find what the base folder contains: run folders, sheets with runs in them, films, films in the making, pictures."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dreamscripts.film_files.kinds import KINDS as FILMS
from dreamscripts.studio.library import within

PARTS = ".parts"  # the end of the name of the folder of a film in the making
SHEET = "sheet.json"
Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """A run, a film, or something that may be one."""

    kind: Literal["dream", "film", "begun film", "picture"]
    name: str
    """Its name within the base folder: that of a run folder or file, or "sheet/run". Of a begun film, the film's."""
    stamp: Stamp
    """Numbers that are others when its files have changed."""


def scan(base: Path) -> Iterator[Found]:
    """Yield all runs and films in a folder, and the runs in its sheets. No link is followed, nor a hidden name."""
    for name in within.names(base):
        if name.startswith("."):
            continue
        if found := find(base, name):
            yield found
        elif within.is_file(base, name, SHEET):
            for inner in within.names(base, name):
                if not inner.startswith(".") and (run := find(base, f"{name}/{inner}")) and run.kind == "dream":
                    yield run


def find(base: Path, name: str) -> Found | None:
    """Return the run or film with this name, or the begun film whose folder has this name. None: it is neither."""
    parts = name.split("/")
    status = within.status(base, *parts)
    if status is None:
        return find(base, name + PARTS) if _is_film(name) else None
    if stat.S_ISREG(status.st_mode):
        kind: Literal["film", "picture"] | None = "film" if _is_film(name) else "picture" if _is_png(name) else None
        return Found(kind, name, _stamp(status)) if kind and status.st_size else None
    if not stat.S_ISDIR(status.st_mode):
        return None
    if record := within.status(base, *parts, "run.json"):
        return Found("dream", name, (*_stamp(status), *_stamp(record)))
    film = name.removesuffix(PARTS)
    if film != name and _is_film(film) and (record := within.status(base, *parts, "film.json")):
        return Found("begun film", film, (*_stamp(status), *_stamp(record)))
    return None


def _is_film(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in FILMS  # noqa: PTH122 - of any text


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")


def _stamp(status: os.stat_result) -> Stamp:
    return (stat.S_IFMT(status.st_mode), status.st_mtime_ns, status.st_size, status.st_ino)
