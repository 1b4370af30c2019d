"""Every view of the page: accessible, narrow and wide, dark and light, within its origin and its weight."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from studio.browser.accessibility import findings
from studio.browser.conftest import NARROW, WIDE
from studio.browser.person import arrive, go
from studio.browser.prepared_runs import make_run, save_photo
from studio.browser.studio_process import StudioProcess

SMALLEST = (320, 640)
LARGEST = (3840, 2160)
HEAVIEST = 250_000
"""Bytes of the page with all its views, before pictures."""
RUNS = {"photo-first": "complete", "photo-second": "complete", "photo-third": "stopped"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[StudioProcess]:
    """Start a studio whose folder has three runs, as the command line made them."""
    folder = tmp_path_factory.mktemp("dreams")
    photo = save_photo(tmp_path_factory.mktemp("photos") / "photo.png")
    for name, status in RUNS.items():
        make_run(folder, name, photo, status)
    with StudioProcess(folder, tmp_path_factory.mktemp("printed") / "output") as studio:
        yield studio


def views(page: Page) -> Iterator[str]:
    """Go to each view in turn, and yield its name."""
    go(page, "/history")
    links = page.locator("main a[href^='#/run/']")
    expect(links).to_have_count(len(RUNS))
    first, second = (links.nth(number).get_attribute("href").removeprefix("#/run/") for number in range(2))
    yield "history"
    places = {"run": f"run/{first}", "compare": f"compare/{first}/{second}", "sheet": "sheet", "trash": "trash"}
    for name, path in {**places, "nowhere": "nothing", "dream": ""}.items():
        go(page, f"/{path}")
        page.wait_for_timeout(100)  # pictures arrive
        yield name


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(NARROW, "dark", id="narrow-dark"),
        pytest.param(WIDE, "light", id="wide-light"),
        pytest.param(NARROW, "light", id="narrow-light", marks=pytest.mark.slow),
        pytest.param(WIDE, "dark", id="wide-dark", marks=pytest.mark.slow),
    ],
)
def test_no_view_has_a_serious_finding(studio, open_page, size, scheme):
    page = open_page(studio.address, size, color_scheme=scheme, reduced_motion="reduce").page
    found = [f"{view}: {finding}" for view in views(page) for finding in findings(page)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("size", [SMALLEST, LARGEST], ids=["320", "3840"])
def test_no_view_is_wider_than_its_window(studio, open_page, size):
    page = open_page(studio.address, size).page
    assert {view: overflow(page) for view in views(page) if overflow(page) > 0} == {}


def test_the_page_with_all_its_views_is_light(studio, open_page):
    watched = open_page(studio.address)
    for _ in views(watched.page):
        pass
    own = {url for url in watched.requests if not re.match("/(api|files)/", urlsplit(url).path)}
    assert len(own) > 10
    assert sum(len(watched.page.request.get(url).body()) for url in own) <= HEAVIEST


def test_the_token_leaves_the_address_and_is_needed(studio, open_page):
    page = open_page(studio.address).page
    expect(page.get_by_role("link", name="History")).to_be_visible()
    assert "token" not in page.url
    stranger = open_page(studio.origin)
    stranger.expect("401|403")
    expect(stranger.page.get_by_role("heading", name="This studio is private")).to_be_visible()
    stranger.page.get_by_label("Address").fill(studio.address)
    stranger.page.get_by_role("button", name="Open").click()
    go(stranger.page, "/history")
    expect(stranger.page.locator("main a[href^='#/run/']")).to_have_count(len(RUNS))


def test_keys_go_to_the_views_and_list_themselves(studio, open_page):
    page = open_page(studio.address).page
    arrive(page)
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="History")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/history", "/sheet", "/trash"])
def test_tab_reaches_every_control_and_shows_where_it_is(studio, open_page, path):
    page = open_page(studio.address).page
    go(page, path)
    page.wait_for_timeout(300)
    unreached = page.evaluate(CONTROLS)
    unseen = set()
    for _ in range(2 * len(unreached) + 10):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None:
            continue
        if at["name"] in unreached:
            unreached.remove(at["name"])
        if not at["seen"]:
            unseen.add(at["name"])
    assert not unreached
    assert not unseen


# Names of elements, for people who read the test's failure. Of radio buttons with one name, Tab reaches one.
NAME = """function name(e) {
    const words = e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || e.value || e.id;
    return `${e.tagName.toLowerCase()} ${e.type === "radio" ? e.name : words.trim().slice(0, 40)}`;
}"""
CONTROLS = f"""() => {{ {NAME}
    const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
    const can = (e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && !e.ariaHidden;
    const open = all.filter(can);
    return [...new Set(open.map(name))];
}}"""
FOCUSED = f"""() => {{ {NAME}
    const e = document.activeElement;
    if (!e || e === document.body) return null;
    const shows = (other) => ["outlineStyle", "boxShadow"].some((key) => getComputedStyle(other)[key] !== "none");
    const seen = shows(e) || (e.labels?.[0] && [e.labels[0], ...e.labels[0].children].some(shows));
    return {{name: name(e), seen}};
}}"""


def test_more_tabs_than_a_browser_has_connections(studio, open_page):
    page = open_page(studio.address).page
    for _ in range(6):
        page.evaluate(HIDE)
        page = page.context.new_page()
        page.goto(studio.address)
        arrive(page)


# Headless tabs are all seen, so a tab is told that it is hidden.
HIDE = """() => {
    Object.defineProperty(document, "hidden", {value: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
