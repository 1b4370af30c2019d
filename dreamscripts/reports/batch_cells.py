"""A cell of a batch's report: one run, and where it belongs among the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["waiting", "running", "stopped", "done", "failed"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Cell:
    """What the report shows of a run."""

    name: str
    """The run folder within the batch folder, at most 240 bytes. No two cells have the same name."""
    photo: str
    """The name to show of the photograph, or an empty text for a run from noise."""
    values: Mapping[str, str]
    """What else distinguishes the run, in the order of the headings. Another cell can have other keys."""
    state: State
    message: str = ""
    """Why the run failed, or its notes."""
    iterations: int = 0
    passes: int = 0
    loss: float | None = None
    """The loss of its picture. It can be infinite or NaN."""
    seconds: float | None = None
    node: str = ""
    """The worker or machine that made it."""


def keys_of(cells: Iterable[Cell]) -> list[str]:
    """Return the keys of the values of all cells, in the order of their first appearance."""
    return list(dict.fromkeys(key for cell in cells for key in cell.values))
