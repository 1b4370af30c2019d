"""What the page gets to know of each thing, with addresses that open its files."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dreamscripts.jobs.job import Job
from dreamscripts.runs.find_run import snapshot_name
from dreamscripts.studio.library.looks import Checked, Look
from dreamscripts.studio.library.photographs import Photograph
from dreamscripts.studio.library.run import Details, FileLink, Run
from dreamscripts.studio.library.sheets import Cell, Sheet
from dreamscripts.studio.library.trash import Trashed
from dreamscripts.studio.library.within import Missing

if TYPE_CHECKING:
    from dreamscripts.studio.routes.studio import Studio

Answer = dict[str, Any]


def url(studio: "Studio", link: FileLink | None) -> str | None:
    """Return the address of a file, with the key that opens it."""
    return None if link is None else studio.links.sign(f"/files/{link.id}/{link.name}", link.version)


def photo(studio: "Studio", photograph: Photograph) -> Answer:
    """Describe a photograph."""
    previews = {look: preview(studio, photograph.id, look) for look in studio.photographs.previews(photograph.id)}
    return {
        "id": photograph.id,
        "name": photograph.name,
        "width": photograph.width,
        "height": photograph.height,
        "url": url(studio, FileLink(photograph.id, "photograph.png")),
        "thumb": url(studio, FileLink(photograph.id, "thumbnail.jpg")),
        "notes": photograph.notes,
        "settings": photograph.settings,
        "previews": previews,
        "created": photograph.created,
    }


def preview(studio: "Studio", photo_id: str, look: str) -> str | None:
    """Return the address of the preview of a look on a photograph."""
    version = 0
    with suppress(OSError, Missing):
        version = (studio.photographs.previews_folder(photo_id) / f"{look}.png").stat().st_mtime_ns // 1_000_000
    return url(studio, FileLink(photo_id, f"preview-{look}.png", version))


def job(studio: "Studio", one: Job) -> Answer:
    """Describe a job."""
    photograph = studio.photographs.named(one.photo) if one.photo else None
    progress = studio.progress.get(one.id)
    return {
        "id": one.id,
        "kind": one.kind,
        "state": one.state,
        "message": one.message,
        "look": one.look,
        "name": one.folder,
        "photo": None
        if photograph is None
        else {
            "id": photograph.id,
            "name": photograph.name,
            "thumb": url(studio, FileLink(photograph.id, "thumbnail.jpg")),
        },
        "run": studio.history.id_of(one.folder) if os.path.lexists(studio.folder.base / one.folder) else None,
        "sheet": one.sheet,
        "created": one.created,
        "place": one.place,
        "progress": None if progress is None else with_picture(studio, one, progress),
    }


def with_picture(studio: "Studio", one: Job, progress: Mapping[str, Any]) -> Answer:
    """Describe how far a job is, with the address of its newest picture."""
    snapshot = progress.get("snapshot")
    link = None if snapshot is None else FileLink(studio.history.id_of(one.folder), snapshot_name(snapshot))
    return {"job": one.id, **progress, "picture": url(studio, link)}


def run(studio: "Studio", one: Run) -> Answer:
    """Describe a run or a film of the history."""
    values = asdict(one) | {"picture": url(studio, one.picture), "thumb": url(studio, one.thumbnail)}
    del values["thumbnail"]
    jobs = [job.id for job in studio.queue.jobs if job.folder == one.folder]
    return values | {"job": jobs[-1] if jobs else None}


def details(studio: "Studio", one: Details) -> Answer:
    """Describe all of a run that its own page shows."""
    return run(studio, one.run) | {
        "rows": one.rows,
        "settings": one.settings,
        "start": url(studio, one.start),
        "snapshots": [
            {"iteration": snapshot.iteration, "url": url(studio, snapshot.link)} for snapshot in one.snapshots
        ],
        "downloads": {name: url(studio, link) for name, link in one.downloads.items()},
        "notes": one.notes,
    }


def trashed(studio: "Studio", item: Trashed) -> Answer:
    """Describe something in the trash."""
    return run(studio, item.run) | {"id": item.id, "trashed": item.trashed, "bytes": item.bytes}


def look(one: Look) -> Answer:
    """Describe a look."""
    return asdict(one)


def looks(studio: "Studio") -> list[Answer]:
    """Describe all looks."""
    return [look(one) for one in studio.looks.all()]


def checked(one: Checked) -> Answer:
    """Describe checked settings, and what is wrong with them."""
    return {
        "toml": one.toml,
        "values": one.values,
        "features": one.features,
        "network": one.network,
        "optimizer": one.optimizer,
        "problem": one.problem and asdict(one.problem),
    }


def sheet(studio: "Studio", one: Sheet) -> Answer:
    """Describe a sheet, with the state of its dreams."""
    jobs = {job.folder: job for job in studio.queue.jobs if job.sheet == one.id}
    record = one.record
    return {
        "id": one.id,
        "name": one.folder,
        "created": record.created,
        "photo": record.photo,
        "photo_name": record.photo_name,
        "look": record.look,
        "x": record.x.model_dump(),
        "y": record.y.model_dump(),
        "cells": [[_cell(studio, cell, jobs.get(cell.folder)) for cell in row] for row in one.cells],
        "picture": url(studio, one.picture),
    }


def _cell(studio: "Studio", cell: Cell, one: Job | None) -> Answer:
    """Describe a dream of a sheet: as its job says, or as its run says if the job was forgotten."""
    found = None
    with suppress(Missing):
        found = studio.history.get(cell.run)
    return {
        "job": one and one.id,
        "run": found and found.id,
        "state": one.state if one else (found.state if found else "stopped"),
        "picture": url(studio, found.picture) if found else None,
    }
