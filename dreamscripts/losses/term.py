"""The protocol of a term: one summand of a loss."""

from typing import Protocol


class Term(Protocol):
    """One summand of a loss, before its weight."""

    @property
    def name(self) -> str:
        """Its column in loss.csv and its line in the plot."""

    def __call__(self, x, features, parts):
        """A scalar tensor."""
