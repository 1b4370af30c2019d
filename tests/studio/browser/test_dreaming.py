"""A person dreams: from a photograph to the picture, its settings, its file, the trash, and back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect
from studio.browser.accessibility import findings
from studio.browser.conftest import NARROW, PATIENCE, WIDE
from studio.browser.person import arrive, begin, choose, drop, go, write_settings
from studio.browser.prepared_runs import make_run, save_photo
from studio.browser.studio_process import StudioProcess

pytestmark = pytest.mark.slow

AWAKE = 240_000
"""Milliseconds until all previews are there: the networks wake, and each look is compiled."""
DREAMT = 120_000
TOML = """# A small dream.
network = "pocket"
size = 128

[features]
block2_conv1 = 0.05

[optimizer]
iterations = {iterations}
passes = 3
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[StudioProcess]:
    """Start a studio, whose folder has one run of the command line."""
    folder = tmp_path_factory.mktemp("dreams")
    make_run(folder, "photo-of-the-command", save_photo(tmp_path_factory.mktemp("photos") / "before.png"))
    with StudioProcess(folder, tmp_path_factory.mktemp("printed") / "output") as studio:
        yield studio


def previews(page: Page) -> Locator:
    """Return the previews that have arrived and are drawn."""
    return page.get_by_role("radiogroup", name="Look").locator("img.developed")


def watched(page: Page) -> Locator:
    """Return the stage, on which the dream grows."""
    return page.get_by_role("region", name="Picture")


