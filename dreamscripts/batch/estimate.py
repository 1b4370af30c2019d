"""Estimate: what a batch will take, measured on the first few of its dreams."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.plan import Planned
from dreamscripts.batch.pool import Pool
from dreamscripts.batch.store import LocalStore
from dreamscripts.errors import DreamError
from dreamscripts.jobs.events import Event, JobChanged, Progress
from dreamscripts.jobs.setup import Setup

LONGEST = 60.0  # seconds of measuring
SAMPLES = 2  # dreams for each worker


@dataclass(frozen=True)
class Estimate:
    """What a batch takes."""

    seconds: float
    bytes: float
    """On the disk."""
    measured: int
    """The number of dreams that were made in part or whole to find it out."""


@dataclass
class _Sample:
    """A dream that is measured, from its first iteration on."""

    work: float
    compiled: str
    began: float
    first: tuple[float, float] | None = None  # the time, and the share that was done
    last: tuple[float, float] | None = None

    @property
    def rate(self) -> float | None:
        """Work per second."""
        if self.first is None or self.last is None or self.last[1] <= self.first[1]:
            return None
        return self.work * (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


@dataclass
class _Meter:
    """Hears how far the samples are."""

    work: dict[str, float]
    compiled: dict[str, str]
    samples: dict[str, _Sample] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def hear(self, event: Event) -> None:
        now = time.monotonic()
        with self.lock:
            match event:
                case JobChanged(job) if job.state == "running":
                    self.samples[job.id] = _Sample(self.work[job.id], self.compiled[job.id], now)
                case Progress(id, facts) if facts["iteration"]:
                    sample = self.samples[id]
                    sample.first = sample.first or (now, facts["share"])
                    sample.last = now, facts["share"]


def estimate(
    planned: Sequence[Planned],
    allowed: Sequence[str],
    processors: Sequence[Sequence[int]],
    keep_every: int = 1,
    on_wait: Callable[[], None] = lambda: None,
) -> Estimate:
    """Make the first few dreams, for at most a minute, and return what all of them take.

    `on_wait` is called again and again meanwhile. Raises DreamError if no dream can be made.
    """
    chosen = _first_of_each(planned, SAMPLES * len(processors))
    with (
        tempfile.TemporaryDirectory(prefix="dreamscripts-") as folder,
        closing(Ledger(LocalStore(Path(folder)), chosen, keep_every)) as ledger,
    ):
        meter = _Meter(
            {dream.id: dream.variant.work(dream.size) for dream in chosen},
            {dream.id: dream.variant.compiled for dream in chosen},
        )
        pool = Pool(ledger, Setup("worker", Path(folder), allowed), meter.hear)
        try:
            pool.grow(processors)
            end = time.monotonic() + LONGEST
            while time.monotonic() < end and not ledger.is_finished and not pool.problem:
                on_wait()
                time.sleep(0.1)
        finally:
            pool.close()
        rates = [(sample, rate) for sample in meter.samples.values() if (rate := sample.rate)]
        if not rates:
            failed = next((job.message for job in ledger.jobs if job.state == "failed"), "")
            raise DreamError(
                pool.problem or failed or f"no iteration was made in {LONGEST:.0f} s; use a smaller --size"
            )
        disk = [
            _bytes(ledger.folder / ledger.entries[id].folder) / (sample.last[1] * sample.work)
            for id, sample in meter.samples.items()
            if sample.last and sample.last[1] > 0
        ]
    by_code = {sample.compiled: rate for sample, rate in rates}
    usual = sum(rate for _, rate in rates) / len(rates)
    compiling = [sample.first[0] - sample.began for sample, _ in rates if sample.first]
    work = [(dream.variant.work(dream.size), dream.variant.compiled) for dream in planned]
    seconds = sum(one / by_code.get(compiled, usual) for one, compiled in work)
    seconds += max(compiling) * len({dream.group for dream in planned})
    total = sum(one for one, _ in work)
    return Estimate(seconds / len(processors), total * sum(disk) / len(disk), len(meter.samples))


def _first_of_each(planned: Sequence[Planned], most: int) -> list[Planned]:
    """Return the first dreams of each code and size, and then the others, at most so many."""
    firsts, others = dict[object, Planned](), list[Planned]()
    for dream in planned:
        if firsts.setdefault(dream.group, dream) is not dream:
            others.append(dream)
    return [*firsts.values(), *others][:most]


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file()) if folder.exists() else iter(())
