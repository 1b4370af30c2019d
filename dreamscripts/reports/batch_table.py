"""Write the results of a batch as a table that spreadsheets and programs read."""

import csv
import io
from collections.abc import Sequence
from functools import lru_cache

from dreamscripts.errors import shown
from dreamscripts.reports.batch_cells import Cell, keys_of

FORMULA = ("=", "+", "-", "@")  # a spreadsheet computes a text that begins so


def results_csv(cells: Sequence[Cell]) -> bytes:
    """Return a CSV file with a row for each cell: UTF-8 with the mark that Excel needs.

    An unknown loss or time is empty. A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    keys = keys_of(cells)
    buffer = io.StringIO()
    table = csv.writer(buffer)
    head = ["name", "photo", *keys, "state", "loss", "iterations", "passes", "seconds", "node", "message"]
    table.writerow([_text(name) for name in head])
    for cell in cells:
        values = [cell.values.get(key, "") for key in keys]
        texts = [_text(text) for text in (cell.name, cell.photo, *values, cell.state)]
        numbers = [cell.loss, cell.iterations, cell.passes, cell.seconds]
        table.writerow([*texts, *numbers, _text(cell.node), _text(cell.message)])
    return buffer.getvalue().encode("utf-8-sig")


@lru_cache(maxsize=4096)  # most texts are in many rows
def _text(text: str) -> str:
    text = shown(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
