"""The page itself: files of the package, which are the same for everybody and contain no secrets."""

import hashlib
from importlib.resources import files
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dreamscripts.studio.library.within import Missing

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class PageFile(NamedTuple):
    """A file of the page, and the mark by which a browser knows that its copy is still the same."""

    content: bytes
    kind: str
    mark: str


def page(request: Request) -> Response:
    """Answer with the page."""
    return _answer(request, "index.html")


def page_file(request: Request) -> Response:
    """Answer with a style, a module or a drawing of the page."""
    return _answer(request, request.path_params["name"])


def _answer(request: Request, name: str) -> Response:
    try:
        file = _page_file(name)
    except OSError:
        raise Missing("there is no such file of the page") from None
    headers = {"etag": file.mark, "cache-control": "no-cache"}  # it is asked for again, so that an update is seen
    if request.headers.get("if-none-match") == file.mark:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.kind)


def _page_file(name: str) -> PageFile:
    """Read a file of the package. Raises OSError if it is none of the page."""
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None:
        raise FileNotFoundError(name)
    content = files("dreamscripts.studio.page").joinpath(name).read_bytes()
    return PageFile(content, kind, f'"{hashlib.sha256(content).hexdigest()[:16]}"')


ROUTES = [Route("/", page, methods=["GET"]), Route("/page/{name}", page_file, methods=["GET"])]
