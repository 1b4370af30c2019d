"""`dreamscripts bench`: measure the speed of a pass on this machine, and compare it with other programs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import SettingsError, quoted
from dreamscripts.scripts import options

if TYPE_CHECKING:
    from dreamscripts.benchmarks.scoreboard import Scoreboard
    from dreamscripts.reports.scoreboard import Sheet
    from dreamscripts.scripts.console import CommandConsole

MOST = 20_000  # pixels per side, the same limit as in a settings file


def bench(
    settings: Annotated[
        str, typer.Option("--settings", "-s", metavar="NAME|FILE", help="Settings to measure: a name or a TOML file.")
    ] = "bad_trip",
    network: options.Network = None,
    weights: options.Weights = "random",
    size: Annotated[int, typer.Option(help="Side of the square picture in pixels.")] = 400,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    passes: Annotated[int, typer.Option(min=3, metavar="N", help="Number of passes to time for each program.")] = 10,
    sizes: Annotated[
        str, typer.Option(metavar="N,N", help="Also measure time and memory at more sizes, for example 256,512,1024.")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Write bench.json, bench.md and bench.png to this folder."
        ),
    ] = None,
) -> None:
    """Measure the time of one pass (loss and gradient) and compare it with plain TensorFlow and PyTorch.

    Each program runs in its own process. Programs with a different loss or gradient are excluded. PyTorch is measured
    only if it is installed. The comparison supports only the l2 measure, continuity and dream_l2. The picture is square
    noise. The weights are random unless you give --weights.
    """
    from dreamscripts.atomic_files import make_folder
    from dreamscripts.benchmarks.measuring import measure
    from dreamscripts.objective.memory_budget import check_memory
    from dreamscripts.reports.scoreboard import write_report

    console = options.open_console(False)
    chosen = options.load_settings(console, settings, options.overrides(network, weights, size, set_=set_), allow_files)
    check_memory(chosen.side, chosen.side, chosen.optimizer)
    sides = _parse(sizes)
    created = output is not None and not output.exists()
    if output is not None:
        make_folder(output)
    try:
        with _Watch(console) as watch:
            command = " ".join(map(quoted, ["dreamscripts", *sys.argv[1:]]))
            board = measure(chosen, passes, sides, command=command, on_step=watch.on_step)
        _show(board, console)
        if output is not None:
            write_report(board, output)
            console.print()
            console.print(str(output / "bench.md"))
    finally:
        if output is not None and created and not any(output.iterdir()):
            output.rmdir()


def _parse(sizes: str) -> list[int]:
    """Return the sides in a list such as `256,512`, from small to large. Raises SettingsError if one is not valid."""
    words = [word.strip() for word in sizes.split(",") if word.strip()]
    for word in words:
        if not word.isdecimal() or not 1 <= int(word) <= MOST:
            raise SettingsError(
                f"--sizes: '{word}' is not a valid size; use numbers from 1 to {MOST}, for example 256,512"
            )
    return sorted({int(word) for word in words})


class _Watch:
    """The progress of a benchmark: a bar in a terminal, a line per stage in a file. Use it as a context manager."""

    def __init__(self, console: "CommandConsole"):
        from rich.progress import BarColumn, TimeElapsedColumn

        from dreamscripts.scripts.progress import Bar, Words

        self._console = console
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 0,
                BarColumn(24): 4,
                Words(console, "{task.completed}/{task.total}"): 1,
                TimeElapsedColumn(): 3,
            },
        )
        self._task = self._bar.add_task("", total=1)
        self._stage = ""

    def __enter__(self) -> "_Watch":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def on_step(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of the `total` steps of a stage are done."""
        self._bar.update(self._task, description=stage, completed=done, total=total)
        if stage != self._stage and not self._console.is_animated:
            self._console.print(f"{stage} …")
        self._stage = stage


def _show(board: "Scoreboard", console: "CommandConsole") -> None:
    from rich.table import Table

    from dreamscripts.reports import scoreboard as report

    def paragraphs(sentences: list[str]) -> None:
        for sentence in sentences:
            console.print(sentence, style="dim", soft_wrap=False)

    console.print()
    console.print(report.title(board))
    console.print()
    grid = Table.grid(padding=(0, 2))
    for name, value in report.facts(board):
        grid.add_row(name, value)
    console.print_table(grid, wrap=True)
    console.print()
    _print_sheet(report.passes_sheet(board), console)
    console.print()
    console.print(report.verdict(board), soft_wrap=False)
    paragraphs(report.notes(board))
    if board.sizes:
        console.print()
        _print_sheet(report.sizes_sheet(board), console)
        paragraphs(report.size_notes(board))


def _print_sheet(sheet: "Sheet", console: "CommandConsole") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    _, *numbers = zip(*sheet.rows, strict=True)
    table.add_column(sheet.heads[0])  # this column wraps if the terminal is narrow
    for head, cells in zip(sheet.heads[1:], numbers, strict=True):
        wraps = len(head) > max(map(len, cells))
        lines = Text(head.replace(" ", "\n") if wraps else head)  # a Text, because the console shows \n in a str
        table.add_column(lines, justify="right", no_wrap=True)
    for row in sheet.rows:
        table.add_row(*row)
    console.print_table(table, wrap=True)
