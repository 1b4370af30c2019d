"""The report of a batch in a browser."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from studio.browser.accessibility import findings

from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_page import BatchPage

ODD = """it's #1/50% ?a=b&c "<b>" ü日""".replace("/", "⁄")
LOOKS = ("bad_trip", "dreamy", "marble")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-gpu"],
            )
        except playwright.Error:
            pytest.skip("playwright has no browser here")
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Iterator:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    mistakes = []
    page.on("pageerror", lambda mistake: mistakes.append(mistake))
    page.set_default_timeout(5000)
    yield page
    assert not mistakes
    page.close()


def a_batch(folder: Path, photos=("sky.jpg", ODD), seeds=("0",)) -> list[Cell]:
    """The cells of a batch with their pictures."""
    cells = []
    for number, (photo, look, seed) in enumerate(itertools.product(photos, LOOKS, seeds)):
        name = f"{photo}-{look}-{seed}"
        (folder / name).mkdir(parents=True)
        for file, colour in (("final.png", (40 * number % 256, 90, 200)), ("iteration_000.png", "grey")):
            Image.new("RGB", (60, 40), colour).save(folder / name / file)
        values = {"settings": look, "seed": seed}
        cells.append(
            Cell(name, photo, values, "done", "", 20, 133, -1.5 * 10**number, 12.5 + number, f"gpu-{number % 2}")
        )
    return cells


def in_all_states(folder: Path) -> list[Cell]:
    states = ["done", "failed", "running", "waiting", "stopped", "done"]
    return [replace(cell, state=state) for cell, state in zip(a_batch(folder), states, strict=True)]


def open_report(page, folder: Path, cells: list[Cell], complete=True, hash="") -> BatchPage:
    report = BatchPage(folder, "my batch")
    report.update(cells, complete=complete)
    page.goto((folder / "index.html").as_uri() + hash)
    return report


def labels(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.cell > .unseen')].map(label => label.textContent)")


def loaded(page) -> int:
    """The number of tiles whose picture has been loaded."""
    return page.evaluate("[...document.querySelectorAll('.tile img')].filter(i => i.complete && i.naturalWidth).length")


def at(page) -> str:
    """The name of the cell with the focus."""
    return page.evaluate("document.activeElement.cell")


def test_photographs_are_rows_and_settings_columns_with_loss_time_and_node(page, tmp_path):
    cells = a_batch(tmp_path)
    cells[4] = replace(cells[4], state="failed", message="no memory left")
    open_report(page, tmp_path, cells)
    page.wait_for_function("document.querySelectorAll('.cell').length === 6")
    assert page.locator("[role=rowheader]").all_inner_texts() == ["sky.jpg", ODD]
    assert page.locator("#heads .head").all_inner_texts() == list(LOOKS)
    assert labels(page)[0] == "sky.jpg, bad_trip: done, loss −1.5, 13 s, gpu-0"
    assert labels(page)[4] == f"{ODD}, dreamy: failed, no memory left, loss −15000, 17 s, gpu-0"
    assert page.locator(".is-failed .tile").inner_text() == "no memory left"
    assert page.inner_text("#progress") == "5 pictures, 1 failed"
    page.wait_for_function("[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth)")
    assert loaded(page) == 5


def test_an_open_page_loads_what_is_new_and_stops_at_the_end(page, tmp_path):
    cells = a_batch(tmp_path)
    begun = [*cells[:2], replace(cells[2], state="running"), *[replace(cell, state="waiting") for cell in cells[3:]]]
    report = open_report(page, tmp_path, begun, complete=False)
    page.wait_for_function("document.querySelectorAll('.tile img').length === 2")
    assert page.inner_text("#progress") == "2 of 6 finished, about 46 s left"
    assert page.locator("#sheet-link").is_hidden()
    page.evaluate("window.before = [...document.querySelectorAll('.cell')]; before[0].querySelector('img').old = true")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "batch.js" in request.url else None)
    page.evaluate("SECONDS_BETWEEN_LOOKS[0] = 0.03; wait()")
    report.update(cells, complete=True)
    page.wait_for_function("document.querySelectorAll('.tile img').length === 6")
    assert page.evaluate("before.every((cell, i) => cell === document.querySelectorAll('.cell')[i])")
    assert asked
    assert page.evaluate("before[0].querySelector('img').old")  # a picture that was there is still the same element
    assert page.inner_text("#progress") == "6 pictures"
    assert page.inner_text("#said") == "Complete: 6 pictures"
    assert page.locator("#sheet-link").is_visible()
    asked.clear()
    page.wait_for_timeout(300)
    assert not asked


