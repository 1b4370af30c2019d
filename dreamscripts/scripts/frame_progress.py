"""Show the progress of a film: the frames that are done, or pictures that it needs, and the time left."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, TimeRemainingColumn

from dreamscripts.scripts import signals
from dreamscripts.scripts.console import CommandConsole
from dreamscripts.scripts.progress import Bar, BarWatch, Words

Frame = TypeVar("Frame")

BETWEEN_LINES = 20.0  # seconds between two lines where no bar can be shown


class FrameWatch(BarWatch):
    """The progress of a film of `frames` frames, with the time left. Use it as a context manager.

    `done` frames were made before. Something else can be counted: `unit` is its name.
    """

    def __init__(self, console: CommandConsole, name: str, frames: int, unit: str = "frame", done: int = 0):
        self._console = console
        self._bar = Bar(
            console,
            {
                Words(console, "{task.description}"): 1,
                BarColumn(24): 4,
                Words(console, "{task.fields[numbers]}"): 0,
                TimeRemainingColumn(compact=True): 3,
                Words(console, "left"): 3,
            },
        )
        self._task = self._bar.add_task(name, total=frames, completed=done, numbers="")
        self._frames, self._done = frames, done
        self._unit = unit
        self._began = self._last_line = time.monotonic()
        self._made = 0  # frames since the first one, which can take much longer

    def counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames, and show how many have been used."""
        for number, frame in enumerate(frames, self._done + 1):
            signals.check()
            yield frame
            self._frames = max(self._frames, number)  # it may be an estimate
            self._bar.update(
                self._task, completed=number, total=self._frames, numbers=f"{self._unit} {number}/{self._frames}"
            )
            self._print_line(number)

    def on_pass(self, passes: int, loss: float) -> None:
        """Show that a pass was made, while no frame is done yet."""
        signals.check()
        if not self._made:
            self._bar.update(self._task, numbers=f"{self._unit} {self._done + 1}/{self._frames}, pass {passes}")

    def _print_line(self, number: int) -> None:
        """Print a line now and then, if there is no bar."""
        now = time.monotonic()
        if not self._made:
            self._began = now
        self._made += 1
        if self._console.is_animated or self._made < 2 or now - self._last_line < BETWEEN_LINES:
            return
        self._last_line = now
        left = (now - self._began) / (self._made - 1) * (self._frames - number)
        self._console.print(f"{self._unit} {number}/{self._frames}, {duration(left)} left")


def duration(seconds: float) -> str:
    """Return a time in words: "40 s", "12 min" or "3 h 20 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
