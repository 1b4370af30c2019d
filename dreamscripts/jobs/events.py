"""Events: what a listener learns of jobs, previews and workers, as it happens."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamscripts.jobs.job import Job


@dataclass(frozen=True)
class JobChanged:
    """A job is new, or has another state, message or place."""

    job: Job


@dataclass(frozen=True)
class JobRemoved:
    """A job was removed from the queue."""

    id: str


@dataclass(frozen=True)
class Progress:
    """How far a running job is. There are at most ten a second, and one for each iteration or frame.

    The keys of `progress` are those of `Facts` (progress.py): octave, octaves, iteration, iterations, passes,
    loss, terms, seconds, left, share, snapshot, frame, frames.
    """

    job: str
    progress: Mapping[str, Any]


@dataclass(frozen=True)
class PreviewMade:
    """A look was tried on a photograph. The picture is in the file `path`."""

    photo: str
    look: str
    path: Path


@dataclass(frozen=True)
class PreviewsEnded:
    """There are no more previews of a photograph to come. `message` names the looks that could not be tried."""

    photo: str
    message: str = ""


@dataclass(frozen=True)
class WorkerChanged:
    """The worker of a lane ("dreams", "previews") is "starting", "ready", "busy", "restarted" or "failed"."""

    lane: str
    status: str
    message: str = ""


Event = JobChanged | JobRemoved | Progress | PreviewMade | PreviewsEnded | WorkerChanged
