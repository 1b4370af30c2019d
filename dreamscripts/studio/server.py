"""Serve the studio of a folder, until somebody ends it: what waits in its queue then waits for the next start."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from dreamscripts.atomic_files import lock
from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.job import Job
from dreamscripts.studio.browser import open_browser
from dreamscripts.studio.connection import Server
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.listening import PORT, Listener, listen
from dreamscripts.studio.routes.announcing import scan
from dreamscripts.studio.routes.app import build
from dreamscripts.studio.routes.studio import Studio

log = logging.getLogger(__name__)

BETWEEN_SCANS = 5.0  # seconds
Say = Callable[[str], None]

PUBLIC = (
    "Other devices in your network can open this address. Whoever has it can see, make and delete everything in the "
    "studio. It is not encrypted: use it in networks that you trust only."
)


def serve(base: Path, host: str, port: int | None, allowed: Sequence[Path], browser: bool, say: Say) -> str:
    """Serve the studio of the folder `base` until a signal ends it. Returns in words what waits for the next start.

    port: None for the first free one. allowed: files that settings may name. browser: whether to open one. say: prints
    a line. Raises DreamError if the studio cannot start.
    """
    files, folder = [_existing(path) for path in allowed], StudioFolder(base)
    try:
        release = lock(folder.store)
    except OutputError:
        raise OutputError(f"{base}: another studio works in this folder; use its page, or end it first") from None
    try:
        with closing(listen(host, port)) as listener, _calm_settings():
            return _serve(Studio(folder, files), listener, port, browser, say)
    finally:
        release()


class Background:
    """Starts the workers, and looks for the runs that commands make or delete in the folder while a page is open."""

    def __init__(self, studio: Studio):
        self._studio = studio
        self._ended = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin, when the page already answers."""
        self._thread.start()

    def end(self) -> None:
        """Look no more, and stop the workers: a dream under way stops at its next pass."""
        self._ended.set()
        self._thread.join()
        self._studio.supervisor.close()

    def _watch(self) -> None:
        self._studio.supervisor.start()
        self._look()
        while not self._ended.wait(BETWEEN_SCANS):
            if self._studio.hub.readers:
                self._look()

    def _look(self) -> None:
        try:
            scan(self._studio)
        except (DreamError, OSError) as error:  # next time, the disk may be there again
            log.warning("%s", error)


def _serve(studio: Studio, listener: Listener, port: int | None, browser: bool, say: Say) -> str:
    address = listener.address(studio.token)
    _introduce(studio, listener, address, port, say)
    opening = studio.folder.store / "open.html"
    if browser:
        open_browser(address, opening)
    background = Background(studio)
    Server(build(studio, listener.names), studio.hub, background.start).run([listener.socket])
    say("the studio ends as soon as the work under way is saved")
    background.end()
    with suppress(OSError):
        opening.unlink(missing_ok=True)
    return _unfinished(studio.queue.jobs)


@contextmanager
def _calm_settings() -> Iterator[None]:
    """Keep the warnings about settings from the terminal: the page checks settings at each letter, and shows them."""
    settings_log = logging.getLogger("dreamscripts.settings")
    before = settings_log.level
    settings_log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        settings_log.setLevel(before)


def _existing(path: Path) -> str:
    if not path.is_file():
        raise DreamError(f"--allow {path}: there is no such file")
    return str(path.absolute())


def _introduce(studio: Studio, listener: Listener, address: str, port: int | None, say: Say) -> None:
    """Print where the page is, what it shows, what waits, and how to end the studio."""
    if port is None and listener.port != PORT:
        say(f"port {PORT} is in use; this studio has {listener.port}")
    say(f"studio: {address}")
    say(f"folder: {os.path.realpath(studio.folder.base)}")
    if waiting := _waiting(studio.queue.jobs):
        say(f"queue: {len(waiting)} to do, beginning with {waiting[0].folder}")
    if listener.is_public:
        say(PUBLIC)
    say("Ctrl-C ends the studio. What is not finished then goes on at the next start.")


def _unfinished(jobs: Sequence[Job]) -> str:
    count = len(_waiting(jobs))
    return f"{count} in the queue {'waits' if count == 1 else 'wait'} for the next start; " if count else ""


def _waiting(jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job.state in ("waiting", "running")]
