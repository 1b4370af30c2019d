"""Show the progress of a batch: a bar in a terminal, a line now and then in a file."""

import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn

from dreamscripts.batch.status import Status
from dreamscripts.reports.counted import counted
from dreamscripts.scripts import signals
from dreamscripts.scripts.console import CommandConsole
from dreamscripts.scripts.progress import Bar, Words

EVERY = 30.0  # seconds between two lines in a file


class BatchWatch:
    """The progress of a batch of `jobs` dreams, of which `waiting` are not made yet. Use it as a context manager."""

    def __init__(self, console: CommandConsole, page: str, jobs: int, waiting: int):
        self._console, self._page, self._waiting = console, page, waiting
        self._began = time.monotonic()
        self._intro = _intro(page, jobs, waiting)
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 0,
                BarColumn(24): 3,
                Words(console, "{task.fields[counts]}"): 1,
                Words(console, "{task.fields[rate]}"): 5,
                Words(console, "{task.fields[left]}"): 2,
            },
        )
        self._task = self._bar.add_task("starting the workers", total=None, counts="", rate="", left="")
        self._printed = time.monotonic()
        self._last: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self._console.print(self._intro)
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bar.stop()
        if kind is None:
            took = duration(time.monotonic() - self._began)
            made = f"{counted(self._waiting, 'dream')} in {took}"
            self._console.print(f"{self._page}  ({made})" if self._waiting else self._page)

    def update(self, status: Status) -> None:
        """Show how far the batch is. Raises KeyboardInterrupt if the command shall stop."""
        signals.check()
        ended = status.done + status.failed
        numbers = f"{ended} of {status.jobs} dreams"
        counts = f"{status.running} running" + (f", {status.failed} failed" if status.failed else "")
        rate = "" if status.rate is None else f"{status.rate:.1f} passes/s"
        left = "" if status.left is None else f"{duration(status.left)} left"
        started = status.workers > 0 or ended
        self._bar.update(
            self._task,
            description=numbers if started else "starting the workers",
            total=1.0 if started else None,
            completed=status.share,
            counts=counts if started else "",
            rate=rate,
            left=left,
        )
        now = time.monotonic()
        if not self._console.is_animated and started and (now - self._printed > EVERY or ended == status.jobs):
            if self._last != (ended, status.jobs):
                self._console.print("  ".join(filter(None, (numbers, counts, rate, left))))
            self._printed, self._last = now, (ended, status.jobs)

    def stop(self) -> None:
        """Say what happens before the command ends."""
        self._bar.update(
            self._task, description="saving what is under way; Ctrl-C again ends at once", counts="", rate="", left=""
        )


def _intro(page: str, jobs: int, waiting: int) -> str:
    dreams, before = counted(jobs, "dream"), jobs - waiting
    if not before:
        return f"{dreams}; you can open {page} now"
    if not waiting:
        return f"{dreams}; made before"
    return f"{dreams}, of which {before} {'were' if before > 1 else 'was'} made before; you can open {page} now"


def duration(seconds: float) -> str:
    """Return a time in words: "45 s", "3 min 20 s", "2 h 5 min", "3 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.0f} days"
