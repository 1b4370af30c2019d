"""Twenty pages that watch one dream for a thousand iterations: memory, and the time from an event to each page."""

import json
import socket
import threading
import time

import psutil
import pytest
from studio.routes.conftest import TOML
from studio_requests import HOST, TOKEN, build_app, open_studio

from dreamscripts.jobs.events import Progress
from dreamscripts.jobs.job import Job
from dreamscripts.studio.connection import Server

PAGES, SLEEPING, ITERATIONS = 20, 5, 1000
GROWTH = 20 * 2**20  # bytes
LATEST = 0.2  # seconds


class Page:
    """A page that reads its events, and keeps when each iteration came."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        request = f"GET /api/events HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        self.socket.sendall(request.encode())
        self.arrived = {}
        self.is_open = threading.Event()

    def read(self):
        rest = b""
        while part := self.socket.recv(1 << 20):
            now, rest = time.monotonic(), rest + part
            *lines, rest = rest.split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    iteration = json.loads(line[6:]).get("iteration")
                    self.arrived.setdefault(iteration, now)
                    self.is_open.set()


@pytest.fixture
def running(tmp_path):
    """Serve a studio with a running job, and yield the studio, the job and the port."""
    studio = open_studio(tmp_path)
    job = studio.queue.add(Job(kind="dream", folder="long", settings=TOML, state="running"))
    listener = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    server = Server(build_app(studio), studio.hub, started.set)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    assert started.wait(20)
    yield studio, job, listener.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def test_twenty_pages_cost_little_memory_and_hear_at_once(running):
    studio, job, port = running
    pages = [Page(port) for _ in range(PAGES)]
    readers = [threading.Thread(target=page.read, daemon=True) for page in pages]
    for reader in readers:
        reader.start()
    assert all(page.is_open.wait(30) for page in pages)
    sleeping = [Page(port) for _ in range(SLEEPING)]  # they ask, and never read
    terms = {f"block{number}_conv1": -1.0 for number in range(8)}
    told = {}

    def tell(iterations, pause):
        for iteration in iterations:
            told[iteration] = time.monotonic()
            progress = {
                "iteration": iteration,
                "iterations": ITERATIONS,
                "loss": -1.0,
                "terms": terms,
                "snapshot": iteration,
            }
            studio.supervisor.on_event(Progress(job.id, progress))
            time.sleep(pause)

    tell(range(100), 0.001)  # until everything is imported and the buffers are there
    memory = psutil.Process().memory_info().rss
    tell(range(100, ITERATIONS), 0.002)
    tell([ITERATIONS], 1)
    growth = psutil.Process().memory_info().rss - memory
    late = sorted(
        page.arrived[iteration] - told[iteration] for page in pages for iteration in page.arrived if iteration in told
    )
    assert all(page.arrived[ITERATIONS] - told[ITERATIONS] < LATEST for page in pages)
    assert len(late) > PAGES * ITERATIONS / 10
    assert late[len(late) // 2] < LATEST
    assert growth < GROWTH
    for page in (*pages, *sleeping):
        page.socket.shutdown(socket.SHUT_RDWR)
    for reader in readers:
        reader.join(20)
    for page in (*pages, *sleeping):
        page.socket.close()
    deadline = time.monotonic() + 20
    while studio.hub.readers and time.monotonic() < deadline:
        studio.hub.publish("job", {}, "1")
        time.sleep(0.05)
    assert studio.hub.readers == 0
