"""How many workers make dreams the fastest on this machine, and which processors each of them gets.

Two processes with one core each are faster than one process with two, because a process keeps two cores busy for a part
of the time only. A result has the same bytes with any number of cores.
"""

import os
from collections.abc import Iterable

from dreamscripts.backends.host import free_memory
from dreamscripts.batch.plan import Planned

OF_PROCESS = 1.3e9  # bytes of memory for a worker with Keras and a small picture
OF_PIXEL = 2_100  # bytes of memory in a pass through VGG16, which needs the most
SHARE = 0.8  # of the free memory, which is used


def processors_of(wanted: int | None, dreams: Iterable[Planned]) -> list[list[int]]:
    """Return the processors that each worker may use: one for each worker, or more if there are fewer workers.

    Without a number that is `wanted`, there are as many workers as processors, dreams and memory allow.
    """
    dreams = list(dreams)
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    pixels = max((height * width for height, width in (dream.size for dream in dreams)), default=0)
    fitting = int(SHARE * free_memory() / (OF_PROCESS + OF_PIXEL * pixels))
    count = min(wanted or max(1, min(len(available), fitting)), max(1, len(dreams)))
    if count > len(available):
        return [[] for _ in range(count)]
    return [list(available[number::count]) for number in range(count)]
