"""Fixtures for the studio in a real browser: Chromium, its pages, and the command as a process.

The tests skip where Playwright, Chromium or axe-core is missing, and say so.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (pip install playwright)")

from studio.browser.studio_process import StudioProcess  # noqa: E402
from studio.browser.watched_page import WatchedPage  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PROGRAM = "DREAMSCRIPTS_CHROMIUM"
"""The environment variable with the path of a Chromium that is not on PATH."""
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
NARROW, WIDE = (390, 844), (1280, 800)
PATIENCE = 10_000
"""Milliseconds that an action or an expectation waits at most."""


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or a relative of it."""
    return os.environ.get(PROGRAM) or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    """Start Chromium. Each module has one: Playwright's event loop must not run beside other tests."""
    program = find_chromium()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        playwright.expect.set_options(timeout=PATIENCE)
        browser = running.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., WatchedPage]]:
    """Return a function that opens an address in a new context. At the end, a fault of any page fails the test."""
    opened = []
    with ExitStack() as stack:

        def open_page(address: str, size: tuple[int, int] = WIDE, **options) -> WatchedPage:
            width, height = size
            context = chromium.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE)
            watched = WatchedPage(context.new_page(), "{0.scheme}://{0.netloc}".format(urlsplit(address)))
            opened.append(watched)
            watched.page.goto(address, timeout=6 * PATIENCE)
            return watched

        yield open_page
    for watched in opened:
        watched.check()


@pytest.fixture
def new_studio(tmp_path_factory) -> Iterator[Callable[..., StudioProcess]]:
    """Return a function that starts a studio in a folder, an empty one unless it is given."""
    with ExitStack() as stack:

        def new_studio(folder: Path | None = None, *arguments: str) -> StudioProcess:
            folder = folder or tmp_path_factory.mktemp("studio")
            printed = tmp_path_factory.mktemp("printed") / "output"
            return stack.enter_context(StudioProcess(folder, printed, *arguments))

        yield new_studio
