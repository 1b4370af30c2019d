"""Where each picture and each heading is on the contact sheet of a batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dreamscripts.reports.batch_axes import PHOTOGRAPH, Axes, Place

MOST_PIXELS = 64_000_000  # largest sheet, which any viewer can open
MARGIN, TOP = 24, 84  # pixels around all, and for the heading
LARGEST = 384  # pixels, the width of a picture
SMALLEST_WITH_LABELS = 24  # pixels
LONGEST_SIDE = 3.0  # sides of a sheet in this ratio at most, if it can be folded


class Label(NamedTuple):
    """A text of the contact sheet."""

    left: int
    baseline: int
    width: int
    text: str
    kind: Literal["row", "column", "picture"]
    """What it names: a row, which is right of it, columns below it, or the picture above it."""


@dataclass
class Layout:
    """All places are in pixels from the left upper corner."""

    tile: int
    """The width of a picture."""
    text: int
    """The size of the font of all labels. 0: there is no room for labels."""
    size: tuple[int, int] = (0, 0)
    pictures: list[tuple[int, int, int]] = field(default_factory=list)
    """For each cell: left, top, height."""
    labels: list[Label] = field(default_factory=list)


def fitting_layout(axes: Axes, shapes: Sequence[float]) -> Layout:
    """Return the layout with the largest pictures whose sheet has at most MOST_PIXELS.

    shapes: height ÷ width of the pictures of each photograph.
    """
    tile = LARGEST
    while True:
        layout = _layout(axes, shapes, tile)
        pixels = layout.size[0] * layout.size[1]
        if pixels <= MOST_PIXELS or tile == 1:
            return layout
        tile = max(1, min(tile - 1, int(tile * math.sqrt(MOST_PIXELS / pixels))))


def _layout(axes: Axes, shapes: Sequence[float], tile: int) -> Layout:
    text = max(9, min(20, tile // 12)) if tile >= SMALLEST_WITH_LABELS else 0
    layout = Layout(tile, text)
    if axes.rows:
        _lay_out_table(layout, axes, shapes)
    else:
        _lay_out_stream(layout, axes, shapes)
    return layout


def _lay_out_stream(layout: Layout, axes: Axes, shapes: Sequence[float]) -> None:
    """Place cells which differ in one thing, line by line, each with its label under it."""
    tile, text, gap = layout.tile, layout.text, _gap(layout.tile)
    count = len(axes.places)
    across = max(1, min(count, round(math.sqrt(count * 1.4 * max(shapes)))))
    top = TOP
    for begin in range(0, count, across):
        line = axes.places[begin : begin + across]
        height = max(_height(tile, shapes, place) for place in line)
        for number, place in enumerate(line):
            left = MARGIN + number * (tile + gap)
            layout.pictures.append((left, top, height))
            if text and axes.columns:
                label = _label(axes, axes.columns[0], place[axes.columns[0]])
                layout.labels.append(Label(left, top + height + round(1.2 * text), tile, label, "picture"))
        top += height + gap + 2 * text
    layout.size = (MARGIN + across * (tile + gap) - gap + MARGIN, top - gap + MARGIN)


def _lay_out_table(layout: Layout, axes: Axes, shapes: Sequence[float]) -> None:
    """Place the cells in rows and columns. A very long or wide table is folded; each part has its headings."""
    tile, text, gap = layout.tile, layout.text, _gap(layout.tile)
    rows = sorted({_part(place, axes.rows) for place in axes.places})
    columns = sorted({_part(place, axes.columns) for place in axes.places})
    row_of, column_of = ({part: number for number, part in enumerate(parts)} for parts in (rows, columns))
    places = [(row_of[_part(place, axes.rows)], column_of[_part(place, axes.columns)]) for place in axes.places]
    heights = [0] * len(rows)
    for (row, _), place in zip(places, axes.places, strict=True):
        heights[row] = max(heights[row], _height(tile, shapes, place))
    names = [_label(axes, axes.rows[0], row[0]) for row in rows]
    beside = (min(max(tile, 8 * text), round(0.7 * text * max(map(len, names)))) + 2 * gap) if text else 0
    most_rows, most_columns = _fold(len(rows), len(columns), (sum(heights) / len(heights) + gap) / (tile + gap))
    group = len(columns) // len({column[:1] for column in columns})  # columns below the same outermost heading
    most_columns = math.ceil(most_columns / group) * group if most_columns > group / 2 else most_columns
    lefts: dict[tuple[int, int], int] = {}  # by part of the rows, and column
    tops: dict[tuple[int, int], int] = {}  # by row, and part of the columns
    left, right, bottom = MARGIN, 0, 0
    for first_row in range(0, len(rows), most_rows):
        top = TOP
        for first in range(0, len(columns), most_columns):
            part = columns[first : first + most_columns]
            if text:
                _add_headings(layout, axes, part, left + beside, top)
            top += 2 * text * len(axes.columns)
            for number in range(len(part)):
                lefts[first_row // most_rows, first + number] = left + beside + number * (tile + gap)
            for row in range(first_row, min(first_row + most_rows, len(rows))):
                if text:
                    middle = top + heights[row] // 2 + text // 3
                    layout.labels.append(Label(left, middle, beside - 2 * gap, names[row], "row"))
                tops[row, first // most_columns] = top
                top += heights[row] + gap
            right = max(right, left + beside + len(part) * (tile + gap) - gap)
            bottom = max(bottom, top - gap)
            top += 2 * gap
        left = right + 4 * gap
    layout.pictures = [
        (lefts[row // most_rows, column], tops[row, column // most_columns], heights[row]) for row, column in places
    ]
    layout.size = (right + MARGIN, bottom + MARGIN)


def _fold(rows: int, columns: int, shape: float) -> tuple[int, int]:
    """Return how many rows and columns a part of the table has, so that the sheet is not very long or very wide.

    shape: height ÷ width of a cell.
    """
    ratio = rows * shape / columns
    if ratio > LONGEST_SIDE:
        return math.ceil(rows / max(1, round(math.sqrt(ratio)))), columns
    if ratio < 1 / LONGEST_SIDE:
        return rows, math.ceil(columns / max(1, round(math.sqrt(1 / ratio))))
    return rows, columns


def _add_headings(layout: Layout, axes: Axes, columns: Sequence[Place], left: int, top: int) -> None:
    """Add a line of headings for each dimension of the columns. Equal neighbours have one heading."""
    across = layout.tile + _gap(layout.tile)
    for level, dimension in enumerate(axes.columns):
        first = 0
        for number in range(1, len(columns) + 1):
            if number < len(columns) and columns[number][: level + 1] == columns[first][: level + 1]:
                continue
            width = (number - first) * across - _gap(layout.tile)
            label = _label(axes, dimension, columns[first][level])
            baseline = top + round((2 * level + 1.3) * layout.text)
            layout.labels.append(Label(left + first * across, baseline, width, label, "column"))
            first = number


def _part(place: Place, dimensions: Sequence[int]) -> Place:
    return tuple(place[dimension] for dimension in dimensions)


def _label(axes: Axes, dimension: int, number: int) -> str:
    value = axes.values[dimension][number]
    if dimension == PHOTOGRAPH:
        return value or "noise"
    word = value[:1].isalpha() and value not in ("true", "false", "inf", "nan")
    return value if word else f"{axes.names[dimension].rpartition('.')[2]} {value or '—'}"


def _height(tile: int, shapes: Sequence[float], place: Place) -> int:
    return max(1, round(tile * min(2.0, max(0.4, shapes[place[PHOTOGRAPH]]))))


def _gap(tile: int) -> int:
    return min(12, tile // 12)
