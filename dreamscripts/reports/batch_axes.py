"""Arrange the cells of a batch by what distinguishes them, in rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dreamscripts.errors import shown
from dreamscripts.reports.batch_cells import Cell, keys_of

PHOTOGRAPH = 0  # its number among the dimensions
Place = tuple[int, ...]


@dataclass(frozen=True)
class Axes:
    """The dimensions of a batch: the photograph, then the keys of `Cell.values`."""

    names: list[str]
    values: list[list[str]]
    """The distinct values of each dimension, as they are shown, in the order of their first appearance."""
    places: list[Place]
    """For each cell, the number of its value in each dimension. No two cells have the same place."""

    @cached_property
    def varying(self) -> list[int]:
        """The dimensions with more than one value."""
        return [dimension for dimension, values in enumerate(self.values) if len(values) > 1]

    @cached_property
    def rows(self) -> list[int]:
        """The dimension of the rows: the photographs, or the one with most values if there is only one photograph.

        It is empty if at most one dimension varies.
        """
        if len(self.varying) < 2:
            return []
        if PHOTOGRAPH in self.varying:
            return [PHOTOGRAPH]
        return [max(self.varying, key=lambda dimension: len(self.values[dimension]))]

    @cached_property
    def columns(self) -> list[int]:
        """The dimensions of the columns, from the outermost heading to the innermost."""
        return [dimension for dimension in self.varying if dimension not in self.rows]


def arrange(cells: Sequence[Cell]) -> Axes:
    """Return the axes of a batch. A value that a cell does not have is an empty text.

    Different photographs can have the same name. If their cells differ in nothing else, a number is added to the name.
    """
    keys = keys_of(cells)
    names = ["photograph", *keys]
    found: list[dict[str, int]] = [{} for _ in names]
    places: list[Place] = []
    taken: set[Place] = set()
    for cell in cells:
        values = [cell.values.get(key, "") for key in keys]
        photo, number = cell.photo, 1
        while (place := _place(found, (photo, *values))) in taken:
            number += 1
            photo = f"{cell.photo} ({number})"
        taken.add(place)
        places.append(place)
    return Axes([shown(name) for name in names], [[shown(value) for value in values] for values in found], places)


def _place(found: Sequence[dict[str, int]], values: Sequence[str]) -> Place:
    return tuple(numbers.setdefault(value, len(numbers)) for numbers, value in zip(found, values, strict=True))
