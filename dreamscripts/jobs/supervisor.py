"""Supervisor: two worker processes, one for the jobs of a queue and one for previews, and what happens in them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from dreamscripts.jobs.events import Event
from dreamscripts.jobs.queue import JobQueue

LANES = ("previews", "dreams")


class Supervisor:
    """Do the jobs of a queue, one after the other, and previews beside them, each in a process of its own.

    `on_event` is called with each event, from the threads of the supervisor, and from each thread that changes the
    queue. It must return at once. Settings may name only the files in `allowed`: paths of models, weights and pictures.
    """

    def __init__(self, queue: JobQueue, on_event: Callable[[Event], None], allowed: Collection[str] = ()):
        self.queue = queue
        queue.on_change = on_event
        self.status: dict[str, tuple[str, str]] = dict.fromkeys(LANES, ("starting", ""))
        """The status and the message of the worker of each lane, as in the last WorkerChanged."""

    def start(self) -> None:
        """Start the worker of the previews and, when it is ready, that of the dreams."""

    def preview(self, photo_id: str, path: Path, looks: Mapping[str, str], folder: Path) -> None:
        """Try looks ({name: TOML}) on the picture in `path`, before all other previews.

        Each look becomes `folder/<name>.png`, quickest first. If other looks of this photograph wait, they are
        forgotten.
        """

    def cancel_previews(self, photo_id: str) -> None:
        """Make no more previews of a photograph."""

    def stop(self, job_id: str) -> None:
        """Stop a job that waits or runs. Its state then is "stopped"; change it to "waiting", and it goes on."""

    def wake(self) -> None:
        """Look for jobs in the queue, because it has changed. Start a worker again that had failed."""

    def close(self) -> None:
        """Stop both workers, and wait until they have ended. A running job waits again. Can be called twice."""
