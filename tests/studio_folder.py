"""A folder with a queue and real workers, for the tests that need processes. As a script, it is their server."""

import os
import sys
import time
from pathlib import Path

from dreamscripts.jobs.events import Progress
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.supervisor import Supervisor


class StudioFolder:
    """A queue in `base`, with a supervisor whose events are kept, the newest last."""

    def __init__(self, base: Path):
        self.queue = JobQueue(base, base / ".store")
        self.events: list = []
        self.supervisor = Supervisor(self.queue, self.events.append)

    def of(self, kind: type) -> list:
        """Return the events of a kind."""
        return [event for event in list(self.events) if isinstance(event, kind)]

    def wait(self, condition, seconds: float = 600) -> None:
        """Wait until a condition is true. Fails if it takes too long."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, [str(event)[:200] for event in self.events[-20:]]
            time.sleep(0.01)

    def worker(self, lane: str) -> int | None:
        """Return the number of the process of a lane, or None if there is none now."""
        process = self.supervisor._lanes[lane].worker
        return process and process.pid

    @property
    def iteration(self) -> int:
        """The last iteration that was reported."""
        reported = self.of(Progress)
        return reported[-1].progress["iteration"] if reported else -1


def _serve(base: Path) -> None:
    """Do all jobs in a folder, as a server does, and print the numbers of the workers as they change."""
    folder = StudioFolder(base)
    folder.supervisor.start()
    before = None
    while any(job.state in ("waiting", "running") for job in folder.queue.jobs):
        now = f"{folder.worker('dreams') or 0} {folder.iteration}"
        if now != before:
            print(now, flush=True)
            before = now
        time.sleep(0.01)
    folder.supervisor.close()
    print("done", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _serve(Path(sys.argv[1]))
