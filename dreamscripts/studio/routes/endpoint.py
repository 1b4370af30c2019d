"""Routes that are plain functions: JSON in, JSON out, and every mistake of a request in one line of words.

A function gets the studio, the parts of the path by name and, if the route has them, `body` and `query`. It runs in a
thread, because it reads and writes files.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dreamscripts.errors import DreamError, plain_words, short, shown
from dreamscripts.studio.json_text import to_json
from dreamscripts.studio.library.within import Missing

ID, NO_ID = re.compile("[0-9a-f]{16}"), "0" * 16
Id = Annotated[str, Field(pattern=f"^{ID.pattern}$")]
LookName = Annotated[str, Field(max_length=100)]
Toml = Annotated[str, Field(max_length=500_000)]
WORDS = {404: "there is nothing at this address", 405: "the studio does not know this kind of request"}


class Body(BaseModel):
    """The JSON of a request: exactly these keys, with values of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Nothing(Body):
    """A request that needs no more words."""


class Query(BaseModel):
    """What follows the ? of an address. Values are texts, which become numbers where they are numbers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Json(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of the answer."""
        return to_json(content)


def route(
    method: str,
    path: str,
    function: Callable[..., Any],
    *,
    body: type[Body] | None = None,
    query: type[Query] | None = None,
    status: int = 200,
) -> Route:
    """Return a route that calls `function(studio, **parts of the path)` with what was asked for."""

    async def answer(request: Request) -> Response:
        values: dict[str, Any] = dict(request.path_params)
        if not ID.fullmatch(values.get("id", NO_ID)):
            raise Missing("there is nothing with this identifier")
        if body is not None:
            values["body"] = _parse(body, await request.body())
        if query is not None:
            values["query"] = _parse_query(query, request)
        content = await run_in_threadpool(function, request.app.state.studio, **values)
        return content if isinstance(content, Response) else Json(content, status)

    return Route(path, answer, methods=[method], name=f"{method} {path}")


def _parse(body: type[Body], content: bytes) -> Body:
    try:
        return body.model_validate_json(content or b"{}")
    except ValidationError as error:
        _refuse(error, "the request")


def _parse_query(query: type[Query], request: Request) -> Query:
    try:
        return query.model_validate(dict(request.query_params))
    except ValidationError as error:
        _refuse(error, "the address")


def _refuse(error: ValidationError, source: str) -> NoReturn:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    raise DreamError(shown(short(f"{source}: {place and place + ': '}{plain_words(first['msg'])}"))) from None


def on_dream_error(request: Request, error: Exception) -> Response:
    """Answer with the words of an error that a person can cause."""
    return Json({"error": shown(str(error))}, 404 if isinstance(error, Missing) else 400)


def on_http_error(request: Request, error: Exception) -> Response:
    """Answer with the words of an error that the server found in a request."""
    assert isinstance(error, HTTPException)
    words = WORDS.get(error.status_code, shown(short(error.detail)))
    return Json({"error": words}, error.status_code, error.headers)


def on_disconnect(request: Request, error: Exception) -> Response:
    """Give up a request whose sender has gone. Nobody reads the answer."""
    return Json({"error": "the connection ended"}, 400)


def on_mistake(request: Request, error: Exception) -> Response:
    """Answer that the server has a fault, and nothing about it. The terminal shows it."""
    return Json({"error": "the studio made a mistake; the terminal in which it runs says more"}, 500)


HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {
    DreamError: on_dream_error,
    HTTPException: on_http_error,
    ClientDisconnect: on_disconnect,
    Exception: on_mistake,
}
