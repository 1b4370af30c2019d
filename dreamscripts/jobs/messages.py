"""What the supervisor and its worker processes say to each other, through a pipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dreamscripts.jobs.job import Job


@dataclass(frozen=True)
class JobTask:
    """Make what a job asks for."""

    job: Job

    @property
    def id(self) -> str:
        """The identifier of the job."""
        return self.job.id


@dataclass(frozen=True)
class PreviewTask:
    """Try looks, {name: TOML}, on the picture in the file `path`."""

    photo: str
    path: Path
    looks: Mapping[str, str]
    folder: Path

    @property
    def id(self) -> str:
        """The identifier of the photograph."""
        return self.photo


Task = JobTask | PreviewTask


@dataclass(frozen=True)
class Stop:
    """Stop the task at its next pass."""


@dataclass(frozen=True)
class Ready:
    """The worker has started Keras, and waits for a task."""

    node: str = ""
    """The name of its machine."""


@dataclass(frozen=True)
class StartFailed:
    """Keras cannot be started. The worker ends."""

    message: str


@dataclass(frozen=True)
class StartOtherwise:
    """The task was begun with oneDNN on or off, and this worker cannot change that. The worker ends."""

    onednn: bool


@dataclass(frozen=True)
class Report:
    """How far the task is: the progress of a job, or {"look": name, "path": path} of a preview."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """The task has ended. `message` are notes on what is done, or the error."""

    how: Literal["done", "stopped", "failed"]
    message: str = ""
    again: bool = False
    """As in Job."""
    node: str = ""
    """The name of the machine that did it. Empty if no worker has said so."""


Request = JobTask | PreviewTask | Stop
Answer = Ready | StartFailed | StartOtherwise | Report | Ended
