"""What a person does on the page: arrive, drop a file, choose one, go somewhere, write settings, begin."""

from pathlib import Path

from playwright.sync_api import Page

AWAKE = 240_000
"""Milliseconds that a network may need to wake, on a busy machine."""


def arrive(page: Page) -> None:
    """Wait until a view is drawn: before that, the browser drops what is typed."""
    page.locator("main h1").first.wait_for(state="attached")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def drop(page: Page, *files: Path) -> None:
    """Drag files from outside onto the middle of the page, as the system does, and let them go."""
    size = page.viewport_size
    data = {"items": [], "files": [str(file.resolve()) for file in files], "dragOperationsMask": 1}
    debugger = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "dragOver", "drop"):
        place = {"type": kind, "x": size["width"] / 2, "y": size["height"] / 2, "data": data}
        debugger.send("Input.dispatchDragEvent", place)
        page.wait_for_timeout(100)  # a busy page must have said that it takes files before they are let go
    debugger.detach()


def choose(page: Page, name: str, *files: Path) -> None:
    """Press the button `name`, and choose files in the dialog that it opens."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=name).click()
    chooser.value.set_files(files)


def go(page: Page, path: str) -> None:
    """Go to another place of the page, without loading it again, and wait for its heading."""
    page.evaluate("path => { location.hash = path; }", path)
    page.locator("main h1").first.wait_for()


def write_settings(page: Page, toml: str) -> None:
    """Open all settings, replace their text, and wait until the studio has read it."""
    page.keyboard.press("Escape")
    text = page.get_by_label("The same as a text (TOML)")
    if not text.is_visible():
        page.get_by_role("button", name="All settings").click()
    with page.expect_response("**/api/settings/check") as checked:
        text.fill(toml)
    assert checked.value.json()["problem"] is None, checked.value.json()


def begin(page: Page) -> None:
    """Press the button that begins the dream."""
    page.get_by_role("region", name="What to dream").get_by_role("button", name="Dream", exact=True).click()


def wait_for_iteration(page: Page, least: int) -> None:
    """Wait until the dream that is watched has come to an iteration. The network may have to wake first."""
    reached = """least => {
        const words = document.querySelector("[aria-label=Picture] .watch-line")?.textContent;
        return Number(/iteration (\\d+) of/i.exec(words)?.[1]) >= least;
    }"""
    page.wait_for_function(reached, arg=least, timeout=AWAKE)
