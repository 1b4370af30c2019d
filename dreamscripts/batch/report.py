"""Show the dreams of a batch on its page."""

from collections.abc import Iterator

from dreamscripts.batch.ledger import Ledger
from dreamscripts.reports.batch_cells import Cell


def cells(ledger: Ledger) -> Iterator[Cell]:
    """Yield what the page shows of each dream in the folder, also of those of earlier commands."""
    for entry in ledger.entries.values():
        job, result = ledger.get(entry.id), ledger.result(entry.id)
        state = job.state if job is not None else result.state if result is not None else "stopped"
        known = Cell(entry.folder, entry.photo, entry.values, state)
        if result is None or state not in ("done", "failed"):
            yield known
        else:
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
