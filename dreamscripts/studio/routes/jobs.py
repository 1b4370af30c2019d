"""Routes of the queue: ask for a dream or a film, stop it, go on, put it elsewhere, remove it."""

import shutil
from typing import Any, Literal

from dreamscripts.errors import DreamError
from dreamscripts.jobs.job import Job
from dreamscripts.studio.library import editing
from dreamscripts.studio.library.photographs import Photograph, stem_of
from dreamscripts.studio.library.within import Missing
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Body, Id, LookName, Nothing, Toml, route
from dreamscripts.studio.routes.studio import Studio

MOST_UNFINISHED = 200
LEAST_FREE = 200_000_000  # bytes of the disk
ENDINGS = {"dream": "", "zoom": ".mp4", "movie": ".mp4"}


class Order(Body):
    """What a person asks for: a dream or a zoom of a photograph, or of noise, or the movie of a run."""

    kind: Literal["dream", "zoom", "movie"]
    photo: Id | None = None
    look: LookName = ""
    toml: Toml | None = None
    run: Id | None = None


class Move(Body):
    """The job that a job is put before. None: it becomes the last."""

    before: Id | None = None


def add(studio: Studio, body: Order) -> dict[str, Any]:
    """Put a job at the end of the queue."""
    check_room(studio, 1)
    job = _movie(studio, body) if body.kind == "movie" else _dream(studio, body)
    job = studio.queue.add(job)
    studio.supervisor.wake()
    return answers.job(studio, job)


def _dream(studio: Studio, order: Order) -> Job:
    if order.toml is None or order.run is not None:
        raise DreamError("a dream needs settings, and no run")
    photo = studio.photographs.get(order.photo) if order.photo else None
    toml = settings_for(studio, order.toml, photo)
    stem = "-".join(part for part in (photo and stem_of(photo.name), order.look or "own") if part)
    return Job(
        kind=order.kind,
        folder=studio.queue.new_name(stem + ("-zoom" if order.kind == "zoom" else ""), ENDINGS[order.kind]),
        photo=str(studio.photographs.path(photo.id)) if photo else None,
        look=order.look,
        settings=toml,
    )


def settings_for(studio: Studio, toml: str, photo: Photograph | None) -> str:
    """Return settings that start with this photograph, or with noise if it is None. Raises SettingsError."""
    chosen = studio.looks.load(toml)
    if photo is None and chosen.start == "photograph":
        raise DreamError("choose a photograph, or settings that start with noise")
    chosen.check_pictures(1)
    if photo is not None and chosen.start == "noise":
        return editing.changed(toml, {"start": "photograph"})
    return toml


def _movie(studio: Studio, order: Order) -> Job:
    if order.run is None or order.photo is not None or order.toml is not None:
        raise DreamError("a movie needs a run, and nothing else")
    run = studio.history.get(order.run)
    if run.kind != "dream":
        raise DreamError(f"{run.name}: this is a film already")
    name = studio.queue.new_name(run.folder.rpartition("/")[2], ENDINGS["movie"])
    return Job(kind="movie", folder=name, run=run.folder, look=run.look)


def check_room(studio: Studio, more: int) -> None:
    """Raise DreamError if so many more jobs are too many, or if the disk is nearly full."""
    unfinished = sum(job.state in ("waiting", "running") for job in studio.queue.jobs)
    if unfinished + more > MOST_UNFINISHED:
        raise DreamError(f"{unfinished} jobs wait already, and {MOST_UNFINISHED} is the limit; remove some first")
    free = shutil.disk_usage(studio.folder.base).free
    if free < LEAST_FREE:
        raise DreamError(f"the disk is nearly full ({free / 1e6:.0f} MB are free); empty the trash, or make room first")


def stop(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Stop a job. A running one ends after the pass under way, and keeps what it has made."""
    _job(studio, id)
    studio.supervisor.stop(id)
    return answers.job(studio, _job(studio, id))


def go_on(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Let a job that was stopped or failed wait again. It goes on where it was."""
    job = _job(studio, id)
    if job.state in ("stopped", "failed"):
        job = studio.queue.change(id, state="waiting", message="")
        studio.supervisor.wake()
    return answers.job(studio, job)


def move(studio: Studio, id: str, body: Move) -> dict[str, Any]:
    """Put a job before another, or at the end."""
    _job(studio, id)
    if body.before is not None:
        _job(studio, body.before)
    job = studio.queue.move(id, body.before)
    studio.supervisor.wake()
    return answers.job(studio, job)


def remove(studio: Studio, id: str) -> dict[str, Any]:
    """Remove a job from the queue. What it has made stays in the history."""
    if _job(studio, id).state == "running":
        raise DreamError("this dream is running; stop it first")
    try:
        studio.queue.remove(id)
    except KeyError:
        raise Missing("this job was removed before") from None
    return {}


def _job(studio: Studio, id: str) -> Job:
    job = studio.queue.get(id)
    if job is None:
        raise Missing("there is no such job; it may have been removed")
    return job


ROUTES = [
    route("POST", "/api/jobs", add, body=Order),
    route("POST", "/api/jobs/{id}/stop", stop, body=Nothing),
    route("POST", "/api/jobs/{id}/go-on", go_on, body=Nothing),
    route("POST", "/api/jobs/{id}/move", move, body=Move),
    route("DELETE", "/api/jobs/{id}", remove),
]
