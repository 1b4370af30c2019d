"""The whole state, and the stream of events."""

import asyncio
import json

from studio_requests import OWN, PORT, ask

from dreamscripts import __version__
from dreamscripts.studio.events import stream
from dreamscripts.studio.routes import state
from dreamscripts.studio.routes.networks import networks


def test_the_state_has_all_that_a_page_needs(app, studio):
    found = ask(app, target="/api/state").json
    assert found["version"] == __version__
    assert found["folder"] == str(studio.folder.base)
    assert found["workers"]["dreams"] == {"status": "starting", "message": ""}
    assert found["limits"] == {"bytes": 64 * 2**20, "pixels": 100_000_000, "photos": 500, "jobs": 200}
    assert found["jobs"] == found["photos"] == found["sheets"] == []
    assert len(found["looks"]) > 20
    assert found["disk_free"] > 0
    assert isinstance(found["has_video"], bool)


def test_networks_are_ready_if_their_weights_are_here(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    for name in ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "mobilenet_v2_weights_tf_dim_ordering.h5"):
        (tmp_path / "models" / name).touch()
    found = {network["name"]: network for network in networks(["/a/mine.keras", "/a/guide.png", "/a/x.weights.h5"])}
    assert {name for name, network in found.items() if network["ready"]} >= {"pocket", "vgg16", "mobilenet_v2"}
    assert not found["vgg19"]["ready"] and not found["mobilenet"]["ready"]
    assert "MB" in found["vgg19"]["about"]
    assert found["/a/mine.keras"]["title"] == "mine.keras"
    assert "/a/guide.png" not in found and "/a/x.weights.h5" not in found


def test_without_a_folder_of_keras_the_others_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nowhere"))
    assert {network["name"] for network in networks([]) if network["ready"]} >= {"pocket"}


async def _read(app, until, then=lambda: None):
    """Read the events of the application until `until(text)`, and close the connection as a browser does."""
    text, closed = bytearray(), asyncio.Event()
    headers = [(name.encode(), value.encode()) for name, value in OWN.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "GET",
        "path": "/api/events",
        "raw_path": b"/api/events",
        "query_string": b"",
        "headers": headers,
        "server": ("127.0.0.1", PORT),
        "state": {},
    }
    first = True

    async def receive():
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await closed.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        nonlocal then
        if message["type"] == "http.response.start":
            assert (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
            assert (b"cache-control", b"no-store") in message["headers"]
            return
        text.extend(message["body"])
        if b"event: state" in text and then:
            then, act = None, then
            act()
        if until(bytes(text)):
            closed.set()

    await asyncio.wait_for(app(scope, receive, send), 20)
    return bytes(text)


def test_a_page_gets_the_state_then_events_and_is_forgotten_when_it_is_closed(app, studio):
    def publish():
        studio.hub.publish("job", {"id": "1"}, "1")

    text = asyncio.run(_read(app, lambda text: b"event: job" in text, publish))
    first, second = text.decode().split("\n\n")[:2]
    assert first.startswith("event: state\ndata: ")
    assert json.loads(first.partition("data: ")[2])["version"] == __version__
    assert second == 'event: job\ndata: {"id":"1"}'
    assert studio.hub.readers == 0


def test_too_many_pages_are_refused_in_words(app, monkeypatch):
    monkeypatch.setattr(state, "MOST_READERS", 0)
    assert "pages are open" in ask(app, target="/api/events").error


def test_a_silent_page_hears_a_sign_of_life(app, monkeypatch):
    monkeypatch.setattr(stream.stream, "__defaults__", (0.05,))
    assert b"\n\n: \n\n: \n\n" in asyncio.run(_read(app, lambda text: text.count(b": \n\n") >= 2))


def test_the_head_of_the_events_has_an_end(app):
    found = ask(app, "HEAD", "/api/events")
    assert (found.status, found.body) == (200, b"")
