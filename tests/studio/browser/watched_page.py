"""A page of Chromium whose faults are noted: errors, refused content, foreign requests, failures of the server."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response

INSIDE = {"about", "blob", "data"}  # schemes of addresses that nothing is fetched from
# A script that runs before those of the page: each violation of the Content Security Policy becomes an error.
VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP: ${event.violatedDirective} refuses ${event.blockedURI} at ${event.sourceFile}`));"""
AWAY = re.compile(
    r"net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH)"
    "|aborted"
)
"""What the console says while the server is away."""


class WatchedPage:
    """`page` is Playwright's. `faults` are lines about what went wrong, except those that match `expected`."""

    def __init__(self, page: Page, origin: str):
        self.page, self.origin = page, origin
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.expected: list[re.Pattern[str]] = []
        page.add_init_script(VIOLATIONS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._note(f"page error: {error}"))
        page.on("crash", lambda page: self._note("the page crashed"))
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def expect(self, pattern: str | re.Pattern[str]) -> None:
        """Allow faults that match `pattern`."""
        self.expected.append(re.compile(pattern))

    def check(self) -> None:
        """Fail if there are faults."""
        assert not self.faults, "\n".join(self.faults)

    def _note(self, fault: str) -> None:
        if not any(pattern.search(fault) for pattern in self.expected):
            self.faults.append(fault)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"console: {message.text} ({message.location['url']})")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.requests.append(request.url)
        if parts.scheme not in INSIDE and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self._note(f"request to another origin: {request.method} {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self._note(f"HTTP {response.status}: {response.request.method} {response.url}")
