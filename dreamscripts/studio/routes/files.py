"""Routes of the files: pictures, films and downloads, each opened by its identifier and one of a few names."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dreamscripts.studio.routes.file_response import file_response
from dreamscripts.studio.routes.studio import Studio


def file(request: Request) -> Response:
    """Answer with a file, or with a part of it."""
    studio: Studio = request.app.state.studio
    found = studio.files.open(request.path_params["id"], request.path_params["name"])
    return file_response(request, found.file, found.kind, found.download)


ROUTES = [Route("/files/{id}/{name}", file, methods=["GET"])]
