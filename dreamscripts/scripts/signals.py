"""Stop a command cleanly at a signal: Ctrl-C, the end of a batch job, a closed terminal, a limit of CPU time."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dreamscripts.errors import OutputError

STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU") if hasattr(signal, name)]

_requested = False


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first of these signals. A second Ctrl-C ends the process at once.

    After the context, the command is done: while Python and the backend end, only Ctrl-C has an effect. Signals that
    the caller ignores stay ignored, as with nohup. A library can turn KeyboardInterrupt into another error while it is
    imported. That is turned back.
    """
    global _requested
    _requested = False
    heard = [number for number in STOPS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _stop)
    try:
        yield
    except OutputError:  # while the command saved what it had
        raise
    except Exception:
        check()
        raise
    finally:
        _requested = False
        for number in heard:  # not by a handler of Python, which does not live as long as the process
            signal.signal(number, signal.SIG_DFL if number == signal.SIGINT else signal.SIG_IGN)


def check() -> None:
    """Raise KeyboardInterrupt if a signal came, because a library can swallow the first one. Called at every pass."""
    if _requested:
        raise KeyboardInterrupt


def _stop(number: int, frame: FrameType | None) -> None:
    global _requested
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # works within native code, too
    if not _requested:  # the system repeats SIGXCPU, and a shell repeats SIGHUP
        _requested = True
        raise KeyboardInterrupt
