"""Show the progress of a command: a bar in a terminal, a line per iteration in a file."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.scripts import signals
from dreamscripts.scripts.console import CommandConsole
from dreamscripts.settings.network_names import short_name
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import OptimizerSettings

if TYPE_CHECKING:
    from dreamscripts.dreams.trial import Trial

CLIPPED = 0.3  # share of values outside 0..255 above which a warning is printed; good dreams have less than 0.2
SAME = 1e-4  # relative change of a loss below which a picture hardly changes


def blown_out(iterate: Iterate, optimizer: OptimizerSettings) -> str | None:
    """Return a warning if many pixel values were clipped, else None."""
    if iterate.beyond <= CLIPPED:
        return None
    faster = f". With this limit, --set {optimizer.lighter} is faster" if optimizer.lighter else ""
    return (
        f"{iterate.beyond:.0%} of the pixel values are outside 0..255 and were clipped. To limit the change per "
        f"iteration, use --set optimizer.max_change=5{faster}"
    )


def unmoved(losses: Iterable[tuple[int, float]]) -> str | None:
    """Return a warning if the loss of no octave changed, else None. `losses` are (octave, loss) of all iterates."""
    by_octave: dict[int, list[float]] = {}
    for octave, loss in losses:
        by_octave.setdefault(octave, []).append(loss)
    if any(max(values) - min(values) > SAME * max(map(abs, values)) for values in by_octave.values()):
        return None
    return (
        "the loss did not change, so the picture hardly changed: its gradient is almost zero. Use other layers, "
        "another picture, --set jitter.noise=1 or, if the optimizer has one, a larger --set optimizer.step"
    )


class Words(TextColumn):
    """A text about a task. Names in it are shown as on the rest of the console. It is cut in a narrow terminal."""

    def __init__(self, console: CommandConsole, text_format: str):
        super().__init__(text_format, table_column=Column(no_wrap=True, overflow="crop"))
        self._console = console

    def render(self, task: Task) -> Text:
        return self._console.render_str(self.text_format.format(task=task))


class Bar(Progress):
    """The progress of a task, in one line of a terminal, with a spinner before the columns.

    `columns` maps each column to its rank. In a narrow terminal, columns of a high rank are omitted. The spinner has
    rank 2.
    """

    def __init__(self, console: CommandConsole, columns: Mapping[ProgressColumn, int]):
        spinner = SpinnerColumn("line" if console.is_ascii else "dots")
        self._console = console
        self._ranks = {spinner: 2, **columns}
        super().__init__(*self._ranks, console=console, transient=True, disable=not console.is_animated)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return the columns that fit, or those of rank 0, which are cut."""
        tasks = list(tasks)
        for rank in range(max(self._ranks.values()), -1, -1):
            self.columns = tuple(column for column in self._ranks if self._ranks[column] <= rank)
            table = super().make_tasks_table(tasks)
            if self._console.natural_width(table) <= self._console.width:
                break
        return table


class BarWatch:
    """The progress of a command with a bar, which is shown while the watch is used as a context manager."""

    _bar: Bar

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bar.stop()


