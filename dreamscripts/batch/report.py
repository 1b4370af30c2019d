"""Report: the page of a batch, with all dreams in its store."""

from collections.abc import Iterator
from dataclasses import replace

from dreamscripts.batch.ledger import Ledger
from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_page import BatchPage


class Report:
    """The page, the table and the contact sheet of a batch."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        heading = ledger.store.shown.rstrip("/").rpartition("/")[2]
        self._page = BatchPage(ledger.folder, heading, elsewhere=ledger.store.remote is not None)

    def update(self, *, ended: bool = False) -> None:
        """Write what has changed. `ended`: nothing is under way any more. Raises OutputError."""
        shown = list(_cells(self._ledger))
        complete = ended and self._ledger.is_finished
        if ended:
            shown = [replace(cell, state="stopped") if cell.state in ("waiting", "running") else cell for cell in shown]
        self._ledger.store.fetch_pictures(cell.name for cell in shown if cell.state == "done")
        self._page.update(shown, complete=complete)
        self._ledger.store.push()


def _cells(ledger: Ledger) -> Iterator[Cell]:
    """Yield what the page shows of each dream in the store, also of those of earlier commands."""
    for entry in ledger.entries.values():
        job, result = ledger.get(entry.id), ledger.result(entry.id)
        state = job.state if job is not None else result.state if result is not None else "stopped"
        if result is None or state not in ("done", "failed"):
            yield Cell(entry.folder, entry.photo, entry.values, state)
            continue
        yield Cell(
            entry.folder,
            entry.photo,
            entry.values,
            state,
            message=result.message,
            iterations=result.iterations,
            passes=result.passes,
            loss=result.loss,
            seconds=result.seconds,
            node=result.node,
        )
