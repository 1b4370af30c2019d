"""`dreamscripts studio`, as a person calls it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from conftest import NO_KERAS, mistake

pytest.importorskip("starlette")
ADDRESS = re.compile(r"studio: (http://[^/]+)/#token=(\S+)")


class Running:
    """A studio in a process of its own."""

    def __init__(self, folder, *arguments):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dreamscripts", "studio", str(folder), "--no-browser", *arguments],
            cwd=folder,
            env=os.environ | NO_KERAS,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        while not self.lines or not self.lines[-1].startswith("Ctrl-C"):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.lines.append(line.rstrip("\n"))
        self.address, self.token = next(filter(None, map(ADDRESS.fullmatch, self.lines))).groups()

    def get(self, path, token=None):
        request = urllib.request.Request(self.address + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def ended_by(self, number):
        """Send a signal, and return the exit code and the last words."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def running(folder, *arguments):
    folder.mkdir(exist_ok=True)
    studio = Running(folder, "--port", "0", *arguments)
    try:
        yield studio
    finally:
        studio.process.kill()
        studio.process.communicate()


def test_it_says_where_it_is_answers_and_ends(tmp_path):
    with running(tmp_path / "my dreams") as studio:
        assert len(studio.lines) == 3
        assert studio.lines[1] == f"folder: {tmp_path / 'my dreams'}"
        assert "next start" in studio.lines[2]
        assert b"<!doctype html>" in studio.get("/").lower()
        state = json.loads(studio.get("/api/state", studio.token))
        assert state["folder"] == str(tmp_path / "my dreams")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            studio.get("/api/state")
        code, _, err = studio.ended_by(signal.SIGINT)
        assert code == 130
        assert err == f"dreamscripts: stopped; to go on: dreamscripts studio '{tmp_path / 'my dreams'}'\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_an_open_page_does_not_keep_it_from_ending_and_finds_it_again(tmp_path):
    with running(tmp_path / "work") as studio:
        port = studio.address.rpartition(":")[2]
        request = f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {studio.token}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as page:
            page.sendall(request.encode())
            received = b""
            while b"event: state" not in received:
                received += page.recv(65536)
            before = time.monotonic()
            assert studio.ended_by(signal.SIGTERM)[0] == 130
            assert time.monotonic() - before < 10
        with running(tmp_path / "work") as again:
            assert again.token == studio.token


def test_it_answers_before_keras_is_there(tmp_path):
    with running(tmp_path / "work") as studio:
        studio.get("/")
        assert time.monotonic() - studio.started < 10  # 1.5 s on a machine that does nothing else


def test_two_studios_do_not_share_a_folder(tmp_path, command):
    with running(tmp_path / "work"):
        line = mistake(command("studio", ".", "--no-browser", "--port", "0"))
        assert "another studio works in this folder" in line


def test_no_heavy_library_is_imported(command):
    program = "import sys, dreamscripts.studio.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"keras", "tensorflow", "jax", "torch", "scipy", "matplotlib", "h5py", "av", "cv2"}
    assert not heavy & set(done.stdout.split())


def test_a_folder_that_does_not_exist_is_said(command_here):
    assert "there is no such folder" in mistake(command_here("studio", "nowhere", "--no-browser"))


def test_a_file_that_is_allowed_must_exist(command_here):
    assert "--allow mine.keras: there is no such file" in mistake(command_here("studio", "--allow", "mine.keras"))


def test_packages_that_are_missing_are_named(command_here, monkeypatch):
    monkeypatch.delitem(sys.modules, "dreamscripts.studio.server", raising=False)
    monkeypatch.delitem(sys.modules, "dreamscripts.studio.connection", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "dreamscripts[studio]"' in mistake(command_here("studio"))


def test_what_waits_is_said_at_the_end(command_here, monkeypatch):
    from dreamscripts.studio import server

    monkeypatch.setattr(server, "serve", lambda *arguments: "2 in the queue wait for the next start; ")
    done = command_here("studio", check=130)
    assert done.stderr == (
        "dreamscripts: stopped; 2 in the queue wait for the next start; to go on: dreamscripts studio\n"
    )


def test_the_options_reach_the_server(command_here, monkeypatch):
    from dreamscripts.studio import server

    asked = []
    monkeypatch.setattr(server, "serve", lambda *arguments: asked.extend(arguments) or "")
    command_here(
        "studio", "here", "--port", "9000", "--host", "0.0.0.0", "--allow", "a.keras", "--allow", "b.png", check=130
    )
    folder, host, port, allowed, browser, _ = asked
    assert (str(folder), host, port, [*map(str, allowed)], browser) == (
        "here",
        "0.0.0.0",
        9000,
        ["a.keras", "b.png"],
        True,
    )


def test_in_a_network_it_says_what_that_means(tmp_path):
    with running(tmp_path / "work", "--host", "0.0.0.0") as studio:
        assert any("Whoever has it can see, make and delete" in line for line in studio.lines)
