"""The console that commands print on."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dreamscripts.errors import shown
from dreamscripts.scripts.streams import PLAIN

NARROW, WIDEST = 60, 100_000  # characters


class CommandConsole(Console):
    r"""A console for texts that contain names from anywhere: no name formats a text or controls the terminal.

    A printed text is one line, however long it is, because a newline in it is shown as `\n`.
    """

    def __init__(self, quiet: bool = False):
        super().__init__(quiet=quiet, highlight=False, markup=False, emoji=False, soft_wrap=True)

    @property
    def is_animated(self) -> bool:
        """Whether a line can be printed again and again in the same place. FORCE_COLOR alone does not allow it."""
        return self.is_interactive and self.file.isatty()

    @property
    def is_ascii(self) -> bool:
        """Whether only ASCII characters can be relied on."""
        return self.options.ascii_only

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text as it is printed: see `shown` and `streams.PLAIN`."""
        return super().render_str(shown(text).encode(self.encoding, PLAIN).decode(self.encoding), **options)

    def print_table(self, table: Table, wrap: bool | None = None) -> None:
        """Print a table, and cut no text: in a narrow terminal, its lines are longer than those of the terminal.

        wrap: whether long texts are wrapped. Default: only in a terminal, so that each row is one line in a file.
        """
        wrap = self.file.isatty() if wrap is None else wrap
        if not wrap or self.width < NARROW:
            table.width = self.natural_width(table)
        self.print(table, soft_wrap=False, crop=False)

    def natural_width(self, table: Table) -> int:
        """Return the width in which no text of a table is cut or wrapped."""
        return self.measure(table, options=self.options.update_width(WIDEST)).maximum
