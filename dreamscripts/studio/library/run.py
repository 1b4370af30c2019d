"""Run: what the history says of a run or a film. Details: what its own page shows."""

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["running", "stopped", "diverged", "complete", "damaged"]


@dataclass(frozen=True)
class FileLink:
    """A file that `Files.open` opens: the identifier of what it belongs to, and a fixed name."""

    id: str
    name: str
    version: int = 0
    """Another number when the file has changed, for the address."""


@dataclass(frozen=True)
class Run:
    """A run or a film in the history."""

    id: str
    kind: Literal["dream", "film"]
    folder: str
    """The name of the run folder or film file within the base folder, or "sheet/run"."""
    state: State
    created: float
    """Seconds since 1970."""
    name: str = ""
    """The name to show."""
    message: str = ""
    """Why it is damaged or cannot be resumed."""
    look: str = ""
    photo_name: str = ""
    """The name of the photograph, or "" if it started from noise."""
    network: str = ""
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    """The time that it has taken."""
    iterations: int = 0
    """Iterations, or frames of a film."""
    loss: float | None = None
    picture: FileLink | None = None
    """The newest picture, or the film."""
    thumbnail: FileLink | None = None
    resumable: bool = False
    sheet: str | None = None
    """The identifier of the sheet that it belongs to."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a run."""

    iteration: int
    link: FileLink


@dataclass(frozen=True)
class Details:
    """All of a run that its page shows."""

    run: Run
    rows: list[dict[str, Any]] = field(default_factory=list)
    """octave, iteration, passes, seconds, loss, terms of each iterate. Numbers can be infinite or NaN."""
    settings: str = ""
    """TOML."""
    start: FileLink | None = None
    """The picture before."""
    snapshots: list[Snapshot] = field(default_factory=list)
    downloads: dict[str, FileLink] = field(default_factory=dict)
    """picture, settings, losses, film: those that exist."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunPage:
    """A part of the history."""

    runs: list[Run]
    next: str | None
    """The cursor of the next part, or None at the end."""
    looks: list[str]
    photos: list[str]
