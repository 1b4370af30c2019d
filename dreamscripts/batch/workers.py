"""How many workers make dreams the fastest on this machine, and which processors each gets."""

import os


def processors_of(wanted: int | None, jobs: int) -> list[list[int]]:
    """Return the processors of each worker."""
    available = sorted(os.sched_getaffinity(0))
    count = min(wanted or len(available), jobs)
    if count >= len(available):
        return [[available[number % len(available)]] for number in range(count)]
    return [available[number::count] for number in range(count)]
