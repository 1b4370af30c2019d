"""The console of the commands, in terminals of any width."""

import io
import sys

import pytest
from rich.table import Table

from dreamscripts.scripts.console import CommandConsole
from dreamscripts.scripts.progress import Watch
from dreamscripts.settings.schema import Settings


class Terminal(io.TextIOWrapper):
    """A terminal that stores what is written."""

    def __init__(self, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding, "dreamscripts.plain", newline="", write_through=True)

    def isatty(self):
        return True

    @property
    def text(self):
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that replaces stdout by a terminal and returns it, with a console on it."""

    def replace(columns=80, encoding="utf-8", **environment):
        variables = {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "25", **environment}
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", Terminal(encoding))
        return sys.stdout, CommandConsole()

    return replace


def test_names_are_printed_as_they_are_but_not_obeyed(terminal):
    screen, console = terminal()
    console.print("my [bold]:cat:[/] \x1b[31m \n\x07.png → run/")
    assert screen.text == "my [bold]:cat:[/] \\x1b[31m \\n\\x07.png → run/\n"
    table = Table.grid()
    table.add_row("\x1b[31m[red]")
    screen, console = terminal(encoding="ascii")
    console.print_table(table)
    console.print("3×3 → é")
    assert screen.text == "\\x1b[31m[red]\n3x3 -> \\xe9\n"


def test_a_bar_is_for_terminals_only(terminal, monkeypatch):
    assert terminal()[1].is_animated
    assert not terminal(TERM="dumb")[1].is_animated
    terminal(FORCE_COLOR="1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert CommandConsole().is_terminal
    assert not CommandConsole().is_animated


@pytest.mark.parametrize("columns", [1, 20, 59, 60, 200])
def test_no_text_of_a_table_is_cut(columns, terminal):
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("receptive field", no_wrap=True, justify="right")
    table.add_row("a_layer_with_a_long_name/" * 3, "196 px")
    screen, console = terminal(columns)
    console.print_table(table)
    words = "".join(line[:-15].strip() for line in screen.text.splitlines()[1:])
    assert "receptive field" in screen.text
    assert "196 px" in screen.text
    assert "a_layer_with_a_long_name/" * 3 in words


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_progress_is_one_line_with_the_most_important_at_any_width(encoding, terminal):
    settings = Settings(features={"block1_conv1": 1}, optimizer={"iterations": 500, "passes": 7})
    seen = {}
    for columns in range(1, 101):
        _, console = terminal(columns, encoding)
        watch = Watch(console, settings)
        watch.on_pass(1, -12345.6)
        lines = console.render_lines(watch._bar.get_renderable(), pad=False)
        (line,) = ("".join(segment.text for segment in line) for line in lines)
        assert len(line.rstrip()) <= columns
        seen[columns] = line.strip()
    assert seen[17] == "iteration 1/500"
    assert seen[32].endswith("iteration 1/500 loss -1.235e+04")
    assert seen[60].endswith("left")
    assert ("━" if encoding == "utf-8" else "-----") in seen[100]
