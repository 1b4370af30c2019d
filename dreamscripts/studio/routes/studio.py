"""Studio: everything that the routes share, for one folder."""

from asyncio import Semaphore
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.supervisor import Supervisor
from dreamscripts.studio.events.hub import Hub
from dreamscripts.studio.library.files import Files
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.library.photographs import Photographs
from dreamscripts.studio.library.sheets import Sheets
from dreamscripts.studio.library.trash import Trash
from dreamscripts.studio.routes.announcing import announce
from dreamscripts.studio.routes.links import Links


class Studio:
    """The library of a folder, its queue, its workers and its open pages.

    allowed: paths of models, weights and guide pictures that settings may name.
    """

    def __init__(self, folder: StudioFolder, allowed: Sequence[str] = ()):
        """Open the folder. No worker starts yet. Only the process with the lock of the store may do this."""
        self.folder = folder
        self.allowed = list(allowed)
        self.token = folder.token()
        self.links = Links(self.token)
        self.hub = Hub()
        self.photographs = Photographs(folder)
        self.history = History(folder, self.photographs)
        self.looks = Looks(folder, allowed)
        self.sheets = Sheets(folder, self.history, self.looks)
        self.trash = Trash(folder, self.history)
        self.files = Files(folder, self.photographs, self.history, self.sheets)
        self.queue = JobQueue(folder.base, folder.store)
        self.decoding = Semaphore(1)  # one upload at a time, because a large picture needs much memory
        self.progress: dict[str, Mapping[str, Any]] = {}
        """How far each running job is, by its identifier."""
        self.refreshed: dict[str, float] = {}
        """When the run of each running job was last looked at, in seconds of `time.monotonic`."""
        self.supervisor = Supervisor(self.queue, partial(announce, self), self.allowed)
