"""What the server says, and what it leaves."""

import threading
from unittest.mock import patch

import pytest
from studio_requests import TOKEN, StillSupervisor

from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.studio import server
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.routes import studio


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that serves a folder for a moment, and returns the printed lines and the last words."""
    monkeypatch.setattr(studio, "Supervisor", StillSupervisor)
    monkeypatch.setattr(StudioFolder, "token", lambda self: TOKEN)
    opened = []
    monkeypatch.setattr(server, "open_browser", lambda address, file: opened.append((address, file)))

    def serve(host="127.0.0.1", port=0, allowed=(), browser=False):
        lines = []
        running = server.Server.__init__

        def started(self, app, hub, on_start):
            def start():
                on_start()
                threading.Timer(0.1, setattr, (self, "should_exit", True)).start()

            running(self, app, hub, start)

        with patch.object(server.Server, "__init__", started):
            rest = server.serve(tmp_path, host, port, allowed, browser, lines.append)
        return lines, rest

    serve.opened = opened
    return serve


def test_it_says_the_address_the_folder_and_how_to_end(serve, tmp_path):
    lines, rest = serve()
    address, folder, ending, end = lines
    assert address.startswith("studio: http://127.0.0.1:") and address.endswith(f"/#token={TOKEN}")
    assert folder == f"folder: {tmp_path}"
    assert ending.startswith("Ctrl-C ends the studio")
    assert "work under way" in end
    assert rest == ""
    assert serve.opened == []


def test_it_says_what_waits(serve, tmp_path):
    queue = JobQueue(tmp_path, StudioFolder(tmp_path).store)
    for name in ("first", "second"):
        queue.add(Job(kind="dream", folder=name))
    queue.change(queue.jobs[0].id, state="done")
    lines, rest = serve()
    assert "queue: 1 to do, beginning with second" in lines
    assert rest == "1 in the queue waits for the next start; "


def test_it_opens_the_browser_by_a_file_that_is_gone_afterwards(serve, tmp_path):
    lines, _ = serve(browser=True)
    ((address, file),) = serve.opened
    assert f"studio: {address}" == lines[0]
    assert file.parent == tmp_path / ".dreamscripts-studio"
    assert not file.exists()


def test_another_port_is_said(serve, monkeypatch):
    import socket

    from dreamscripts.studio import listening

    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for module in (server, listening):
            monkeypatch.setattr(module, "PORT", taken)
        lines, _ = serve(port=None)
    assert lines[0].startswith(f"port {taken} is in use; this studio has ")


def test_in_a_network_it_says_what_that_means(serve):
    lines, _ = serve("0.0.0.0")
    assert any("not encrypted" in line for line in lines)


def test_a_folder_is_free_again_afterwards(serve):
    serve()
    serve()


def test_what_is_allowed_must_be_a_file(serve, tmp_path):
    with pytest.raises(DreamError, match="there is no such file"):
        serve(allowed=[tmp_path / "mine.keras"])


def test_an_error_at_the_start_frees_the_folder(serve):
    with pytest.raises(DreamError, match="--host"):
        serve("no.such.host.invalid")
    serve()


def test_a_folder_with_another_studio_is_refused(serve, tmp_path):
    from dreamscripts.atomic_files import lock

    release = lock(StudioFolder(tmp_path).store)
    with pytest.raises(OutputError, match="another studio works in this folder"):
        serve()
    release()
