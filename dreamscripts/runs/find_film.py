"""Name films, and find the interrupted film that a person means."""

import os
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from dreamscripts.atomic_files import LEFT_OVER, numbered, output_errors
from dreamscripts.errors import OutputError
from dreamscripts.runs.film_record import FilmRecord
from dreamscripts.runs.records import read_record
from dreamscripts.runs.run_record import path_text

FRAMES = ("frame_*.npy", "segment_*.mp4", "rest.mp4")
FILES = ("film.json", "state.npz", "settings.toml", "start.npy", *FRAMES)
"""The files of a film in the making."""


def parts_of(film: Path) -> Path:
    """Return the folder of a film in the making."""
    return film.with_name(f"{film.name}.parts")


def new_film(name: str, ending: str) -> Path:
    """Return the first of name, name-2, name-3, … with this ending that is no film, begun or finished."""
    films = (path.with_name(path.name + ending) for path in numbered(name))
    return next(film for film in films if not os.path.lexists(film) and not parts_of(film).exists())


def remove_if_killed_at_start(film: Path) -> None:
    """Delete the files of a film in the making that has no record: a process was killed when it began or ended it.

    Call this only if no other process makes the film. Raises OutputError.
    """
    folder = parts_of(film)
    with output_errors(folder):
        if not folder.is_dir() or os.path.lexists(folder / "film.json"):
            return
        names = {path.name for path in folder.iterdir()}
        if all(LEFT_OVER.fullmatch(name) or any(fnmatchcase(name, file) for file in FILES) for name in names):
            for name in names:
                (folder / name).unlink()
            folder.rmdir()


def interrupted_film(kind: str, source: Path | None) -> Path:
    """Return the last interrupted film in the working directory that was made of `source`, or of noise (None).

    Raises OutputError if there is none.
    """
    found = []
    for path in Path().glob("*.parts/film.json"):
        with suppress(OutputError, OSError):
            record = read_record(path, FilmRecord, "")
            if record.kind == kind and record.source == (path_text(source) if source else None):
                found.append((path.stat().st_mtime_ns, path.parent.with_name(path.parent.name.removesuffix(".parts"))))
    if not found:
        raise OutputError(
            f"{source or 'noise'}: there is no interrupted {kind} of it in this folder; use --output FILM"
        )
    return max(found)[1]
