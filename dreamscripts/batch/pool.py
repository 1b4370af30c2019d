"""Pool: several workers for the jobs of a batch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import RLock

from dreamscripts.batch.ledger import Ledger
from dreamscripts.jobs.events import Event, JobChanged
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.job_tasks import JobTasks
from dreamscripts.jobs.lane import Lane, Start
from dreamscripts.jobs.process import WorkerProcess
from dreamscripts.jobs.setup import Setup

MOST_FAILURES = 3  # in a row, for reasons outside of the jobs


class Pool:
    """Do the jobs of a ledger in several processes, here or elsewhere.

    setup: of each worker; the name gets a number.
    start: what starts a worker.
    on_event: called with each event of the jobs and the workers, from several threads. It must return at once.
    """

    def __init__(
        self, ledger: Ledger, setup: Setup, on_event: Callable[[Event], None], *, start: Start = WorkerProcess
    ):
        self._ledger, self._setup, self._on_event, self._start = ledger, setup, on_event, start
        self._tasks = JobTasks(ledger, on_event, hands_back=True)
        self._lanes: list[Lane] = []
        self._lock = RLock()
        self._failures: list[str] = []  # in a row
        ledger.on_change = self._on_change

    def grow(self, processors: Sequence[Sequence[int]]) -> None:
        """Start workers until there is one for each entry of `processors`: those that it may use, or () for any.

        Those that could not be started are started again, unless no worker could be.
        """
        for lane in self._lanes if not self.problem else ():
            if lane.status[0] == "failed":
                lane.wake()
        for number in range(len(self._lanes), len(processors)):
            setup = replace(self._setup, name=f"worker {number + 1}", processors=processors[number])
            lane = Lane(setup, self._tasks, self._on_event, start=self._start)
            self._lanes.append(lane)
            lane.start()

    @property
    def problem(self) -> str:
        """Why no job can be done, or an empty text: no worker starts, or the jobs fail for a reason outside of them."""
        with self._lock:
            if self._is_hopeless:
                return self._failures[-1]
        stopped = [lane.status[1] for lane in self._lanes if lane.status[0] == "failed"]
        return stopped[-1] if stopped and len(stopped) == len(self._lanes) else ""

    @property
    def _is_hopeless(self) -> bool:
        return len(self._failures) >= max(MOST_FAILURES, len(self._lanes))

    def close(self) -> None:
        """Stop all jobs, so that they can be resumed, and end the workers."""
        for lane in self._lanes:
            lane.close()
        for lane in self._lanes:
            lane.join()

    def _on_change(self, job: Job) -> None:
        with self._lock:
            if job.state == "done":
                self._failures.clear()
            elif job.state == "failed" and job.again:
                self._failures.append(job.message)
                self._ledger.is_held = self._is_hopeless
        self._on_event(JobChanged(job))
        if job.state == "waiting":  # its worker died
            for lane in self._lanes:
                lane.wake()
