"""Fixtures for the modules of the page: a browser, and a server that has only the page's files and some pictures."""

import functools
import http.server
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import dreamscripts.studio.page

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (pip install playwright)")

PAGE = Path(dreamscripts.studio.page.__path__[0])
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'"
STYLES = "".join(f'<link rel="stylesheet" href="/page/{name}.css">' for name in ("style", "viewer", "wall"))
BENCH = f'<!doctype html><html lang="en"><title>Bench</title>{STYLES}<main id="main"></main></html>'


class Files(http.server.BaseHTTPRequestHandler):
    """Serve /page/NAME, an empty page with its styles, and /picture/WIDTHxHEIGHT-COLOUR.png."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/picture/"):
            self._answer(_picture(path.removeprefix("/picture/").removesuffix(".png")), "image/png")
        elif path.startswith("/page/") and (PAGE / path.removeprefix("/page/")).is_file():
            kind = "text/css" if path.endswith(".css") else "text/javascript"
            self._answer((PAGE / path.removeprefix("/page/")).read_bytes(), kind)
        elif path == "/":
            self._answer(BENCH.encode(), "text/html")
        else:
            self.send_error(404)

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        for name, value in {
            "Content-Type": kind,
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        """Stay silent."""


@functools.lru_cache
def _picture(name: str) -> bytes:
    size, _, colour = name.partition("-")
    width, height = size.split("x")
    buffer = io.BytesIO()
    Image.new("RGB", (int(width), int(height)), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="package")
def origin() -> Iterator[str]:
    """Serve the page's files. Return the address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator["playwright.Browser"]:
    """Start Chromium. Each module has one: Playwright's event loop must not run beside other tests."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def bench(chromium, origin) -> Iterator[Callable[..., "playwright.Page"]]:
    """Return a function that opens an empty page of a size. At the end, an error or a refused style fails the test."""
    contexts, faults = [], []

    def bench(width: int = 800, height: int = 600, **options) -> "playwright.Page":
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(origin)
        return page

    yield bench
    for context in contexts:
        context.close()
    assert not [fault for fault in faults if "404" not in fault]
