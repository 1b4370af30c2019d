"""Tell the open pages what happens to jobs, runs, photographs and sheets."""

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dreamscripts.jobs.events import (
    Event,
    JobChanged,
    JobRemoved,
    PreviewMade,
    PreviewsEnded,
    Progress,
    WorkerChanged,
)
from dreamscripts.jobs.job import Job
from dreamscripts.studio.library.history import Changes
from dreamscripts.studio.library.within import Missing
from dreamscripts.studio.routes import answers

if TYPE_CHECKING:
    from dreamscripts.studio.routes.studio import Studio

BETWEEN_RUNS = 2.0  # seconds between two events about a running run


def announce(studio: "Studio", event: Event) -> None:
    """Tell the open pages of an event of the supervisor or the queue. Any thread may call this."""
    match event:
        case JobChanged(job):
            _job_changed(studio, job)
        case JobRemoved(id):
            _forget(studio, id)
            studio.hub.publish("job-gone", {"id": id}, id)
        case Progress(id, progress):
            _progressed(studio, id, progress)
        case PreviewMade(photo, look, _):
            made = {"photo": photo, "look": look, "url": answers.preview(studio, photo, look)}
            studio.hub.publish("preview", made, f"{photo} {look}")
        case PreviewsEnded(photo, message):
            studio.hub.publish("previews-ended", {"photo": photo, "message": message}, photo)
        case WorkerChanged(lane, status, message):
            studio.hub.publish("worker", {"lane": lane, "status": status, "message": message}, lane)


def _job_changed(studio: "Studio", job: Job) -> None:
    job = studio.queue.get(job.id) or job  # another thread may have changed it since, and told it first
    if job.state != "running":
        _forget(studio, job.id)
    studio.hub.publish("job", lambda: answers.job(studio, job), job.id)
    _refresh(studio, job)


def _progressed(studio: "Studio", id: str, progress: Mapping[str, Any]) -> None:
    job = studio.queue.get(id)
    if job is None or job.state != "running":
        return
    before, snapshot = studio.progress.get(id, {}).get("snapshot"), progress.get("snapshot")
    studio.progress[id] = progress
    is_first, now = before is None and snapshot is not None, time.monotonic()
    if is_first or (snapshot != before and now - studio.refreshed.get(id, 0.0) > BETWEEN_RUNS):
        studio.refreshed[id] = now
        _refresh(studio, job)  # before the pages ask for the picture
    studio.hub.publish("progress", lambda: answers.with_picture(studio, job, progress), id)
    if is_first:  # its folder exists from now on
        studio.hub.publish("job", lambda: answers.job(studio, job), id)


def _forget(studio: "Studio", id: str) -> None:
    studio.progress.pop(id, None)
    studio.refreshed.pop(id, None)


def _refresh(studio: "Studio", job: Job) -> None:
    """Look at what a job has made, and tell the pages of its run and of its sheet."""
    run = studio.history.refresh(job.folder)
    if run is not None:
        studio.hub.publish("run", lambda: answers.run(studio, run), run.id)
    if job.sheet:
        sheet_changed(studio, job.sheet)


def sheet_changed(studio: "Studio", id: str) -> None:
    """Tell the pages how a sheet is now."""
    with suppress(Missing):
        sheet = studio.sheets.get(id)
        studio.hub.publish("sheet", lambda: answers.sheet(studio, sheet), id)


def scan(studio: "Studio") -> Changes:
    """Look for runs that others have made or deleted, and tell the pages."""
    changes = studio.history.scan()
    for run in changes.changed:
        studio.hub.publish("run", partial(answers.run, studio, run), run.id)
    for id in changes.gone:
        studio.hub.publish("run-gone", {"id": id}, id)
    _complete(studio, {run.folder for run in changes.changed if run.state == "complete"})
    return changes


def _complete(studio: "Studio", folders: Collection[str]) -> None:
    """Change the jobs whose runs somebody has completed with a command to "done"."""
    for job in studio.queue.jobs:
        if job.folder in folders and job.state in ("stopped", "failed"):
            with suppress(KeyError):  # somebody has just removed it
                studio.queue.change(job.id, state="done", message="")
