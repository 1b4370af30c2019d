"""Write the report of a batch: a web page that grows with it, a table, and at the end a contact sheet."""

import json
import math
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import shown
from dreamscripts.reports.batch_axes import PHOTOGRAPH, Axes, arrange
from dreamscripts.reports.batch_cells import STATES, Cell
from dreamscripts.reports.batch_sheet import draw_batch_sheet
from dreamscripts.reports.batch_table import results_csv
from dreamscripts.reports.batch_thumbnails import Thumbnails

PAGE, DATA, TABLE, SHEET = "index.html", "batch.js", "results.csv", "contact-sheet.png"
SECONDS = 2.0  # for thumbnails in an update; a batch that is resumed without them has thousands to make
USUAL_SHAPE = 0.75  # height ÷ width, of a photograph that is not known yet


class BatchPage:
    """The report in a batch folder. An open page loads what is new by itself.

    The run of a cell is in the folder `folder`/`cell.name`. If the runs are `elsewhere`, thumbnails stay without them.
    """

    def __init__(self, folder: Path, heading: str, *, elsewhere: bool = False):
        self._folder = folder
        self._heading = heading
        self._thumbnails = Thumbnails(folder, elsewhere)
        self._written: dict[str, bytes] = {}

    def update(self, cells: Sequence[Cell], *, complete: bool = False) -> None:
        """Write the report of all cells. It takes about as long as the pictures that are new.

        Call it from one thread, every few seconds. With `complete`, it also writes the contact sheet, and open pages
        stop looking for more. Raises OutputError.
        """
        small = self._thumbnails
        small.update(cells, math.inf if complete else SECONDS)
        axes = arrange(cells)
        photos = dict(zip((place[PHOTOGRAPH] for place in axes.places), (cell.photo for cell in cells), strict=True))
        shapes = [small.shapes.get(photos[number], USUAL_SHAPE) for number in range(len(photos))]
        starts = [small.photographs.get(photos[number]) for number in range(len(photos))]
        if complete and cells:
            sheet = draw_batch_sheet(self._heading, cells, axes, shapes, small.paths())
            write_atomically(self._folder / SHEET, sheet, durable=False)
        self._write(TABLE, results_csv(cells))
        about = {"heading": shown(self._heading), "complete": complete, "shapes": shapes, "photographs": starts}
        self._write(DATA, _script(about, cells, axes, small.made))
        self._write(PAGE, (Path(__file__).parent / "batch.html").read_bytes())

    def _write(self, name: str, content: bytes) -> None:
        if self._written.get(name) != content:
            write_atomically(self._folder / name, content, durable=False)
            self._written[name] = content


def _script(about: dict[str, Any], cells: Sequence[Cell], axes: Axes, with_picture: Container[str]) -> bytes:
    """Return what the page shows, as a script. Texts that repeat are numbers: 10,000 cells take about 1 MB."""
    nodes: dict[str, int] = {}
    rows = [
        (
            cell.name,
            place,
            STATES.index(cell.state),
            shown(cell.message),
            cell.iterations,
            cell.passes,
            _short(cell.loss),
            _short(cell.seconds),
            nodes.setdefault(shown(cell.node), len(nodes)),
            int(cell.name in with_picture),
        )
        for cell, place in zip(cells, axes.places, strict=True)
    ]
    record = {
        **about,
        "names": axes.names,
        "values": axes.values,
        "rows": axes.rows,
        "columns": axes.columns,
        "states": STATES,
        "nodes": list(nodes),
        "cells": rows,
    }
    # Infinity and NaN are no JSON, but they are JavaScript.
    return f"window.batch = {json.dumps(record, separators=(',', ':'))};\n".encode()


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.6g}")
