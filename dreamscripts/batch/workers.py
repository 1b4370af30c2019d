"""How many workers make dreams the fastest on this machine, and which processors each of them gets.

Two processes with one core each are faster than one process with two, because a process keeps two cores busy for a part
of the time only. A result has the same bytes with any number of cores.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from dreamscripts.backends.host import free_memory
from dreamscripts.batch.plan import Planned

OF_PROCESS = 1.3e9  # bytes of memory for a worker with Keras and a small picture
OF_PIXEL = 2_100  # bytes of memory in a pass through VGG16, which needs the most
SHARE = 0.8  # of the free memory, which is used
GPUS = ("/dev/nvidia0", "/dev/kfd")
ON_GPU = 4  # workers that share a GPU: together they make a dream of 400 pixels in 1.1 s, and one worker alone in 3.9 s


def processors_of(wanted: int | None, dreams: Iterable[Planned]) -> list[list[int]]:
    """Return the processors that each worker may use: one for each worker, or more if there are fewer workers.

    Without a number that is `wanted`, there are as many workers as processors, dreams and memory allow, or a few on a
    GPU.
    """
    dreams = list(dreams)
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    pixels = max((height * width for height, width in (dream.size for dream in dreams)), default=0)
    fitting = int(SHARE * free_memory() / (OF_PROCESS + OF_PIXEL * pixels))
    most = min(len(available), ON_GPU) if any(Path(device).exists() for device in GPUS) else len(available)
    count = min(wanted or max(1, min(most, fitting)), max(1, len(dreams)))
    if count > len(available):
        return [[] for _ in range(count)]
    return [list(available[number::count]) for number in range(count)]
