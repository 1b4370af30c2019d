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


class StillSupervisor:
    """Takes the place of the supervisor: starts no process, and keeps what it was asked for."""

    def __init__(self, queue, on_event, allowed=()):
        self.on_event = queue.on_change = on_event
        self.status = dict.fromkeys(("previews", "dreams"), ("starting", ""))
        self.asked = []
        self.queue = queue

    def start(self):
        self.asked.append(("start",))

    def preview(self, photo_id, path, looks, folder):
        self.asked.append(("preview", photo_id, path, dict(looks), folder))

    def cancel_previews(self, photo_id):
        self.asked.append(("cancel_previews", photo_id))

    def stop(self, job_id):
        self.asked.append(("stop", job_id))
        self.queue.change(job_id, state="stopped")

    def wake(self):
        self.asked.append(("wake",))

    def close(self):
        self.asked.append(("close",))


def open_studio(base, allowed=()):
    """Open the studio of a folder, without workers, and with the token of the tests."""
    from unittest.mock import patch

    from dreamscripts.studio.library.folder import StudioFolder
    from dreamscripts.studio.routes import studio

    with patch.object(studio, "Supervisor", StillSupervisor), patch.object(StudioFolder, "token", lambda self: TOKEN):
        return studio.Studio(StudioFolder(base), allowed)


def build_app(studio):
    """Return the application of a studio, with its guard."""
    from dreamscripts.studio.routes.app import build
    from dreamscripts.studio.routes.guard import Names

    return build(studio, Names.of([], PORT))


def form(content, filename="sky.png", field="photo", boundary="x") -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a form with one file."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return {"content-type": f"multipart/form-data; boundary={boundary}"}, body


def upload(app, content, filename="sky.png", field="photo") -> Answer:
    """Send a file as the page does."""
    headers, body = form(content, filename, field)
    return ask(app, "POST", "/api/photos", OWN | headers, body)
