"""Looks: the named settings and the person's own, and what may be in settings that come from a page or a picture."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Any

from dreamscripts.atomic_files import output_errors, write_atomically
from dreamscripts.errors import DreamError, SettingsError, short, shown
from dreamscripts.settings.loading import named, named_files, read_text
from dreamscripts.settings.named_files import absolute, refuse_other_files
from dreamscripts.settings.network_names import registered_networks
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import within
from dreamscripts.studio.library.checking import Checked, explained, values_of
from dreamscripts.studio.library.editing import LONGEST, SOURCE, changed, parsed
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.scanning import Stamp
from dreamscripts.studio.library.within import Missing

NAME = re.compile("[a-z0-9_-]{1,60}")
FIRST = ("menagerie", "dreamy", "bad_trip", "marble", "bad_trip_octaves", "hardcore", "tutorial_octaves", "caffe")
"""The looks whose previews come first: they are as different as looks can be."""


@dataclass(frozen=True)
class Look:
    """Named settings, as the page shows them."""

    name: str
    title: str
    about: str
    """The first comment in the file."""
    own: bool
    """Whether the person saved it, so that it can be changed and deleted."""
    preview_rank: int | None
    """The place of its preview among others. None: it cannot be tried on a photograph."""


class Looks:
    """The looks of the package and those in the base folder, `<name>.toml`. Threads may share them.

    `allowed` are the files (models, weights, guide pictures) that settings may name.
    """

    def __init__(self, folder: StudioFolder, allowed: Collection[str] = ()):
        self._base = folder.base
        self._allowed = {absolute(path) for path in allowed}
        self._lock = RLock()
        self._shipped: list[Look] = []
        self._own: dict[str, tuple[Stamp, Look | None]] = {}

    def all(self) -> list[Look]:
        """Return all looks: those of the package, then the person's own, by name.

        Those of the package that need a file, such as a guide picture, are left out.
        """
        with self._lock:
            self._shipped = self._shipped or [
                self._look(name, about, False) for name, about in named().items() if self._is_whole(name)
            ]
            own = [look for name in self._names() if (look := self._own_look(name))]
            return [*self._shipped, *own]

    def get(self, name: str) -> Look:
        """Return a look. Raises Missing."""
        look = next((look for look in self.all() if look.name == name), None)
        if look is None:
            raise Missing("there is no such look")
        return look

    def toml(self, name: str) -> str:
        """Return the TOML of a look. Raises Missing."""
        return self._text(name) if self.get(name).own else read_text(name)

    def save(self, name: str, toml: str) -> Look:
        """Save settings as the person's own look. An own look of this name is replaced.

        Raises SettingsError if the name is one of the package's, or not [a-z0-9_-]{1,60}, or if the settings have a
        problem.
        """
        if not NAME.fullmatch(name):
            raise SettingsError("the name of a look has small letters, digits, - and _, and at most 60 of them")
        if name in named_files():
            raise SettingsError(f"{name} is a look of dreamscripts; choose another name")
        self.load(toml)
        file = f"{name}.toml"
        with self._lock:
            if within.status(self._base, file) and self._own_look(name) is None:
                raise SettingsError(f"{file}: there is another file of this name; choose another name")
            write_atomically(self._base / file, toml.encode())
            look = self._own_look(name)
        if look is None:
            raise SettingsError(f"{file}: was changed by somebody else")
        return look

    def delete(self, name: str) -> None:
        """Delete an own look. Raises Missing, and SettingsError for a look of the package."""
        if not self.get(name).own:
            raise SettingsError(f"{name} is a look of dreamscripts, which stays")
        with self._lock, output_errors(self._base / f"{name}.toml"):
            (self._base / f"{name}.toml").unlink(missing_ok=True)

    def check(self, toml: str) -> Checked:
        """Check settings. Never raises: what is wrong with them is the `problem`."""
        try:
            return values_of(toml, self.load(toml))
        except DreamError as error:
            return explained(toml, error)

    def change(self, toml: str, changes: Mapping[str, Any]) -> Checked:
        """Change values in TOML by their dotted keys, and keep its comments. None removes a key. See `check`."""
        try:
            toml = changed(toml, changes)
        except SettingsError as error:
            return explained(toml, error)
        return self.check(toml)

    def load(self, toml: str) -> Settings:
        """Return checked settings. Raises SettingsError, also if they name a file that is not allowed."""
        if len(toml) > LONGEST:
            parsed(toml)  # raises SettingsError
        settings = Settings.from_toml(toml, SOURCE, allow_files=True)
        refuse_other_files(settings, self._allowed, SOURCE)
        if settings.network not in {*registered_networks(), *self._allowed}:
            raise SettingsError(f"{SOURCE}: network = '{shown(short(settings.network))}' is no network of dreamscripts")
        return settings

    def _names(self) -> list[str]:
        """List the names that own looks may have in the base folder."""
        files = (name.removesuffix(".toml") for name in within.names(self._base) if name.endswith(".toml"))
        return sorted(name for name in files if NAME.fullmatch(name) and name not in named_files())

    def _own_look(self, name: str) -> Look | None:
        """Return the look in a file of the base folder, or None if the file is something else than settings."""
        found = within.status(self._base, f"{name}.toml")
        if found is None:
            return None
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if (known := self._own.get(name)) and known[0] == stamp:
            return known[1]
        look = None
        try:
            text = self._text(name)
            if isinstance(parsed(text).get("features"), dict):
                comment = next((line for line in text.splitlines() if line.strip()), "")
                about = comment.lstrip("# ") if comment.lstrip().startswith("#") else ""
                look = self._look(name, shown(short(about)), True)
        except DreamError:
            look = None
        self._own[name] = (stamp, look)
        return look

    def _text(self, name: str) -> str:
        try:
            return within.read(self._base, f"{name}.toml", most=4 * LONGEST).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsError(f"{name}.toml: is not a text in UTF-8") from None

    def _is_whole(self, name: str) -> bool:
        """Return whether named settings can be used as they are."""
        try:
            self.load(read_text(name))
        except SettingsError:
            return False
        return True

    def _look(self, name: str, about: str, own: bool) -> Look:
        title = re.sub("[_-]+", " ", name).strip().capitalize() or name
        return Look(name, title, about, own, self._rank(name, own))

    def _rank(self, name: str, own: bool) -> int | None:
        """Return the place of a preview: those in FIRST, then the person's own, then all others."""
        try:
            settings = self.load(self._text(name) if own else read_text(name))
        except DreamError:
            return None
        if settings.start == "noise" or settings.guide or any(one.channels for one in settings.features.values()):
            return None
        return FIRST.index(name) if name in FIRST else len(FIRST) + (0 if own else 1)
