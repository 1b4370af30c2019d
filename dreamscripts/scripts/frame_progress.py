"""Show the progress of a film: the frames that are done, or pictures that it needs, and the time left."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.progress import BarColumn, TimeRemainingColumn

from dreamscripts.scripts import signals
from dreamscripts.scripts.console import CommandConsole
from dreamscripts.scripts.progress import Bar, Words

Frame = TypeVar("Frame")


class FrameWatch:
    """The progress of a film of `frames` frames, with the time left. Use it as a context manager.

    Something else can be counted: `unit` is its name.
    """

    def __init__(self, console: CommandConsole, name: str, frames: int, unit: str = "frame"):
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
        self._task = self._bar.add_task(name, total=frames, numbers="")
        self._frames = frames
        self._unit = unit

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._bar.stop()

    def counted(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames, and show how many have been used."""
        for number, frame in enumerate(frames, 1):
            signals.check()
            yield frame
            self._bar.update(self._task, completed=number, numbers=f"{self._unit} {number}/{self._frames}")