class Watch(BarWatch):
    """The progress of a run on `console`. Use it as a context manager. `heading` is printed after the first iterate."""

    def __init__(self, console: CommandConsole, settings: Settings, heading: str = ""):
        self._console = console
        self._heading = heading
        self._octaves = settings.octaves.count
        self._iterations = settings.optimizer.iterations  # per octave
        self._passes_expected = settings.optimizer.passes
        self._iteration = 0
        self._passes_before = 0
        self._first: tuple[float, int] | None = None
        self._rate = ""
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 0,
                BarColumn(24): 5,
                Words(console, "{task.fields[loss]}"): 1,
                Words(console, "{task.fields[rate]}"): 4,
                TimeRemainingColumn(compact=True): 3,
                Words(console, "{task.fields[left]}"): 3,
            },
        )
        network = short_name(settings.network)
        self._task = self._bar.add_task(f"loading {network}", total=None, loss="", rate="", left="")

    def on_pass(self, passes: int, loss: float) -> None:
        """Show one more pass."""
        signals.check()
        now = time.perf_counter()
        if self._first is None:  # the first pass includes compilation, so it does not count for the rate
            self._first = now, passes
        elif passes > self._first[1]:
            self._rate = f"{(passes - self._first[1]) / (now - self._first[0]):.1f} passes/s"
        octave, before = divmod(min(self._iteration, self._octaves * self._iterations - 1), self._iterations)
        # SciPy may use more passes to finish a step.
        part = min(0.95, (passes - self._passes_before) / self._passes_expected)
        self._bar.update(
            self._task,
            description=self._place(octave, before + 1),
            total=self._octaves * self._iterations,
            completed=self._iteration + part,
            loss=f"loss {loss:.4g}",
            rate=self._rate,
            left="left",
        )

    def on_iterate(self, iterate: Iterate) -> None:
        """Show one more iteration, which is already on disk."""
        # If an octave ends early or is skipped, iteration numbers are skipped too.
        before = iterate.octave * self._iterations
        self._iteration = before + self._iterations if iterate.ends_octave else max(before, iterate.iteration)
        self._passes_before = iterate.passes
        self._bar.update(self._task, completed=self._iteration)
        if self._heading:
            self._console.print(self._heading)
            self._heading = ""
        if not self._console.is_animated:
            place = self._place(iterate.octave, max(iterate.iteration - before, 0))
            self._console.print(f"{place}  loss {iterate.loss:.4g}  {self._rate}".rstrip())

    def _place(self, octave: int, iteration: int) -> str:
        prefix = f"octave {octave + 1}/{self._octaves}, " if self._octaves > 1 else ""
        return f"{prefix}iteration {iteration}/{self._iterations}"


class GalleryWatch(BarWatch):
    """The progress of a gallery of `pictures` pictures: a bar with the time left, or a line per layer.

    Use it as a context manager. The path `page` is printed when the page has its first pictures.
    """

    def __init__(self, console: CommandConsole, pictures: int, page: Path):
        self._console = console
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 1,
                BarColumn(24): 4,
                Words(console, "{task.fields[numbers]}"): 0,
                TimeRemainingColumn(compact=True): 3,
                Words(console, "{task.fields[left]}"): 3,
            },
        )
        self._task = self._bar.add_task("loading the network", total=pictures or None, numbers="", left="")
        self._pictures = pictures
        self._page = page
        self._done = 0
        self._layer = ""

    def on_pictures(self, layer: str, count: int) -> None:
        """Show one more batch of `count` pictures, which are already on disk."""
        signals.check()
        if not self._done:
            self._console.print(f"You can open {self._page} now; {self._pictures} pictures will be added")
        self._done += count
        numbers = f"{self._done}/{self._pictures}"
        self._bar.update(self._task, description=layer, completed=self._done, numbers=numbers, left="left")
        if layer != self._layer and not self._console.is_animated:
            self._console.print(f"{layer}  {numbers}")
        self._layer = layer


class TrialWatch:
    """The progress of a comparison: a bar for a trial, a line per finished trial. Use it as a context manager."""

    def __init__(self, console: CommandConsole, passes: int):
        self._console = console
        self._passes = passes
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 0,
                BarColumn(24): 4,
                Words(console, "{task.fields[numbers]}"): 1,
                Words(console, "{task.fields[lowest]}"): 3,
            },
        )
        self._task = self._bar.add_task("loading the network", total=None, numbers="", lowest="")
        self._trial: Trial | None = None
        self._lowest = float("inf")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._close()
        self._bar.stop()

    def on_trial(self, trial: "Trial") -> None:
        """Start the bar of another trial."""
        self._close()
        self._trial, self._lowest = trial, float("inf")

    def on_pass(self, passes: int, loss: float) -> None:
        """Show one more pass of the trial."""
        signals.check()
        if self._trial is None:  # before the first trial, one pass is made to compile it
            return
        self._lowest = min(self._lowest, loss)
        self._bar.update(
            self._task,
            description=self._trial.name,
            total=self._passes,
            completed=min(passes, self._passes),
            numbers=f"pass {min(passes, self._passes)}/{self._passes}",
            lowest=f"lowest loss {self._lowest:.4g}",
        )

    def _close(self) -> None:
        if self._trial is not None and self._trial.terms:  # terms are set when the trial has finished
            self._console.print(f"{self._trial.name}: {self._trial.loss:,.6g}")
