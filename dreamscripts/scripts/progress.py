"""What a person sees while a dream is computed: a bar in a terminal, a line per iteration in a file."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from dreamscripts.iterates import Iterate
from dreamscripts.settings import Settings


class Watch:
    """Watches a run with these settings and shows it on `console`; a context manager."""

    def __init__(self, console: Console, settings: Settings):
        self._console = console
        self._iterations = settings.optimizer.iterations
        self._passes_expected = settings.optimizer.evaluations + 1  # SciPy finishes the step under way
        self._iteration = 0
        self._passes_before = 0
        self._first: tuple[float, int] | None = None
        self._rate = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(f"waking {settings.network}", total=None, numbers="", left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bar.stop()

    def on_pass(self, passes: int, loss: float) -> None:
        """A pass through the network is done."""
        now = time.perf_counter()
        if self._first is None:  # the first pass compiles, which says nothing about the rest
            self._first = now, passes
        elif passes > self._first[1]:
            self._rate = f"  {(passes - self._first[1]) / (now - self._first[0]):.1f} passes/s"
        part = min(0.95, (passes - self._passes_before) / self._passes_expected)
        self._bar.update(
            self._task,
            description=f"iteration {min(self._iteration + 1, self._iterations)}/{self._iterations}",
            total=self._iterations,
            completed=self._iteration + part,
            numbers=f"loss {loss:.4g}{self._rate}",
            left="left",
        )

    def on_iterate(self, iterate: Iterate) -> None:
        """An iteration is done and on disk."""
        self._iteration, self._passes_before = iterate.iteration, iterate.evaluations
        self._bar.update(self._task, completed=iterate.iteration)
        if not self._console.is_terminal:
            self._console.print(
                f"iteration {iterate.iteration}/{self._iterations}  loss {iterate.loss:.4g}{self._rate}"
            )
