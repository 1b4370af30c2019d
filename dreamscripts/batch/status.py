"""Status: how far a batch is, as its events say."""

import time
from collections import Counter, deque
from dataclasses import dataclass
from threading import RLock

from dreamscripts.batch.ledger import ENDED, Ledger
from dreamscripts.jobs.events import Event, JobChanged, Progress, WorkerChanged
from dreamscripts.jobs.job import State

LATELY = 60.0  # seconds over which passes are counted
TOO_EARLY = 8.0  # seconds: compiling takes so long, and then says nothing about the rest


@dataclass(frozen=True)
class Status:
    """How far a batch is."""

    jobs: int
    done: int
    failed: int
    running: int
    workers: int
    """Those that are ready or busy."""
    rate: float | None
    """Passes per second, lately."""
    left: float | None
    """Seconds, an estimate."""
    share: float
    """0 to 1: the part of the work that is done."""


class StatusKeeper:
    """Keeps the status of a batch. Threads may share it.

    The work that was done before this command counts as done, but not for the time left.
    """

    def __init__(self, ledger: Ledger):
        self._lock = RLock()
        self._ledger = ledger
        jobs = ledger.jobs
        self._states = {job.id: job.state for job in jobs}
        self._all = sum(ledger.work(job.id) for job in jobs)
        self._ended = self._before = sum(ledger.work(job.id) for job in jobs if job.state in ENDED)
        self._shares: dict[str, float] = {}  # of running jobs
        self._first_shares: dict[str, float] = {}  # when they were taken
        self._passes: dict[str, int] = {}
        self._lately: deque[tuple[float, int]] = deque()  # times, and passes since the one before
        self._workers: dict[str, str] = {}
        self._began: float | None = None

    def hear(self, event: Event) -> None:
        """Take an event into account."""
        with self._lock:
            match event:
                case JobChanged(job):
                    self._job_changed(job.id, job.state)
                case Progress(id, facts):
                    self._progressed(id, facts["share"], facts["passes"])
                case WorkerChanged(lane, status, _):
                    self._workers[lane] = status

    def _job_changed(self, id: str, state: State) -> None:
        self._states[id] = state
        if state == "running":
            return
        first = self._first_shares.pop(id, 0.0)
        self._shares.pop(id, None)
        self._passes.pop(id, None)
        if state in ENDED:
            self._ended += self._ledger.work(id)
            self._before += self._ledger.work(id) * first

    def _progressed(self, id: str, share: float, passes: int | None) -> None:
        now = time.monotonic()
        if id not in self._shares:
            self._first_shares[id] = share
        self._shares[id] = share
        self._began = self._began or now
        if passes is not None:
            self._lately.append((now, max(0, passes - self._passes.get(id, passes))))
            self._passes[id] = passes
        while self._lately and self._lately[0][0] < now - LATELY:
            self._lately.popleft()

    @property
    def now(self) -> Status:
        """The status."""
        with self._lock:
            counts = Counter(self._states.values())
            under_way = sum(self._ledger.work(id) * share for id, share in self._shares.items())
            resumed = sum(self._ledger.work(id) * share for id, share in self._first_shares.items())
            done = self._ended + under_way
            return Status(
                jobs=len(self._states),
                done=counts["done"],
                failed=counts["failed"],
                running=counts["running"],
                workers=sum(status in ("ready", "busy") for status in self._workers.values()),
                rate=self._rate(),
                left=self._left(done, done - self._before - resumed),
                share=done / self._all if self._all else 1.0,
            )

    def _rate(self) -> float | None:
        if not self._lately:
            return None
        span = time.monotonic() - self._lately[0][0]
        return sum(passes for _, passes in self._lately) / span if span > 1 else None

    def _left(self, done: float, new: float) -> float | None:
        if self._began is None or new <= 0 or time.monotonic() - self._began < TOO_EARLY:
            return None
        return (time.monotonic() - self._began) / new * max(0.0, self._all - done)
