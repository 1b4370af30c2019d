"""Take screenshots of every view and state of the studio, narrow and wide, light and dark, for people to look at.

From the top of the checkout: PYTHONPATH=tests python -m studio.browser.screenshots SCREENSHOTS PHOTO…

A studio is started in a new folder, and really dreams of the photographs.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
from studio.browser.conftest import FLAGS, NARROW, WIDE, find_chromium
from studio.browser.person import arrive, begin, drop, go, write_settings
from studio.browser.studio_process import StudioProcess

WINDOWS = {"320": (320, 640), "390": NARROW, "1280": WIDE, "3840": (3840, 2160)}
SCHEMES = ("dark", "light")
AWAKE = 300_000
TALLEST = 6_000
"""Pixels of a window that is made as high as the view in it."""
TOML = """network = "pocket"
size = 384
[features]
block4_conv3 = 0.05
[octaves]
count = 3
[optimizer]
iterations = {iterations}
max_change = 3
clip = true
"""


@dataclass
class Camera:
    """Takes a picture of a state in every window and scheme."""

    browser: Browser
    studio: StudioProcess
    folder: Path

    def take(self, name: str, prepare: Callable[[Page], object] = lambda page: None) -> None:
        """Save `folder/NAME-WIDTH-SCHEME.png`, after `prepare(page)` has brought a new page into the state."""
        for width, (across, down) in WINDOWS.items():
            for scheme in SCHEMES:
                with self.page(across, down, scheme) as page:
                    path = self.folder / f"{name}-{width}-{scheme}.png"
                    try:
                        prepare(page)
                        page.wait_for_timeout(400)
                        if page.get_by_role("dialog").count() == 0:
                            tall = page.evaluate("document.documentElement.scrollHeight")
                            page.set_viewport_size({"width": across, "height": max(down, min(tall, TALLEST))})
                            page.wait_for_timeout(200)
                        page.screenshot(path=path)
                        print(path)
                    except (Error, AssertionError) as error:
                        print(f"{path}: not taken: {str(error).splitlines()[0]}")

    @contextmanager
    def page(self, across: int, down: int, scheme: str = "dark") -> Iterator[Page]:
        """Open the studio in a new window."""
        phone = {"is_mobile": True, "has_touch": True} if across <= max(NARROW) else {}
        size = {"width": across, "height": down}
        context = self.browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", **phone)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.goto(self.studio.address)
        arrive(page)
        yield page
        context.close()


def place(path: str, *presses: str) -> Callable[[Page], object]:
    """Return a function that goes to `path`, and then presses what has these names."""

    def prepare(page: Page) -> None:
        go(page, path)
        page.wait_for_timeout(500)  # until the pictures are there
        for name in presses:
            page.get_by_role("button", name=name).or_(page.get_by_text(name, exact=True)).first.click()

    return prepare


def choose_two(page: Page) -> None:
    go(page, "/history")
    for number in range(2):
        page.get_by_role("checkbox", name=re.compile("^Choose")).nth(number).check(force=True)


def show_problem(page: Page) -> None:
    page.get_by_role("button", name="All settings").click()
    page.get_by_label("The same as a text (TOML)").fill('network = "pocket"\nsize = "large"\n')
    page.wait_for_timeout(1_000)


def dream_twice(page: Page, photo: Path) -> None:
    """Dream of the photograph with two looks, and wait for both pictures."""
    for iterations in (6, 9):
        write_settings(page, TOML.format(iterations=iterations))
        begin(page)
        page.wait_for_timeout(500)
    expect(page.locator(".queue")).to_be_hidden(timeout=AWAKE)


def take_all(camera: Camera, photos: list[Path]) -> None:
    """Bring the studio from one state to the next, and take pictures of each."""
    camera.take("01-start")
    with camera.page(*WIDE) as page:
        drop(page, *photos)
        page.get_by_role("radiogroup", name="Look").wait_for()
        camera.take("02-previews-arrive")
        expect(page.locator("img.developed")).to_have_count(8, timeout=AWAKE)
        camera.take("03-previews")
        camera.take("04-all-settings", place("/", "All settings"))
        camera.take("05-problem", show_problem)
        camera.take("06-save-a-look", place("/", "Save as a look"))
        camera.take("07-keys", lambda page: page.keyboard.press("?"))
        dream_twice(page, photos[0])
        write_settings(page, TOML.format(iterations=400))
        begin(page)
        begin(page)
        expect(page.get_by_text(re.compile(r"iteration \d+ of")).first).to_be_visible(timeout=AWAKE)
        camera.take("08-growing", place("/", "How it is going"))
        camera.take("09-history-while-growing", place("/history"))
        page.get_by_role("region", name="Picture").get_by_role("button", name="Stop").click()
        camera.take("10-stopped")
        take_history(camera, page)
        final = sorted(camera.studio.folder.glob("*/final.png"))[0]
        go(page, "/")
        camera.take("20-a-dream-comes-back", lambda page: drop(page, final))
    camera.take("21-private", lambda page: (page.evaluate("localStorage.clear()"), page.reload()))
    camera.take("22-away", lambda page: (page.context.set_offline(True), page.wait_for_timeout(15_000)))


def take_history(camera: Camera, page: Page) -> None:
    """Take pictures of what was made: the wall, a run, two runs, a sheet, the trash."""
    go(page, "/history")
    links = page.locator("main a[href^='#/run/']")
    links.first.wait_for()
    newest, complete, other = (links.nth(number).get_attribute("href")[1:] for number in range(3))
    camera.take("11-history", place("/history"))
    camera.take("12-two-chosen", choose_two)
    camera.take("13-run", place(complete))
    camera.take("14-run-stopped", place(newest))
    camera.take("15-compare", place(f"/compare/{complete.split('/')[-1]}/{other.split('/')[-1]}"))
    camera.take("16-new-sheet", place("/sheet"))
    go(page, "/sheet")
    page.get_by_role("button", name="Make nine pictures").click()
    page.wait_for_url(re.compile("#/sheet/"))
    camera.take("17-sheet", place(page.url.split("#")[1]))
    go(page, other)
    page.get_by_role("button", name="Move to trash").click()
    camera.take("18-trash", place("/trash"))
    camera.take("19-empty-the-trash", place("/trash", "Empty the trash"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("screenshots", type=Path, help="folder for the screenshots")
    parser.add_argument("photos", type=Path, nargs="+", help="photographs to dream of")
    arguments = parser.parse_args()
    arguments.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        dreams = Path(folder) / "dreams"
        dreams.mkdir()
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        with StudioProcess(dreams, Path(folder) / "output") as studio:
            take_all(Camera(browser, studio, arguments.screenshots), arguments.photos)
        browser.close()


if __name__ == "__main__":
    main()
