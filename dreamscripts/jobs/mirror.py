"""MirroredRun: a run folder on this machine whose files are kept in a remote folder, so that any machine can go on."""

import logging
import re
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dreamscripts.atomic_files import LEFT_OVER, output_errors
from dreamscripts.errors import OutputError
from dreamscripts.jobs.remote_folder import RemoteFolder, stamp
from dreamscripts.jobs.work import Work
from dreamscripts.runs.find_run import is_complete
from dreamscripts.runs.records import Damaged, is_plain_file
from dreamscripts.runs.run_folder import FOR_RESUMING
from dreamscripts.runs.snapshots import NAME as SNAPSHOT

log = logging.getLogger(__name__)

RESUME = ".resume.tar"
START = "start.npy"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)  # the names of files in a run
EVERY = 30.0  # seconds between two pushes
SHARE = 0.1  # largest share of the time in which files are pushed
INSISTING = 300.0  # seconds in which the last push is tried again
PAUSE = 5.0  # seconds between two attempts


@contextmanager
def mirrored(folder: Path, name: str, work: Work) -> Iterator[Callable[[], None]]:
    """Keep a run in the remote folder of `work`, if it has one. Yields what to call after each saved iterate.

    The run is fetched before, and at the end it is pushed, and deleted on this machine. Raises OutputError.
    """
    if work.remote is None:
        yield lambda: None
        return
    run = MirroredRun(RemoteFolder(work.remote), name, folder)
    run.fetch()
    try:
        yield run.push_if_due
    finally:
        run.finish(lambda: work.is_stopped)


class MirroredRun:
    """The run `name` in a remote folder, and its folder on this machine.

    While a run is under way, the remote folder has what never changes, which is the start picture and the snapshots,
    and everything else as one file, .resume.tar. A file is replaced as a whole. So a push can be cut at any point: the
    .resume.tar that is there can be resumed. When the run is complete, it has the files of the run, run.json last.
    """

    def __init__(self, remote: RemoteFolder, name: str, folder: Path):
        self._remote, self._name, self._folder = remote, name, folder
        self._pushed: dict[str, tuple[int, int]] = {}  # the time and the size of files that have not changed since
        self._was_complete = False
        self._left = 0  # bytes that may be fetched
        self._next = time.monotonic() + EVERY

    def fetch(self) -> None:
        """Fetch what is needed to resume the run. Of a complete run, fetch the record. Raises OutputError."""
        self._delete()
        names = {name.removeprefix(f"{self._name}/") for name in self._remote.names(f"{self._name}/")}
        if "run.json" not in names and RESUME not in names:
            return
        with output_errors(self._folder):
            self._folder.mkdir(parents=True)
            self._left = shutil.disk_usage(self._folder).free // 2
            if "run.json" in names:
                self._was_complete = True
                self._delete_what_is_for_resuming()  # a process was killed before it could
                self._fetch("run.json")
                return
            with tempfile.TemporaryFile(dir=self._folder) as file:
                self._left -= self._remote.fetch(self._of(RESUME), file, self._left)
                file.seek(0)
                self._unpack(file)
            for name in sorted(names):
                if name == START or SNAPSHOT.fullmatch(name):
                    self._fetch(name)
                    self._pushed[name] = stamp(self._folder / name)

    def push_if_due(self) -> None:
        """Push what is needed to resume the run, unless this was done a short time ago. A fault is a warning."""
        began = time.monotonic()
        if began < self._next:
            return
        try:
            self.push()
        except OutputError as error:
            log.warning("the run could not be saved for a while: %s", error)
        now = time.monotonic()
        self._next = max(began + EVERY, now + (now - began) / SHARE)

    def push(self) -> None:
        """Push what is needed to resume the run. Raises OutputError."""
        others = [path for path in self._files() if not self._push_constant(path)]
        with output_errors(self._folder):
            archive = self._folder / f".dreamscripts-{secrets.token_hex(8)}.part"
            try:
                with archive.open("xb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                    for path in others:
                        _add(tar, path)
                self._remote.push(archive, self._of(RESUME))
            finally:
                archive.unlink(missing_ok=True)

    def finish(self, hurries: Callable[[], bool]) -> None:
        """Push the run as it is, and delete it on this machine. Raises OutputError, and then keeps it.

        A push that fails is tried again for some minutes, unless `hurries()`.
        """
        try:
            ended = is_complete(self._folder)
        except Damaged:  # it was fetched so
            return self._delete()
        end = time.monotonic() + INSISTING
        while True:
            try:
                self._push_last(ended)
                break
            except OutputError:
                if hurries() or time.monotonic() >= end:
                    raise
                time.sleep(PAUSE)
        self._delete()

    def _push_last(self, ended: bool) -> None:
        if self._was_complete or not (self._folder / "run.json").exists():
            return
        if not ended:
            self.push()
        for path in self._files():
            if path.name != "run.json" and path.name not in FOR_RESUMING:
                self._push_plain(path)
        if ended:
            self._push_plain(self._folder / "run.json")
            self._delete_what_is_for_resuming()

    def _delete_what_is_for_resuming(self) -> None:
        for name in (RESUME, START):
            self._remote.delete(self._of(name))

    def _of(self, name: str) -> str:
        return f"{self._name}/{name}"

    def _files(self) -> list[Path]:
        paths = [path for path in self._folder.iterdir() if not LEFT_OVER.fullmatch(path.name)]
        return sorted(path for path in paths if is_plain_file(path))

    def _push_constant(self, path: Path) -> bool:
        """Push a file that never changes, and return whether it is such a file."""
        if path.name != START and not SNAPSHOT.fullmatch(path.name):
            return False
        self._push_plain(path)
        return True

    def _push_plain(self, path: Path) -> None:
        """Push a file, unless this was done since it was written."""
        if self._pushed.get(path.name) != (now := stamp(path)):
            self._remote.push(path, self._of(path.name))
            self._pushed[path.name] = now

    def _fetch(self, name: str) -> None:
        with (self._folder / name).open("xb") as file:
            self._left -= self._remote.fetch(self._of(name), file, self._left)

    def _unpack(self, file: BinaryIO) -> None:
        """Unpack plain files with plain names. Nothing else is in an archive of ours. Raises OutputError."""
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.type == tarfile.REGTYPE else None
                    if content is None or member.issparse() or not PLAIN.fullmatch(member.name):
                        raise tarfile.TarError("it contains other things than the files of a run")
                    with (self._folder / member.name).open("xb") as to:
                        shutil.copyfileobj(content, to)
        except (tarfile.TarError, FileExistsError, EOFError) as error:
            raise OutputError(
                f"{self._remote.url}/{self._of(RESUME)}: is damaged: {error}; delete it, and the dream starts again"
            ) from None

    def _delete(self) -> None:
        """Delete the folder on this machine. Another worker may have left it."""
        with output_errors(self._folder):
            if self._folder.exists():
                shutil.rmtree(self._folder)


def _add(tar: tarfile.TarFile, path: Path) -> None:
    """Add a file by its name alone."""
    member = tarfile.TarInfo(path.name)
    with path.open("rb") as file:
        member.size = path.stat().st_size
        tar.addfile(member, file)
