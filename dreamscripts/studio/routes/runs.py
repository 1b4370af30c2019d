"""Routes of the history: its parts, one run, going on with it, the trash."""

from typing import Annotated, Any

from pydantic import Field

from dreamscripts.errors import DreamError
from dreamscripts.jobs.job import Job
from dreamscripts.studio.library.run import Run
from dreamscripts.studio.library.within import Missing
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.announcing import scan
from dreamscripts.studio.routes.endpoint import Nothing, Query, route
from dreamscripts.studio.routes.jobs import check_room
from dreamscripts.studio.routes.studio import Studio

Text = Annotated[str, Field(max_length=1000)]


class Part(Query):
    """A part of the history: what follows a cursor, perhaps only one look or photograph."""

    before: Text = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 60
    look: Text = ""
    photo: Text = ""


def runs(studio: Studio, query: Part) -> dict[str, Any]:
    """Return a part of the history, newest first."""
    if not query.before:
        scan(studio)
    part = studio.history.page(query.before, query.limit, query.look, query.photo)
    shown = [answers.run(studio, run) for run in part.runs]
    return {"runs": shown, "next": part.next, "looks": part.looks, "photos": part.photos}


def run(studio: Studio, id: str) -> dict[str, Any]:
    """Return all of a run."""
    find_run(studio, id)
    return answers.details(studio, studio.history.details(id))


def find_run(studio: Studio, id: str) -> Run:
    """Return a run, also one that a job has just begun. Raises Missing."""
    try:
        return studio.history.get(id)
    except Missing:
        folders = (job.folder for job in studio.queue.jobs if studio.history.id_of(job.folder) == id)
        found = next(map(studio.history.refresh, folders), None)
        if found is None:
            raise
        return found


def go_on(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Go on with a run that was interrupted, whoever began it."""
    found = find_run(studio, id)
    job = _job_of(studio, found)
    if job is not None and job.state in ("waiting", "running"):
        return answers.job(studio, job)
    if not found.resumable:
        raise DreamError(f"{found.name}: cannot go on: {found.message or 'it is complete'}")
    check_room(studio, 1)
    if job is not None:
        job = studio.queue.change(job.id, state="waiting", message="")
    else:
        kind = "dream" if found.kind == "dream" else "zoom"
        job = studio.queue.add(Job(kind=kind, folder=found.folder, look=found.look, sheet=found.sheet))
    studio.supervisor.wake()
    return answers.job(studio, job)


def trash(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Move a run into the trash."""
    forget_jobs(studio, find_run(studio, id).folder)
    answer = answers.trashed(studio, studio.trash.put_run(id))
    studio.hub.publish("run-gone", {"id": id}, id)
    return answer


def forget_jobs(studio: Studio, folder: str) -> None:
    """Remove the jobs that make a folder, or folders in it. Raises DreamError if one of them is running."""
    jobs = [job for job in studio.queue.jobs if job.folder == folder or job.folder.startswith(f"{folder}/")]
    if any(job.state == "running" for job in jobs):
        raise DreamError(f"{folder}: this dream is running; stop it first")
    for job in jobs:
        studio.queue.remove(job.id)


def trashed(studio: Studio) -> dict[str, Any]:
    """Return what is in the trash, newest first."""
    items = studio.trash.items()
    return {"items": [answers.trashed(studio, item) for item in items], "bytes": sum(item.bytes for item in items)}


def restore(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Move something back from the trash."""
    name = studio.trash.restore(id)
    scan(studio)
    found = studio.history.refresh(name)
    return {} if found is None else answers.run(studio, found)  # None: a sheet, whose runs were announced


def empty(studio: Studio) -> dict[str, Any]:
    """Delete everything in the trash for good."""
    studio.trash.empty()
    return {}


def _job_of(studio: Studio, found: Run) -> Job | None:
    return next((job for job in studio.queue.jobs if job.folder == found.folder), None)


ROUTES = [
    route("GET", "/api/runs", runs, query=Part),
    route("GET", "/api/runs/{id}", run),
    route("POST", "/api/runs/{id}/go-on", go_on, body=Nothing),
    route("POST", "/api/runs/{id}/trash", trash, body=Nothing),
    route("GET", "/api/trash", trashed),
    route("POST", "/api/trash/{id}/restore", restore, body=Nothing),
    route("DELETE", "/api/trash", empty),
]
