"""Make all dreams of a batch that are missing."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from dreamscripts.batch.crew import Crew
from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.plan import Planned
from dreamscripts.batch.pool import Pool
from dreamscripts.batch.report import Report
from dreamscripts.batch.status import Status, StatusKeeper
from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.setup import Setup
from dreamscripts.settings.named_files import files_of

REPORT_EVERY = 3.0  # seconds between two updates of the page
LOOK_EVERY = 10.0  # seconds after which the crew may have become larger
STATUS_EVERY = 0.1  # seconds


def make(
    ledger: Ledger,
    planned: Sequence[Planned],
    crew: Crew,
    on_status: Callable[[Status], None],
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Make the dreams, and keep the page up to date.

    `on_status` is called ten times a second. After a KeyboardInterrupt, `on_stop` is called, and what is under way is
    saved. Raises DreamError if no dream can be made.
    """
    keeper = StatusKeeper(ledger)
    setup = Setup("worker", ledger.store.runs, files_in(planned), remote=ledger.store.remote)
    pool = Pool(ledger, setup, keeper.hear, start=crew.start)
    report = Report(ledger)
    try:
        report.update()
        _watch(ledger, pool, keeper, report, lambda: pool.grow(crew.places(_missing(ledger, planned))), on_status)
    except KeyboardInterrupt:
        on_stop()
        raise
    finally:
        pool.close()
        report.update(ended=True)


def _watch(
    ledger: Ledger,
    pool: Pool,
    keeper: StatusKeeper,
    report: Report,
    grow: Callable[[], None],
    on_status: Callable[[Status], None],
) -> None:
    """Wait until all jobs have ended. Raises DreamError if they cannot."""
    reported, looked = time.monotonic(), -LOOK_EVERY
    while not ledger.is_finished:
        now = time.monotonic()
        if now - looked >= LOOK_EVERY:
            grow()
            looked = now
        on_status(keeper.now)
        if problem := pool.problem:
            raise DreamError(f"{problem}; run the same command again to continue")
        if now - reported >= REPORT_EVERY:
            with suppress(OutputError):  # for example while another program has the table open
                report.update()
            reported = time.monotonic()
        time.sleep(STATUS_EVERY)
    on_status(keeper.now)


def _missing(ledger: Ledger, planned: Sequence[Planned]) -> list[Planned]:
    """Return the dreams that have not ended."""
    missing = {job.id for job in ledger.jobs if job.state not in ("done", "failed")}
    return [dream for dream in planned if dream.id in missing]


def files_in(planned: Sequence[Planned]) -> list[str]:
    """Return the files that the settings of dreams name. The user has allowed them."""
    variants = {id(dream.variant): dream.variant for dream in planned}.values()
    return sorted({path for variant in variants for path in files_of(variant.settings).values()})
