"""Ask an application of the studio over ASGI, as a browser or an attacker does: with any path, header and body."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

PORT = 8765
TOKEN = "a-token-of-the-tests"
HOST = f"127.0.0.1:{PORT}"
OWN = {"host": HOST, "authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}


@dataclass
class Answer:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The words of a refusal, which must be one line and no traceback."""
        assert 400 <= self.status < 500, (self.status, self.body)
        error = self.json["error"]
        assert list(self.json) == ["error"]
        assert error and "\n" not in error and "Traceback" not in error
        return error


def ask(app, method="GET", target="/", headers=OWN, body=b"", chunks=None, more=()) -> Answer:
    """Send a request to an ASGI application, and return its answer. `target` is as in the request line.

    chunks: the parts of the body, instead of `body`. more: additional headers, which may repeat others.
    """
    path, _, query = target.encode("latin-1").partition(b"?")
    parts = list(chunks) if chunks is not None else [body]
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in (*headers.items(), *more)]
    if chunks is None and body and b"content-length" not in dict(pairs):
        pairs.append((b"content-length", str(len(body)).encode()))
    return asyncio.run(asyncio.wait_for(_ask(app, method, path, query, pairs, parts), 30))


async def _ask(app, method, path, query, headers, parts):
    from urllib.parse import unquote

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", PORT),
        "state": {},
    }
    waiting, sent = iter([*enumerate(parts)]), []

    async def receive():
        for number, part in waiting:
            if part is None:
                await asyncio.sleep(3600)
            return {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    fields = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], fields, b"".join(message.get("body", b"") for message in rest))


def post(app, target, value, **headers) -> Answer:
    """Send JSON as the page does."""
    return ask(app, "POST", target, OWN | JSON | headers, json.dumps(value).encode())
