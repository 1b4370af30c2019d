"""Routes of the photographs: add one, try looks on it, remove it."""

from typing import Any, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dreamscripts.errors import DreamError, PictureError
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Body, Json, LookName, Nothing, Toml, route
from dreamscripts.studio.routes.studio import Studio

MOST_LOOKS = 100  # in one request
TRIED = "current"  # the name of the preview of settings that have no name


class Previews(Body):
    """The looks to try, or settings. Without both: the looks of which there is no preview yet."""

    looks: list[LookName] | None = None
    toml: Toml | None = None


async def upload(request: Request) -> Response:
    """Add the photograph in the field `photo` of a form."""
    studio: Studio = request.app.state.studio
    async with request.form(max_files=1, max_fields=5, max_part_size=1000) as form:
        photo = form.get("photo")
        if not isinstance(photo, UploadFile):
            raise DreamError("the form has no file in its field `photo`")
        async with studio.decoding:
            return Json(await run_in_threadpool(add, studio, photo.file, photo.filename or "photograph"))


def add(studio: Studio, file: BinaryIO, name: str) -> dict[str, Any]:
    """Add a photograph from a file, and tell all pages."""
    answer = answers.photo(studio, studio.photographs.add(file, name))
    studio.hub.publish("photo", answer, answer["id"])
    return answer


def preview(studio: Studio, id: str, body: Previews) -> dict[str, Any]:
    """Try looks on a photograph, which takes some seconds for each. The previews arrive as events."""
    path = studio.photographs.path(id)
    if body.toml is not None:
        looks = {TRIED: body.toml}
        studio.looks.load(body.toml)
    else:
        looks = {name: studio.looks.toml(name) for name in _names(studio, id, body.looks)}
    if looks:
        studio.supervisor.preview(id, path, looks, studio.photographs.previews_folder(id))
    return {"looks": list(looks)}


def _names(studio: Studio, id: str, wanted: list[str] | None) -> list[str]:
    if wanted is not None:
        if len(wanted) > MOST_LOOKS:
            raise DreamError(f"at most {MOST_LOOKS} looks can be tried at once")
        for name in wanted:
            if studio.looks.get(name).own:  # a file that somebody else can have made
                studio.looks.load(studio.looks.toml(name))
        return wanted
    made = studio.photographs.previews(id)
    ranked = [look for look in studio.looks.all() if look.preview_rank is not None and look.name not in made]
    return [look.name for look in sorted(ranked, key=lambda look: look.preview_rank or 0)]


def remove(studio: Studio, id: str) -> dict[str, Any]:
    """Delete a photograph and its previews. Its dreams stay."""
    path = str(studio.photographs.path(id))
    if any(job.photo == path and job.state in ("waiting", "running") for job in studio.queue.jobs):
        raise PictureError("a dream of this photograph is in the queue; remove that first")
    studio.supervisor.cancel_previews(id)
    studio.photographs.remove(id)
    studio.hub.publish("photo-gone", {"id": id}, id)
    return {}


def again(studio: Studio, id: str, body: Nothing) -> dict[str, Any]:
    """Use the picture of a run as a photograph."""
    run = studio.history.get(id)
    if run.picture is None or run.kind != "dream":
        raise PictureError(f"{run.name}: has no picture yet")
    with studio.files.open(run.picture.id, run.picture.name).file as file:
        return add(studio, file, f"{run.name}.png")


ROUTES = [
    Route("/api/photos", upload, methods=["POST"]),
    route("POST", "/api/photos/{id}/previews", preview, body=Previews, status=202),
    route("DELETE", "/api/photos/{id}", remove),
    route("POST", "/api/runs/{id}/use", again, body=Nothing),
]
