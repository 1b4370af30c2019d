"""Supervisor: two worker processes, one for the jobs of a queue and one for previews, and what happens in them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from dreamscripts.jobs.events import Event
from dreamscripts.jobs.job_tasks import JobTasks
from dreamscripts.jobs.lane import Lane, Start
from dreamscripts.jobs.messages import PreviewTask
from dreamscripts.jobs.preview_tasks import PreviewTasks
from dreamscripts.jobs.process import WorkerProcess
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.setup import Setup

KEPT_PREVIEWS = 12  # evaluators; one takes about 20 MB


class Supervisor:
    """Do the jobs of a queue, one after the other, and previews beside them, each in a process of its own.

    `on_event` is called with each event, from the threads of the supervisor, and from each thread that changes the
    queue. It must return at once. Settings may name only the files in `allowed`: paths of models, weights and pictures.
    """

    def __init__(
        self,
        queue: JobQueue,
        on_event: Callable[[Event], None],
        allowed: Collection[str] = (),
        start: Start = WorkerProcess,
    ):
        queue.on_change = on_event
        self._jobs, self._previews = JobTasks(queue, on_event), PreviewTasks(on_event)
        # The server answers first, then previews are made, and then dreams.
        previews = Setup("previews", queue.base, tuple(allowed), niceness=5, kept=KEPT_PREVIEWS, makes_previews=True)
        first = Lane(previews, self._previews, on_event, start=start)
        dreams = Setup("dreams", queue.base, tuple(allowed), niceness=10)
        second = Lane(dreams, self._jobs, on_event, start=start, after=first)
        self._lanes = {lane.name: lane for lane in (first, second)}

    @property
    def status(self) -> dict[str, tuple[str, str]]:
        """The status and the message of the worker of each lane, as in the last WorkerChanged."""
        return {name: lane.status for name, lane in self._lanes.items()}

    def start(self) -> None:
        """Start the worker of the previews and, when it is ready, that of the dreams."""
        for lane in self._lanes.values():
            lane.start()

    def preview(self, photo_id: str, path: Path, looks: Mapping[str, str], folder: Path) -> None:
        """Try looks ({name: TOML}) on the picture in `path`, before all other previews.

        Each look becomes `folder/<name>.png`, quickest first. If other looks of this photograph wait, they are
        forgotten.
        """
        self._previews.add(PreviewTask(photo_id, path, dict(looks), folder))
        self._lanes["previews"].wake()

    def cancel_previews(self, photo_id: str) -> None:
        """Make no more previews of a photograph."""
        self._previews.cancel(photo_id)
        self._lanes["previews"].wake()

    def stop(self, job_id: str) -> None:
        """Stop a job that waits or runs. Its state then is "stopped"; change it to "waiting", and it goes on."""
        self._jobs.stop(job_id)
        self._lanes["dreams"].wake()

    def wake(self) -> None:
        """Look for jobs in the queue, because it has changed. Start a worker again that had failed."""
        for lane in self._lanes.values():
            lane.wake()

    def close(self) -> None:
        """Stop both workers, and wait until they have ended. A running job waits again. Can be called twice."""
        for lane in self._lanes.values():
            lane.close()
        for lane in self._lanes.values():
            lane.join()
