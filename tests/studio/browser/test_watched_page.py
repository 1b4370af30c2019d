"""The fixtures themselves, on small pages that have one fault each."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from studio.browser.accessibility import findings

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
HEAD = '<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="/icon.svg">'
PAGES = {
    "/good": f"{HEAD}</head><body><main><h1>Good</h1><button>Dream</button></main></body>",
    "/style": f"{HEAD}</head><body><h1 style='color: red'>Refused</h1></body>",
    "/script": f"{HEAD}</head><body><script>var refused</script></body>",
    "/error": f"{HEAD}<script src='/error.js'></script></head><body></body>",
    "/thrown": f"{HEAD}<script src='/thrown.js'></script></head><body></body>",
    "/elsewhere": f"{HEAD}<link rel='stylesheet' href='http://127.0.0.2:9/style.css'></head><body></body>",
    "/failing": f"{HEAD}</head><body><img src='/broken' alt=''></body>",
    "/nameless": f"{HEAD}</head><body><main><h1>A button</h1><button></button></main></body>",
    "/error.js": "console.error('a mistake')",
    "/thrown.js": "throw new Error('thrown')",
    "/icon.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
}
TYPES = {"js": "text/javascript", "svg": "image/svg+xml"}


class Pages(BaseHTTPRequestHandler):
    """Answer with one of PAGES, or with an error of the server."""

    def do_GET(self):
        body = PAGES.get(self.path)
        self.send_response(500 if body is None else 200)
        self.send_header("Content-Type", TYPES.get(self.path.rpartition(".")[2], "text/html"))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/style", "CSP: style-src"),
        ("/script", "CSP: script-src"),
        ("/error", "a mistake"),
        ("/thrown", "page error: thrown"),
        ("/elsewhere", "another origin: GET http://127.0.0.2:9/style.css"),
        ("/failing", "HTTP 500: GET"),
    ],
)
def test_a_fault_is_noted(pages, open_page, path, fault):
    watched = open_page(pages + path)
    watched.page.wait_for_load_state("networkidle")
    assert any(fault in noted for noted in watched.faults), watched.faults
    watched.faults.clear()


def test_a_page_without_faults_passes_and_axe_runs_under_the_policy(pages, open_page):
    watched = open_page(f"{pages}/good")
    assert findings(watched.page) == []
    watched.check()


def test_axe_finds_a_button_without_a_name(pages, open_page):
    (finding,) = findings(open_page(f"{pages}/nameless").page)
    assert finding.startswith("button-name (critical)")