def test_what_a_person_looks_at_stays_where_it_is(page, tmp_path):
    cells = a_batch(tmp_path, photos=[f"{number}.jpg" for number in range(12)])
    begun = [replace(cell, state="done" if cell.photo == "9.jpg" else "waiting") for cell in cells]
    report = open_report(page, tmp_path, begun, complete=False)
    page.wait_for_function("document.querySelectorAll('.cell').length > 5")
    page.evaluate("main.scrollTo(0, layout.lines[9].y - 200)")
    page.wait_for_function("document.querySelectorAll('.tile img').length === 3")
    before = page.locator(".is-done").first.bounding_box()
    for cell in cells[:9]:  # they are above the window, and much higher than the page could know
        Image.new("RGB", (60, 90)).save(tmp_path / cell.name / "final.png")
        Image.new("RGB", (60, 90)).save(tmp_path / cell.name / "iteration_000.png")
    report.update([*cells[:9], *begun[9:]])
    page.evaluate("look()")
    page.wait_for_function("batch.shapes[0] === 1.5 && layout.lines[0].picture > 400")
    after = page.evaluate(
        "[...document.querySelectorAll('.cell')].find(c => c.cell.startsWith('9.jpg')).getBoundingClientRect().y"
    )
    assert after == pytest.approx(before["y"], abs=2)


def test_the_keyboard_goes_from_cell_to_cell_and_enlarges(page, tmp_path):
    cells = a_batch(tmp_path)
    cells[1] = replace(cells[1], state="failed", message="no memory left")
    open_report(page, tmp_path, cells)
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    assert at(page) == cells[1].name
    page.keyboard.press("ArrowDown")
    assert at(page) == cells[4].name
    page.keyboard.press("End")
    assert at(page) == cells[5].name
    page.keyboard.press("Control+Home")
    assert at(page) == cells[0].name
    page.keyboard.press("ArrowLeft")
    assert at(page) == cells[0].name
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.locator("h2").inner_text().startswith(ODD)
    assert page.evaluate("document.querySelector('dialog img').decode()") is None  # the file was found
    assert "−1500" in dialog.inner_text()
    assert "133" in dialog.inner_text()
    assert page.is_disabled("#left")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert "no memory left" in dialog.inner_text()
    assert dialog.locator(".is-other").all_inner_texts() == ["dreamy"]
    page.keyboard.press("Escape")
    page.wait_for_function(f"document.activeElement.cell === {cells[1].name!r}")
    assert "#" not in page.url


def test_the_address_names_the_enlarged_picture(page, tmp_path):
    cells = a_batch(tmp_path)
    open_report(page, tmp_path, cells, hash=f"#{quote(cells[4].name, safe='')}")
    assert page.locator("dialog h2").inner_text().startswith(ODD)
    for file in ("final.png", "settings.toml", "loss.csv", ""):
        address = (tmp_path / cells[4].name / file).as_uri() + ("" if file else "/")
        assert page.locator("#files a").evaluate_all(
            "(links, file) => links.filter(a => decodeURIComponent(a.href) === decodeURIComponent(file)).length",
            address,
        ), file
    page.click("#before")
    page.wait_for_function("document.querySelector('dialog img').naturalWidth === 60")
    assert page.evaluate("document.querySelector('dialog img').src").endswith("/iteration_000.png")
    page.click("#close")
    page.locator(".cell").first.click()
    page.go_back()
    assert page.locator("dialog").is_hidden()


