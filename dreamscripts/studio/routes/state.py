"""Routes of the whole state, and of the events that change it."""

import shutil
from importlib.util import find_spec
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dreamscripts import __version__
from dreamscripts.studio.events.stream import stream
from dreamscripts.studio.library.photographs import MOST_BYTES, MOST_PHOTOGRAPHS, MOST_PIXELS
from dreamscripts.studio.routes import answers
from dreamscripts.studio.routes.endpoint import Json, route
from dreamscripts.studio.routes.jobs import MOST_UNFINISHED
from dreamscripts.studio.routes.networks import networks
from dreamscripts.studio.routes.studio import Studio

MOST_READERS = 100


def state(studio: Studio) -> dict[str, Any]:
    """Return everything that an open page knows at first."""
    return {
        "version": __version__,
        "folder": str(studio.folder.base),
        "has_video": find_spec("av") is not None,
        "networks": networks(studio.allowed),
        "workers": {
            lane: {"status": status, "message": message} for lane, (status, message) in studio.supervisor.status.items()
        },
        "photos": [answers.photo(studio, photograph) for photograph in studio.photographs.all()],
        "looks": answers.looks(studio),
        "jobs": [answers.job(studio, job) for job in studio.queue.jobs],
        "sheets": [answers.sheet(studio, sheet) for sheet in studio.sheets.all()],
        "disk_free": shutil.disk_usage(studio.folder.base).free,
        "limits": {
            "bytes": MOST_BYTES,
            "pixels": MOST_PIXELS,
            "photos": MOST_PHOTOGRAPHS,
            "jobs": MOST_UNFINISHED,
        },
    }


async def events(request: Request) -> Response:
    """Answer with the state and then with every change, until the page is closed."""
    studio: Studio = request.app.state.studio
    if request.method == "HEAD":  # nobody would read the stream, which has no end
        return Response(media_type="text/event-stream")
    if studio.hub.readers >= MOST_READERS:
        return Json({"error": f"{MOST_READERS} pages are open already; close some"}, 429)
    return StreamingResponse(stream(studio.hub, lambda: state(studio)), media_type="text/event-stream")


ROUTES = [route("GET", "/api/state", state), Route("/api/events", events, methods=["GET"])]
