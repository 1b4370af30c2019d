"""Looks: the named settings and the person's own, and what may be in settings that come from a page or a picture."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library.folder import StudioFolder


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


@dataclass(frozen=True)
class Problem:
    """What is wrong with settings."""

    message: str
    line: int | None
    """From 1. None: no single line."""


@dataclass(frozen=True)
class Checked:
    """Settings in TOML, with all values that they have."""

    toml: str
    values: dict[str, Any] = field(default_factory=dict)
    """The value of each dotted key, also of those that have their default value."""
    features: dict[str, dict[str, Any]] = field(default_factory=dict)
    """weight, measure and channels of each layer."""
    network: str = ""
    optimizer: str = ""
    problem: Problem | None = None
    settings: Settings | None = None
    """None if there is a problem."""


class Looks:
    """The looks of the package and those in the base folder, `<name>.toml`.

    `allowed` are the files (models, weights, guide pictures) that settings may name.
    """

    def __init__(self, folder: StudioFolder, allowed: Collection[str] = ()):
        self._folder = folder
        self._allowed = frozenset(allowed)

    def all(self) -> list[Look]:
        """Return all looks: those of the package, then the person's own, by name."""
        return []

    def get(self, name: str) -> Look:
        """Return a look. Raises Missing."""
        raise NotImplementedError

    def toml(self, name: str) -> str:
        """Return the TOML of a look. Raises Missing."""
        raise NotImplementedError

    def save(self, name: str, toml: str) -> Look:
        """Save settings as the person's own look. An own look of this name is replaced.

        Raises SettingsError if the name is one of the package's, or not [a-z0-9_-]{1,60}, or if the settings have a
        problem.
        """
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Delete an own look. Raises Missing, and SettingsError for a look of the package."""

    def check(self, toml: str) -> Checked:
        """Check settings. Never raises: what is wrong with them is the `problem`."""
        return Checked(toml)

    def change(self, toml: str, changes: Mapping[str, Any]) -> Checked:
        """Change values in TOML by their dotted keys, and keep its comments. None removes a key. See `check`."""
        return Checked(toml)

    def load(self, toml: str) -> Settings:
        """Return checked settings. Raises SettingsError, also if they name a file that is not allowed."""
        raise NotImplementedError