def test_the_filter_finds_words_values_and_states(page, tmp_path):
    cells = a_batch(tmp_path, seeds=("1", "12"))
    cells[3] = replace(cells[3], state="failed", message="no memory left")
    open_report(page, tmp_path, cells)
    for words, expected in (("Dreamy", 4), ("seed=1", 6), ("seed=1 sky marble", 1), ("memory", 1), ("gpu-1", 6)):
        page.fill("#filter", words)
        assert len(labels(page)) == expected, words
    page.fill("#filter", "nobody")
    page.get_by_text("No picture matches.").wait_for()
    page.fill("#filter", "")
    page.get_by_role("button", name="1 failed").click()
    assert labels(page) == ["sky.jpg, dreamy, seed 12: failed, no memory left, loss −1500, 16 s, gpu-1"]
    page.get_by_role("button", name="All 12").click()
    assert len(labels(page)) == 12


def test_a_table_that_fits_does_not_scroll_sideways(page, tmp_path):
    open_report(page, tmp_path, a_batch(tmp_path, seeds=("1", "2")))
    page.wait_for_function("document.querySelectorAll('.cell').length === 12")
    assert page.evaluate("main.scrollWidth - main.clientWidth") == 0


def test_a_key_can_become_rows(page, tmp_path):
    open_report(page, tmp_path, a_batch(tmp_path, seeds=("1", "2")))
    assert page.locator("#heads .head").all_inner_texts() == [*LOOKS, *("1", "2") * 3]
    page.get_by_text("Layout").click()
    page.get_by_label("seed in rows").check()
    assert [text.split("\n\n") for text in page.locator("[role=rowheader]").all_inner_texts()] == [
        [photo, seed] for photo, seed in itertools.product(("sky.jpg", ODD), ("seed 1", "seed 2"))
    ]
    assert page.locator("#heads .head").all_inner_texts() == list(LOOKS)


def ten_thousand(folder: Path) -> list[Cell]:
    places = itertools.product(range(100), range(25), range(4))
    return [
        Cell(f"{photo}-{look}-{seed}", f"{photo}.jpg", {"settings": f"look {look}", "seed": str(seed)}, "failed", "why")
        for photo, look, seed in places
    ]


def test_of_ten_thousand_cells_only_those_in_the_window_are_in_the_page(page, tmp_path):
    open_report(page, tmp_path, ten_thousand(tmp_path), complete=False)
    page.wait_for_function("document.querySelectorAll('.cell').length > 20")
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 10_000  # 500 ms
    page.evaluate("main.scrollTo(5000, 6000)")
    page.wait_for_function("document.elementFromPoint(700, 500).closest('.row')")
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    page.locator(".cell[tabindex='0']").evaluate("cell => cell.focus({preventScroll: true})")
    page.keyboard.press("Control+End")
    assert at(page) == "99-24-3"
    place = page.evaluate("(r => [r.left, r.top, r.right, r.bottom])(document.activeElement.getBoundingClientRect())")
    assert 0 < place[0] < place[2] <= 1280
    assert 0 < place[1] < place[3] <= 800


@pytest.mark.parametrize("width", [320, 390, 1280, 3840])
def test_nothing_is_wider_than_the_window(page, tmp_path, width):
    cells = in_all_states(tmp_path)
    page.set_viewport_size({"width": width, "height": 700})
    open_report(page, tmp_path, cells, complete=False)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('header').scrollWidth") <= width
    page.locator(".cell").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_page_is_accessible(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    cells = in_all_states(tmp_path)
    open_report(page, tmp_path, cells, complete=False)
    assert findings(page) == []
    page.get_by_text("Layout").click()
    assert findings(page) == []
    page.locator(".cell").first.click()
    assert findings(page) == []
