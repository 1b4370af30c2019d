"""Read run folders for the history: a summary of each, and all of one. Anybody may have changed them."""

import math
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamscripts.errors import DreamError, short, shown
from dreamscripts.jobs.job import check_name
from dreamscripts.runs.records import Damaged, parse_record
from dreamscripts.runs.run_record import RunRecord
from dreamscripts.settings.loading import MOST_BYTES as MOST_OF_SETTINGS
from dreamscripts.settings.network_names import short_name
from dreamscripts.studio.library import within
from dreamscripts.studio.library.locks import is_written
from dreamscripts.studio.library.names import look_of, title
from dreamscripts.studio.library.photographs import Photographs
from dreamscripts.studio.library.run import Details, FileLink, Run, Snapshot, State
from dreamscripts.studio.library.within import Missing

MOST_OF_RECORD = 64_000_000  # bytes of run.json
SNAPSHOT = re.compile(r"iteration_(\d{3,18})\.png", re.ASCII)
FINAL = "final.png"
INTERRUPTED = "it was interrupted"


def summarize(base: Path, name: str, id: str, looks: Collection[str], photographs: Photographs) -> Run:
    """Return the summary of the run in the folder base/name. A damaged one has the state "damaged"."""
    parts = name.split("/")
    run = Run(id=id, kind="dream", folder=name, name=title(name), state="damaged", created=_created(base, parts))
    found = within.names(base, *parts)
    last = newest_snapshot(found)
    picture = FINAL if FINAL in found else ""
    try:
        record = read_record(base, parts)
    except DreamError as error:
        picture = picture or (snapshot_file(found, last) if last is not None else "")
        run = replace(run, look=look_of(name, looks), message=_reason(error))
        return with_picture(run, base, [*parts, picture], picture) if picture else run
    state, message = _state(base, parts, record)
    if last is not None and (record.status == "running" or not picture):  # final.png of a resumed run is an older one
        picture = snapshot_file(found, last)
    rows = record.iterates
    photograph = photographs.named(record.picture) if record.picture else None
    run = replace(
        run,
        state=state,
        message=message,
        look=look_of(name, looks, record.picture),
        photo_name=photograph.name if photograph else shown(re.split(r"[/\\]", record.picture or "")[-1]),
        network=network_of(record.settings),
        seconds=rows[-1].seconds if rows else 0.0,
        iterations=max(rows[-1].iteration if rows else 0, (last or 0) if record.status == "running" else 0),
        loss=rows[-1].loss if rows and math.isfinite(rows[-1].loss) else None,
    )
    if state == "stopped":
        problem = _cannot_go_on(name, found)
        run = replace(run, resumable=not problem, message=problem or message)
    return with_picture(run, base, [*parts, picture], picture) if picture else run


def read_details(base: Path, run: Run, photographs: Photographs) -> Details:
    """Return all of a run. Of a damaged one, what can be read."""
    parts = run.folder.split("/")
    found = within.names(base, *parts)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    photograph = None
    try:
        record = read_record(base, parts)
        rows = [row.model_dump() for row in record.iterates]
        notes = [shown(short(note)) for note in record.notes]
        photograph = photographs.named(record.picture) if record.picture else None
    except DreamError as error:
        notes.append(_reason(error))
    snapshots = [
        Snapshot(int(match[1]), FileLink(run.id, match[0], version(base, *parts, match[0])))
        for match in sorted(filter(None, map(SNAPSHOT.fullmatch, found)), key=lambda match: int(match[1]))
        if within.is_file(base, *parts, match[0])
    ]
    if photograph:
        start: FileLink | None = FileLink(photograph.id, "photograph.png")
    elif within.is_file(base, *parts, "start.npy"):
        start = FileLink(run.id, "start.png")
    else:
        start = snapshots[0].link if snapshots and snapshots[0].iteration == 0 else None
    files = {
        "picture": run.picture,
        "settings": _link(base, run, "settings.toml"),
        "losses": _link(base, run, "loss.csv"),
    }
    downloads = {kind: link for kind, link in files.items() if link}
    return Details(run, rows, settings_text(base, parts), start, snapshots, downloads, notes)


