"""Connections that bring nothing, or too much, end; others do not notice."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse

from dreamscripts.studio import connection
from dreamscripts.studio.connection import Server
from dreamscripts.studio.events.hub import Hub
from dreamscripts.studio.events.stream import stream

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def port(monkeypatch):
    """Serve "hello", or nothing for ever, on the port that is returned."""
    monkeypatch.setattr(connection, "PATIENCE", 0.3)

    async def app(scope, receive, send):
        slow = scope["path"] == "/slow"
        await asyncio.sleep(1 if slow else 0)
        await PlainTextResponse("slow" if slow else "hello")(scope, receive, send)

    with serving(app) as port:
        yield port


@contextmanager
def serving(app, hub=None):
    listener = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    server = Server(app, hub or Hub(), started.set)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    assert started.wait(10)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def answer(client):
    """Return everything that the server sends until it closes the connection."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def ask(port, request=b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
    with connected(port) as client:
        client.sendall(request)
        return answer(client)


def test_a_request_is_answered(port):
    assert ask(port).endswith(b"hello")


@pytest.mark.parametrize("part", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A"])
def test_a_request_that_does_not_come_is_not_waited_for(port, part):
    with connected(port) as client:
        client.sendall(part)
        before = time.monotonic()
        assert answer(client) == b""
        assert 0.1 < time.monotonic() - before < 5


def test_one_that_drips_ends_too(port):
    with connected(port) as client:
        before = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - before < 8:
                client.sendall(b"X-A: 1\r\n" if time.monotonic() - before > 0.02 else b"GET / HTTP/1.1\r\n")
                time.sleep(0.05)
        assert time.monotonic() - before < 5


def test_an_answer_may_take_its_time(port):
    assert ask(port, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"slow")


def test_a_second_request_has_its_own_time(port):
    with connected(port) as client:
        for _ in range(3):
            client.sendall(REQUEST)
            received = b""
            while not received.endswith(b"hello"):
                received += client.recv(65536)
            time.sleep(0.2)  # together more than the patience


def test_a_body_without_end_after_the_answer_ends(port):
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        before = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - before < 8:
                client.sendall(b"5\r\nhello\r\n")
                time.sleep(0.02)
        assert time.monotonic() - before < 5


def test_a_flood_of_connections_neither_keeps_the_page_out_nor_ends_an_answer(port, monkeypatch):
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(connection, "PATIENCE", 5)
    with ExitStack() as stack:
        slow = stack.enter_context(connected(port))
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.2)
        flood = [stack.enter_context(connected(port)) for _ in range(20)]
        assert ask(port).endswith(b"hello")
        assert answer(flood[0]) == b""
        assert answer(slow).endswith(b"slow")


@pytest.mark.parametrize("request_", [b"\x00\xff\n\n", b"GET\r\n\r\n", b"A" * 100_000 + b"\r\n\r\n"])
def test_what_is_no_request_gets_no_more_than_a_refusal(port, request_):
    assert ask(port, request_).startswith(b"HTTP/1.1 400")
    assert ask(port).endswith(b"hello")


def test_an_upgrade_to_a_web_socket_is_not_made(port):
    upgrade = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    assert b"101" not in ask(port, upgrade).partition(b"\r\n")[0]


def test_readers_that_sleep_do_not_keep_the_server_and_no_traceback_is_shown(monkeypatch, capfd):
    monkeypatch.setattr(connection, "LAST_MOMENTS", 0.2)
    hub = Hub()

    async def app(scope, receive, send):
        await StreamingResponse(stream(hub, lambda: "x" * 20_000_000))(scope, receive, send)

    with ExitStack() as ending:
        port = ending.enter_context(serving(app, hub))
        with connected(port) as sleeping, connected(port) as reading:
            for client in (sleeping, reading):
                client.sendall(REQUEST)
                assert client.recv(100).startswith(b"HTTP/1.1 200")
            reader = threading.Thread(target=answer, args=(reading,))
            reader.start()
            while hub.readers < 2:
                time.sleep(0.01)
            before = time.monotonic()
            ending.close()
            assert time.monotonic() - before < 5
            reader.join(10)
    assert "Traceback" not in capfd.readouterr().err
