"""Describe the keys of settings from their models: kind, limits, choices, default and meaning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

Kind = Literal["integer", "number", "boolean", "choice", "text", "weights"]


@dataclass(frozen=True)
class Key:
    """A key of a settings file."""

    key: str
    """With dots."""
    kind: Kind
    """"weights" is the table [features]."""
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None
    default: Any = None
    optimizers: tuple[str, ...] | None = None
    """The optimizers that have this key. None: all of them, or it is not in [optimizer]."""

    @property
    def table(self) -> str:
        """The name of its table, "" at the top."""
        return self.key.rpartition(".")[0]


def describe(model: type[BaseModel]) -> Iterator[Key]:
    """Yield all keys that a form can have, in the order of the tables."""
    yield from ()
