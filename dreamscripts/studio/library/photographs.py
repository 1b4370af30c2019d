"""Photographs: the pictures that a person dreams on, decoded and written again, never kept as they came."""

import time
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from dreamscripts.errors import PictureError
from dreamscripts.runs.records import Record
from dreamscripts.studio.library.folder import StudioFolder

MOST_BYTES = 64 * 2**20  # of a file
MOST_PIXELS = 100_000_000
LONGEST_SIDE = 4096  # pixels; larger photographs are reduced
MOST_PHOTOGRAPHS = 500


class Photograph(Record):
    """A photograph in the store, as its file photograph.json says."""

    id: str = Field(pattern="^[0-9a-f]{16}$")
    name: str
    """The name of the file that it came from, to show."""
    file: str
    """The name of its PNG file in its folder."""
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    created: float = Field(default_factory=time.time)
    """Seconds since 1970."""
    notes: list[str] = Field(default_factory=list)
    """What was changed, one line each."""
    settings: str | None = None
    """The settings in a picture that dreamscripts made: TOML that nobody has checked."""


class Photographs:
    """The photographs in the store. Threads may share them."""

    def __init__(self, folder: StudioFolder):
        self._folder = folder

    def add(self, file: BinaryIO, name: str) -> Photograph:
        """Decode a picture and keep it as a PNG without anything else in it. `name` is that of the person's file.

        It becomes upright and sRGB, at most LONGEST_SIDE pixels on a side. Raises PictureError, and OutputError if the
        disk is full.
        """
        raise PictureError("not yet")

    def all(self) -> list[Photograph]:
        """Return the photographs, newest first."""
        return []

    def get(self, id: str) -> Photograph:
        """Return a photograph. Raises Missing."""
        raise NotImplementedError

    def path(self, id: str) -> Path:
        """Return the PNG file of a photograph. Raises Missing."""
        raise NotImplementedError

    def previews_folder(self, id: str) -> Path:
        """Return the folder for the previews of a photograph, `<look>.png`. Raises Missing."""
        raise NotImplementedError

    def previews(self, id: str) -> list[str]:
        """Return the looks of which there is a preview."""
        return []

    def named(self, path: str) -> Photograph | None:
        """Return the photograph whose file has this path, as a run's record says it, or None."""
        return None

    def remove(self, id: str) -> None:
        """Delete a photograph and its previews. Runs of it stay. Raises Missing."""
