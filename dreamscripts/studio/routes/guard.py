"""The guard in front of every route: who asks, from which page, under which name of this machine, and how much is sent.

A web page of anybody can make the browser send requests to this machine, and can give this machine a name of its own
(DNS rebinding). So each request must come from the studio's own page, by a name of this machine, and with the token.
The token is in no cookie, because a browser sends cookies to every port, and other ports can belong to other people.
"""

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dreamscripts.studio.json_text import to_json
from dreamscripts.studio.routes.links import Links

MOST_JSON = 1_000_000  # bytes of a request
MOST_UPLOAD = 64 * 2**20 + 64 * 2**10  # bytes: a photograph, and the lines around it
PATIENCE = 30.0  # seconds until the next bytes of a request arrive
LONGEST_QUERY = 1000  # bytes
UPLOAD = "/api/photos"
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE"}
ONCE = ("host", "origin", "authorization", "content-type", "sec-fetch-site")
PLAIN_PATH = re.compile(rb"/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=(), payment=(), usb=()",
}


class Refused(Exception):
    """A request that the guard does not let through, with its HTTP status."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Names:
    """The names by which a browser may call this server: host names, and any IP address if `any_address`."""

    hosts: frozenset[str]
    port: int
    any_address: bool = False

    @classmethod
    def of(cls, hosts: Iterable[str], port: int, any_address: bool = False) -> "Names":
        """Return the names with those of this machine itself."""
        own = {"127.0.0.1", "localhost", "[::1]", *hosts}
        return cls(frozenset(map(str.lower, own)), port, any_address)

    def include(self, host: str) -> bool:
        """Return whether a Host header names this server. A name of somebody else that leads here does not."""
        found = re.fullmatch(r"(.*?)(?::(\d{1,5}))?", host.lower(), re.ASCII | re.DOTALL)
        assert found  # it matches everything
        name, port = found[1], int(found[2] or 80)
        return port == self.port and (name in self.hosts or (self.any_address and _is_address(name)))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True


class Guard:
    """Lets a request through to `app`, or answers it with a refusal in one line of JSON."""

    def __init__(self, app: ASGIApp, names: Names, token: str, links: Links):
        self._app = app
        self._names = names
        self._token = token
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Other kinds of connections than HTTP are closed."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        guarded = _with_headers(send, scope["path"])
        try:
            limit = self._check(scope)
        except Refused as refused:
            content = to_json({"error": str(refused)})
            response = Response(content, refused.status, media_type="application/json")
            if _is_endless(scope):
                response.headers["connection"] = "close"
            return await response(scope, receive, guarded)
        return await self._app(scope, _Limited(receive, limit), guarded)

    def _check(self, scope: Scope) -> int:
        """Return the most bytes that this request may send. Raises Refused."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        if any(len(headers.getlist(name)) > 1 for name in ONCE):
            raise Refused(400, "a header of this request appears twice")
        if method not in METHODS:
            raise Refused(405, "the studio does not know this kind of request")
        self._check_place(headers, method, path)
        if not PLAIN_PATH.fullmatch(scope["raw_path"]):
            raise Refused(404, "there is nothing at this address")
        self._check_right(headers, method, path, scope["query_string"])
        return _check_body(headers, method, path)

    def _check_place(self, headers: Headers, method: str, path: str) -> None:
        """Refuse a request that another site made the browser send, or that came by another name."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._names.include(host):
            raise Refused(403, "this name of the machine is not one of the studio's; use the address in the terminal")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise Refused(403, "a page of another site may not use the studio")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
            if not (visit and method == "GET" and path == "/"):
                raise Refused(403, "another site may not use the studio")

    def _check_right(self, headers: Headers, method: str, path: str, query: bytes) -> None:
        """Refuse a request without the token, or without the key of the one file that it asks for."""
        reads = method in ("GET", "HEAD")
        if reads and (path == "/" or path.startswith("/page/")):
            return  # the page itself, which has no secrets
        if reads and path.startswith("/files/"):
            keys = parse_qs(query[:LONGEST_QUERY].decode("latin-1")).get("key", [])
            if len(keys) != 1 or not self._links.is_valid(path, keys[0]):
                raise Refused(403, "this link does not open this file; reload the page")
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(token.encode("latin-1", "replace"), self._token.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refused(401, "the token is missing or wrong; open the address that the terminal shows")


def _check_body(headers: Headers, method: str, path: str) -> int:
    """Return the most bytes of the body. Raises Refused for another kind of body than the route takes."""
    length = headers.get("content-length", "0")
    has_body = length != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_upload = method == "POST" and path == UPLOAD
    wanted = "multipart/form-data" if is_upload else "application/json"
    if (has_body or kind) and kind != wanted:
        raise Refused(415, f"this request must be {wanted}")
    limit = MOST_UPLOAD if is_upload else MOST_JSON
    if not length.isdecimal() or len(length) > 18 or int(length) > limit:
        raise Refused(413, _too_large(limit))
    return limit


def _too_large(limit: int) -> str:
    return f"this is too large: {limit / 1e6:.0f} MB is the limit"


def _is_endless(scope: Scope) -> bool:
    """Return whether the rest of a refused request is not worth waiting for."""
    length = Headers(scope=scope).get("content-length", "0")
    return "transfer-encoding" in Headers(scope=scope) or len(length) > 9


class _Limited:
    """Receives the body of a request, if it comes in time and is not too large."""

    def __init__(self, receive: Receive, limit: int):
        self._receive = receive
        self._limit = limit
        self._got = 0
        self._is_complete = False

    async def __call__(self) -> Message:
        """Receive the next part. Raises HTTPException."""
        if self._is_complete:  # what follows is the end of the connection, at any time
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), PATIENCE)
        except TimeoutError:
            raise HTTPException(
                408, "the rest of the request did not arrive in time", {"connection": "close"}
            ) from None
        self._got += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self._got > self._limit:
            raise HTTPException(413, _too_large(self._limit), {"connection": "close"})
        return message


def _with_headers(send: Send, path: str) -> Send:
    """Return a `send` that adds the headers which keep other sites out of every answer."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if path.startswith("/files/"):
                headers["content-security-policy"] = f"{POLICY}; sandbox"
            if path.startswith("/api/"):
                headers["cache-control"] = "no-store"
        await send(message)

    return guarded
