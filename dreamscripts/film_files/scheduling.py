"""Keep the scheduling of this process, which the encoder of AV1 changes if root runs it.

SVT-AV1 then makes the thread that opens it, and all of its own, real-time threads of the highest priority. They stay
so, and with them every process that is started afterwards. Nothing else on the machine gets a turn while they work.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

THREADS = Path("/proc/self/task")


@contextmanager
def kept_scheduling() -> Iterator[None]:
    """Give back to this thread what it had at the beginning of the `with` statement, and the same to new threads."""
    if not hasattr(os, "sched_setscheduler") or not THREADS.is_dir():  # not Linux
        yield
        return
    before, mine = _threads(), (os.sched_getscheduler(0), os.sched_getparam(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *mine)
        for thread in _threads() - before:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, *mine)


def _threads() -> set[int]:
    return {int(path.name) for path in THREADS.iterdir()}