def read_record(base: Path, parts: list[str]) -> RunRecord:
    """Read run.json of a run folder. Raises Damaged, and Missing if there is none."""
    content = within.read(base, *parts, "run.json", most=MOST_OF_RECORD)
    return parse_record(content, base.joinpath(*parts, "run.json"), RunRecord, "")


def settings_text(base: Path, parts: list[str]) -> str:
    """Return the settings in a run folder, or "" if they cannot be read."""
    try:
        return within.read(base, *parts, "settings.toml", most=MOST_OF_SETTINGS).decode()
    except (Missing, UnicodeDecodeError):
        return ""


def newest_snapshot(names: Collection[str]) -> int | None:
    """Return the largest number of a snapshot, or None if there is none."""
    return max((int(match[1]) for match in map(SNAPSHOT.fullmatch, names) if match), default=None)


def snapshot_file(names: Collection[str], iteration: int) -> str:
    """Return the name of the snapshot with this number."""
    return next(name for name in names if (match := SNAPSHOT.fullmatch(name)) and int(match[1]) == iteration)


def version(base: Path, *parts: str) -> int:
    """Return a number that is another one when a file has changed. 0: there is no such file."""
    found = within.status(base, *parts)
    return found.st_mtime_ns // 1_000_000 if found and stat.S_ISREG(found.st_mode) else 0


def with_picture(run: Run, base: Path, parts: list[str], name: str) -> Run:
    """Add the picture in the file base/parts, if it is a PNG, with its size. `name` is its fixed name for `Files`."""
    size = png_size(base, *parts)
    if size is None:
        return run
    number = version(base, *parts)
    return replace(
        run,
        width=size[0],
        height=size[1],
        picture=FileLink(run.id, name, number),
        thumbnail=FileLink(run.id, "thumbnail.jpg", number),
    )


def network_of(settings: Mapping[str, Any]) -> str:
    """Return the network in settings, as it can be shown."""
    network = settings.get("network")
    return shown(short(short_name(network))) if isinstance(network, str) else ""


def png_size(base: Path, *parts: str) -> tuple[int, int] | None:
    """Return width and height in the header of a PNG file, or None if it is not one."""
    try:
        with within.open_file(base, *parts) as file:
            head = file.read(24)
    except (Missing, OSError):
        return None
    if len(head) < 24 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    return (width, height) if 0 < width < 2**31 and 0 < height < 2**31 else None


def _created(base: Path, parts: list[str]) -> float:
    """Return when a run began: its settings are written once, at the start."""
    found = within.status(base, *parts, "settings.toml") or within.status(base, *parts)
    return found.st_mtime if found else 0.0


def _state(base: Path, parts: list[str], record: RunRecord) -> tuple[State, str]:
    """Return the state of a run. One that nobody writes, although its record says that it is running, was killed."""
    if record.status == "complete":
        return "complete", ""
    if is_written(base, *parts):
        return "running", ""
    return (record.status, "") if record.status != "running" else ("stopped", INTERRUPTED)


def _cannot_go_on(name: str, found: Collection[str]) -> str:
    """Say why a stopped run cannot be resumed here, or return ""."""
    for file in ("start.npy", "settings.toml"):
        if file not in found:
            return f"it cannot go on, because {file} is missing"
    try:
        check_name(name)
    except ValueError:
        return "it can go on only with the command line, because of the characters in its name"
    return ""


def _link(base: Path, run: Run, name: str) -> FileLink | None:
    parts = [*run.folder.split("/"), name]
    return FileLink(run.id, name, version(base, *parts)) if within.is_file(base, *parts) else None


def _reason(error: DreamError) -> str:
    """Return what is wrong with a record, without the path."""
    return (
        f"run.json is damaged: {shown(short(error.problem))}"
        if isinstance(error, Damaged)
        else "run.json cannot be read"
    )
