"""Find the photographs of a batch: files, folders, patterns and lists."""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dreamscripts.errors import PictureError, short
from dreamscripts.images.file_kinds import ENDINGS

LIST = ".txt"
PATTERN = "*?["
MOST_BYTES = 100_000_000  # of a list


@dataclass(frozen=True)
class LeftOut:
    """A photograph that cannot be used."""

    path: str
    reason: str


def find_photographs(names: Iterable[str], folder: Path | None = None) -> tuple[list[Path], list[LeftOut]]:
    """Return the files that `names` mean, each once, and what there is not.

    A name is a file, a folder with pictures, a pattern such as "holiday/*.jpg", or a list: a text file (.txt) with a
    name in each line. Relative names are relative to `folder`. Raises PictureError if nothing is found.
    """
    found, left_out = dict[Path, None](), list[LeftOut]()
    _find(names, folder or Path(), found, left_out)
    if left_out and not found:
        raise PictureError(f"{left_out[0].path}: {left_out[0].reason}")
    return list(found), left_out


def _find(names: Iterable[str], folder: Path, found: dict[Path, None], left_out: list[LeftOut]) -> None:
    """Add the files that names mean to `found`, and the names that mean none to `left_out`."""
    for name in names:
        path = folder / os.path.expanduser(name)  # noqa: PTH111 - Path.expanduser fails without a home folder
        if path.suffix.lower() == LIST and path.is_file():
            _find(_lines(path), path.parent, found, left_out)
        elif paths := _meant(path):
            found.update(dict.fromkeys(paths))
        else:
            left_out.append(LeftOut(name, _why_none(path)))


def _why_none(path: Path) -> str:
    """Say why a path means no file."""
    if path.is_dir():
        return "there is no picture in this folder; folders within it are not searched"
    is_pattern = any(character in str(path) for character in PATTERN)
    return "no file matches this pattern" if is_pattern else "there is no such file or folder"


def _meant(path: Path) -> list[Path]:
    """Return the files that a path means: itself, the pictures in a folder, or those that a pattern matches."""
    if path.is_dir():
        files = [entry for entry in path.iterdir() if entry.suffix.lower() in ENDINGS]
    elif path.exists():
        return [path]
    elif any(character in str(path) for character in PATTERN):
        files = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - also an absolute one
    else:
        return []
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _lines(path: Path) -> list[str]:
    """Return the names in a list, without empty lines and comments. Raises PictureError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PictureError(f"{path}: is too long for a list of photographs")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise PictureError(f"{path}: cannot be read as a list of photographs ({short(str(error))})") from None
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
