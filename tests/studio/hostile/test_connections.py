"""Attacks on the server as it listens: bytes that are no HTTP, bodies that lie about their length, many at once."""

import random
import socket
import threading
import time

import pytest
from studio.hostile.attacks import API, READING, path_of, png
from studio_requests import HOST, TOKEN, build_app, form

from dreamscripts.studio import connection
from dreamscripts.studio.connection import Server
from dreamscripts.studio.routes import guard, state

HEAD = f"Host: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n"
STATE = f"GET /api/state HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n".encode()


@pytest.fixture(scope="module")
def port(studio):
    """Serve the studio with little patience, and return the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(connection, "PATIENCE", 0.5)
        changes.setattr(guard, "PATIENCE", 0.5)
        server = Server(build_app(studio), studio.hub, started.set)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert started.wait(20)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def send(port, *parts, pause=0.0):
    """Send bytes on a new connection, and return everything that comes back until it ends."""
    received = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
            while part := client.recv(1 << 20):
                received.append(part)
        except ConnectionError:
            pass  # the server had enough
    return b"".join(received)


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def post(headers, body=b"", path="/api/settings/check"):
    return f"POST {path} HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n{headers}\r\n".encode() + body


@pytest.fixture(autouse=True)
def it_still_answers(port, capfd):
    yield
    before = time.monotonic()
    assert status(send(port, STATE)) == 200
    assert time.monotonic() - before < 5
    assert "Traceback" not in capfd.readouterr().err


ATTACKS = {
    "a body that is longer than it says": (post("Content-Length: 2\r\n", b"{}" + b"GET / HTTP/1.1\r\n\r\n"), {400}),
    "a body that is shorter than it says": (post("Content-Length: 50\r\n", b"{}"), {408}),
    "a body that does not come": (post("Content-Length: 50\r\n"), {408}),
    "a length that is too large": (post("Content-Length: 99999999999\r\n", b"{}"), {413}),
    "a length with a sign": (post("Content-Length: -5\r\n", b"{}"), {400}),
    "a length of many digits": (post("Content-Length: " + "9" * 60 + "\r\n", b"{}"), {400, 413}),
    "two lengths": (post("Content-Length: 2\r\nContent-Length: 3\r\n", b"{}"), {400}),
    "a length and chunks": (post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), {200, 400}),
    "chunks with an odd size": (post("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"), {400, None}),
    "a chunk that is huge": (post("Transfer-Encoding: chunked\r\n", b"FFFFFFFFFF\r\n{}"), {400, 408, 413}),
    "an encoding of the body that nobody knows": (post("Transfer-Encoding: gzip\r\n", b"{}"), {400, 501}),
    "two names of the machine": (f"GET / HTTP/1.1\r\n{HEAD}Host: evil.example\r\n\r\n".encode(), {400}),
    "no name of the machine": (b"GET / HTTP/1.1\r\n\r\n", {400}),
    "no name of the machine in the old way": (b"GET / HTTP/1.0\r\n\r\n", {403}),
    "a whole address": (f"GET http://evil.example/api/state HTTP/1.1\r\n{HEAD}\r\n".encode(), {404}),
    "an address of another kind": (f"CONNECT evil.example:443 HTTP/1.1\r\n{HEAD}\r\n".encode(), {400, 405}),
    "a path that leads up": (f"GET /page/../../../etc/passwd HTTP/1.1\r\n{HEAD}\r\n".encode(), {404}),
    "a header with NUL": (f"GET / HTTP/1.1\r\n{HEAD}X: a\0b\r\n\r\n".encode(), {400}),
    "a header in two lines": (f"GET / HTTP/1.1\r\n{HEAD}X: a\r\n b\r\n\r\n".encode(), {200, 400}),
    "ten thousand headers": (f"GET / HTTP/1.1\r\n{HEAD}".encode() + b"X: y\r\n" * 10_000 + b"\r\n", {200, 400}),
    "a long path": (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", {400}),
    "bytes": (random.Random(0).randbytes(5000), {400, None}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 403, 405}),
    "a web socket": (f"GET /api/events HTTP/1.1\r\n{HEAD}Upgrade: websocket\r\nConnection: Upgrade, close\r\n", {None}),
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_it_is_refused_or_given_up(port, kind):
    content, expected = ATTACKS[kind]
    before = time.monotonic()
    answer = send(port, content if isinstance(content, bytes) else content.encode())
    assert status(answer) in expected, answer[:300]
    assert time.monotonic() - before < 8


def test_an_upload_without_end_ends(port):
    headers, body = form(png())
    kind = f"Content-Type: {headers['content-type']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    head = f"POST /api/photos HTTP/1.1\r\n{HEAD}{kind}"
    start = body[: body.index(b"\r\n\r\n") + 4]
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    before = time.monotonic()
    answer = send(port, head.encode(), b"%x\r\n%s\r\n" % (len(start), start), *[chunk] * 80)
    assert status(answer) in (413, None)  # the connection can be closed before the answer is read
    assert time.monotonic() - before < 20


def test_those_who_leave_in_the_middle_leave_nothing(port, studio, photo):
    headers, body = form(png((500, 500)))
    kind = f"Content-Type: {headers['content-type']}\r\nContent-Length: {len(body)}\r\n\r\n"
    uploading = f"POST /api/photos HTTP/1.1\r\n{HEAD}{kind}".encode() + body[:-20]
    reading = f"GET {studio.links.sign(f'/files/{photo}/photograph.png')} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    watching = f"GET /api/events HTTP/1.1\r\n{HEAD}\r\n".encode()
    before = len(studio.photographs.all())
    for content in (uploading, post("Content-Length: 50\r\n", b"{"), reading, watching, STATE, b"GET"):
        for wait in (0, 0.1):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(content)
                time.sleep(wait)
    deadline = time.monotonic() + 10
    while studio.hub.readers and time.monotonic() < deadline:
        time.sleep(0.05)
    assert studio.hub.readers == 0
    assert len(studio.photographs.all()) == before


def test_many_requests_in_one_connection_are_answered(port):
    answer = send(port, *[STATE.replace(b"Connection: close\r\n", b"")] * 50, STATE)
    assert answer.count(b"HTTP/1.1 200 OK") == 51


def test_many_at_once_are_answered(port):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send(port, STATE))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [status(answer) for answer in answers] == [200] * 100


def test_many_open_pages_leave_room_for_requests(port, monkeypatch):
    monkeypatch.setattr(state, "MOST_READERS", 20)
    pages, heads = [], []
    for _ in range(25):
        pages.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        pages[-1].sendall(f"GET /api/events HTTP/1.1\r\n{HEAD}\r\n".encode())
        heads.append(pages[-1].recv(100_000))
        time.sleep(0.01)
    assert [status(head) for head in heads] == [200] * 20 + [429] * 5
    assert status(send(port, STATE)) == 200
    for page in pages:
        page.close()


def test_two_hundred_random_requests_change_nothing(port, place):
    chance = random.Random(1)
    odd = ["..", "%2e%2e%2f", "\\", "%00", "//", "?key=", "~", ";", "{}", "'", "\xff", "a" * 300, "token", "run.json"]
    before = sorted(path.name for path in (place / "base").iterdir())
    for _ in range(200):
        method, path = chance.choice(API)
        if path in READING:
            continue
        target = (
            path_of(path) if chance.random() < 0.5 else path_of(path, id=chance.choice(odd), name=chance.choice(odd))
        )
        headers = chance.choice(["", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n", "Range: bytes=0-0,1-1\r\n"])
        body = chance.choice([b"", b"{}", b"[", b'{"toml":"network = \\"/etc/x.keras\\""}', chance.randbytes(100)])
        kind = chance.choice(["application/json", "text/plain", "multipart/form-data; boundary=x"])
        request = f"{method} {target} HTTP/1.1\r\n{HEAD}{headers}Content-Type: {kind}\r\nConnection: close\r\n"
        content = request.encode("latin-1") + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        answer = send(port, content)
        assert answer.startswith(b"HTTP/1.1 ")
        assert status(answer) < 500, (content, answer)
    assert sorted(path.name for path in (place / "base").iterdir()) == before
