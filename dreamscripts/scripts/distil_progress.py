"""Show the progress of a distillation: a line that changes in a terminal, a line once a minute in a file."""

from collections.abc import Mapping

from rich.progress import BarColumn
from rich.table import Table

from dreamscripts.scripts import signals
from dreamscripts.scripts.batch_progress import duration
from dreamscripts.scripts.console import CommandConsole
from dreamscripts.scripts.progress import Bar, BarWatch, Words
from dreamscripts.training.moment import PARTS, Moment

SHORT = 3  # layers in a line, the deepest last
MEMORY = 0.95  # of the running mean of the parts of the loss


class DistilWatch(BarWatch):
    """The progress of a distillation. Use it as a context manager."""

    def __init__(self, console: CommandConsole):
        self._console = console
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 0,
                BarColumn(24): 5,
                Words(console, "{task.fields[loss]}"): 2,
                Words(console, "{task.fields[agreement]}"): 3,
                Words(console, "{task.fields[left]}"): 1,
            },
        )
        self._task = self._bar.add_task("", total=None, loss="", agreement="", left="")
        self._parts: list[float] = []

    def stop(self) -> None:
        """Remove the line that changes."""
        self._bar.stop()

    def on_stage(self, stage: str) -> None:
        """Show what is done before or after the steps."""
        signals.check()
        self._bar.update(self._task, description=stage, total=None, loss="", agreement="", left="")
        if not self._console.is_animated:
            self._console.print(f"{stage} …")

    def on_moment(self, moment: Moment) -> None:
        """Show one more step. Raises KeyboardInterrupt if the command shall stop."""
        signals.check()
        before = self._parts or moment.parts
        self._parts = [MEMORY * old + (1 - MEMORY) * new for old, new in zip(before, moment.parts, strict=True)]
        step = f"step {moment.step}, {duration(moment.seconds)}"
        loss = "  ".join(f"{name} {part:.3f}" for name, part in zip(PARTS, self._parts, strict=True))
        left = f"{duration(moment.seconds * (1 / moment.position - 1))} left"
        self._bar.update(self._task, description=step, total=1.0, completed=moment.position, loss=loss, left=left)
        if moment.agreement:
            agreement = "agreement " + _in_a_line(moment.agreement)
            self._bar.update(self._task, agreement=agreement)
            if not self._console.is_animated:
                self._console.print("  ".join((step, loss, agreement, left)))

    def print_table(self, before: Mapping[str, float], agreement: Mapping[str, float]) -> None:
        """Print the agreement of each layer, and what it was before if that is known."""
        table = Table(box=None, pad_edge=False)
        table.add_column("layer", overflow="fold")
        for heading in ("before", "agreement") if before else ("agreement",):
            table.add_column(heading, justify="right", no_wrap=True)
        for layer, cosine in agreement.items():
            table.add_row(layer, *([f"{before[layer]:.3f}"] if before else []), f"{cosine:.3f}")
        self._console.print_table(table)


def _in_a_line(agreement: Mapping[str, float]) -> str:
    """Return the agreement of the deepest layers."""
    return "  ".join(f"{layer} {cosine:.3f}" for layer, cosine in list(agreement.items())[-SHORT:])