def check(page: Page) -> None:
    """Fail if axe-core has a serious finding now."""
    found = findings(page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_a_dream_from_the_photograph_to_the_trash_and_back(studio, open_page, tmp_path, size):
    phone = {"is_mobile": True, "has_touch": True} if size == NARROW else {}
    page = open_page(studio.address, size, reduced_motion="reduce", accept_downloads=True, **phone).page
    photo = save_photo(tmp_path / f"hills-{size[0]}.jpg", seed=size[0], width=320, height=240)

    bring(page, photo, by_drop=size == WIDE)
    expect(previews(page)).to_have_count(8, timeout=AWAKE)
    check(page)

    write_settings(page, TOML.format(iterations=60))
    begin(page)
    stage = watched(page)
    expect(stage.get_by_text(re.compile(r"Iteration [2-9] of 60"))).to_be_visible(timeout=AWAKE)
    expect(stage.get_by_role("img", name="The dream as it grows")).to_be_visible()
    check(page)
    stage.get_by_role("button", name="Stop").click()
    expect(stage.get_by_text("Stopped")).to_be_visible()

    page.reload()
    queue = page.get_by_role("listitem").filter(has_text=photo.name)
    queue.get_by_role("button", name="Go on").click()
    queue.get_by_role("button", name=photo.name).click()
    expect(stage.get_by_role("link", name="Open it")).to_be_visible(timeout=DREAMT)
    check(page)

    stage.get_by_role("link", name="Open it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(photo.name)
    move_divider(page)
    check(page)
    final = download(page, "Picture", tmp_path)
    (folder,) = (path.parent for path in studio.folder.glob(f"{photo.stem}*/final.png"))
    assert final.read_bytes() == (folder / "final.png").read_bytes()
    assert download(page, "Settings", tmp_path).read_text() == (folder / "settings.toml").read_text()

    compare(page)
    check(page)
    drop_result(page, final)
    delete_and_restore(page, photo, folder)


def bring(page: Page, photo: Path, *, by_drop: bool) -> None:
    """Bring the photograph in, by dropping it or from the pictures of a phone."""
    arrive(page)
    if by_drop:
        drop(page, photo)
    elif page.get_by_role("button", name="From your pictures").is_visible():
        choose(page, "From your pictures", photo)
    else:
        choose(page, "Add a photograph", photo)
    expect(page.get_by_role("group", name="Photographs").get_by_role("img", name=photo.name)).to_be_visible()


def move_divider(page: Page) -> None:
    """Move the divider between before and after by keys."""
    divider = page.get_by_role("slider", name="Divider between before and after")
    at = int(divider.get_attribute("aria-valuenow"))
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", str(at + 2))
    divider.press("End")
    expect(divider).to_have_attribute("aria-valuetext", "only before")


def download(page: Page, name: str, folder: Path) -> Path:
    """Download a file of the run that is shown, and return its path."""
    with page.expect_download() as started:
        page.get_by_role("link", name=name, exact=True).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def compare(page: Page) -> None:
    """Choose the newest and the oldest picture of the history, and compare them."""
    go(page, "/history")
    boxes = page.get_by_role("checkbox", name=re.compile("^Choose"))
    boxes.first.check()
    boxes.last.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(page.get_by_role("slider", name=re.compile("^Divider between"))).to_be_visible()
    expect(page.get_by_role("rowheader", name="optimizer.iterations")).to_be_visible()


def drop_result(page: Page, final: Path) -> None:
    """Drag the picture back in, and see its settings in the form."""
    go(page, "/")
    page.get_by_role("region", name="What to dream").wait_for()
    drop(page, final)
    dialog = page.get_by_role("dialog", name="This picture carries its settings")
    check(page)
    dialog.get_by_role("button", name="Its settings, on this picture").click()
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="All settings").click()
    expect(page.get_by_label("The same as a text (TOML)")).to_have_value(re.compile("iterations = 60"))


def delete_and_restore(page: Page, photo: Path, folder: Path) -> None:
    """Move the run to the trash, undo it, move it there again, and restore it."""
    go(page, "/history")
    tile = page.get_by_role("link", name=re.compile(f"on {photo.name}"))
    tile.click()
    page.get_by_role("button", name="Move to trash").click()
    page.get_by_role("button", name="Undo").click()
    expect(tile).to_be_visible()
    assert folder.is_dir()
    tile.focus()
    page.keyboard.press("Delete")
    expect(tile).to_have_count(0)
    assert not folder.exists()
    go(page, "/trash")
    check(page)
    page.get_by_role("button", name=re.compile("^Restore")).first.click()
    expect(page.get_by_text("is back in the history")).to_be_visible()
    go(page, "/history")
    expect(tile).to_be_visible()
    assert (folder / "final.png").is_file()


def test_all_of_it_by_keys_alone(studio, open_page, tmp_path):
    page = open_page(studio.address).page
    photo = save_photo(tmp_path / "keys.png", seed=5)
    arrive(page)
    wait_until_keys_are_heard(page)
    choose_by_key(page, "o", photo)
    expect(page.get_by_role("group", name="Photographs").get_by_role("img", name=photo.name)).to_be_visible()
    tab_to(page, "input[type=radio]")
    page.keyboard.press("ArrowRight")
    tab_to(page, "input[type=range]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    tab_to(page, "textarea")
    page.keyboard.press("Control+a")
    with page.expect_response("**/api/settings/check"):
        page.keyboard.insert_text(TOML.format(iterations=12))
    page.keyboard.press("Control+Enter")
    stage = watched(page)
    expect(stage.get_by_role("link", name="Open it")).to_be_visible(timeout=AWAKE)
    tab_to(page, ".watch-actions a")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(photo.name)
    tab_to(page, "[role=slider]")
    page.keyboard.press("Home")
    expect(page.get_by_role("slider", name="Divider between before and after")).to_have_attribute("aria-valuenow", "0")


def wait_until_keys_are_heard(page: Page) -> None:
    """Press the key for the list of keys until it appears: a busy page hears keys a moment later."""
    keys = page.get_by_role("dialog")
    for _ in range(30):
        page.keyboard.press("?")
        page.wait_for_timeout(300)
        if keys.is_visible():
            break
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()


def choose_by_key(page: Page, key: str, file: Path) -> None:
    """Press a key that opens the dialog for files, and choose one there. A cold Chromium may open none at first."""
    for timeout in (3_000, 3_000, PATIENCE):
        try:
            with page.expect_file_chooser(timeout=timeout) as chooser:
                page.keyboard.press(key)
            return chooser.value.set_files(file)
        except TimeoutError as error:
            missed = error
    raise missed


def tab_to(page: Page, selector: str, most: int = 300) -> None:
    """Press Tab until the focus is on an element that matches."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")
