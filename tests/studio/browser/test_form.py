"""The photograph, the look and the settings, before a dream begins. No network is loaded for these tests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, expect
from studio.browser.accessibility import findings
from studio.browser.person import arrive, choose, drop
from studio.browser.prepared_runs import make_run, save_photo
from studio.browser.studio_process import StudioProcess

TEXT = "The same as a text (TOML)"
TOML = """# Words that stay.
network = "pocket"
size = 96  # small

[features]
block2_conv1 = 0.05
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[StudioProcess]:
    folder = tmp_path_factory.mktemp("dreams")
    with StudioProcess(folder, tmp_path_factory.mktemp("printed") / "output") as studio:
        yield studio


@pytest.fixture
def page(studio, open_page, tmp_path) -> Page:
    """Open the page with a photograph and all settings."""
    page = open_page(studio.address).page
    arrive(page)
    photo = save_photo(tmp_path / "photo.png")
    choose(page, re.compile("Choose one|Add a photograph"), photo)
    page.get_by_role("button", name="All settings").click()
    page.get_by_label(TEXT).wait_for()
    return page


def write(page: Page, toml: str) -> None:
    """Replace the text of the settings, and wait until the studio has read it."""
    with page.expect_response("**/api/settings/check"):
        page.get_by_label(TEXT).fill(toml)


def test_the_text_and_the_sliders_follow_each_other(page):
    write(page, TOML)
    slider = page.get_by_role("slider", name="Size", exact=True)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^96"))
    slider.press("End")
    expect(page.get_by_label(TEXT)).to_have_value(re.compile(r"# Words that stay\.\n(.|\n)*size = \d{3,}  # small"))


def test_a_problem_is_shown_at_its_line_and_no_dream_begins(page):
    write(page, TOML.replace("96", '"large"'))
    expect(page.locator("main").get_by_text("Line 3").first).to_be_visible()
    expect(page.get_by_label(TEXT)).to_have_attribute("aria-invalid", "true")
    panel = page.get_by_role("region", name="What to dream")
    expect(panel.get_by_role("button", name="Dream", exact=True)).to_be_disabled()
    assert findings(page) == []


def test_a_look_is_saved_as_a_file_and_reset(page, studio):
    write(page, TOML)
    page.get_by_role("button", name="Save as a look").click()
    dialog = page.get_by_role("dialog", name="Save as your own look")
    dialog.get_by_label("Name").fill("Small dots")
    assert findings(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("radio", name="Small dots")).to_be_attached()
    assert (studio.folder / "small_dots.toml").read_text() == TOML
    write(page, TOML.replace("96", "128"))
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label(TEXT)).to_have_value(TOML)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("words.png", b"These are words."),
        ("page.jpg", b"<html><script>alert(1)</script></html>"),
        ("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ],
)
def test_what_is_no_picture_is_refused_in_words(studio, open_page, tmp_path, name, content):
    watched = open_page(studio.address)
    watched.expect("status of 4")
    arrive(watched.page)
    (tmp_path / name).write_bytes(content)
    drop(watched.page, tmp_path / name)
    expect(watched.page.get_by_role("status").get_by_text(name)).to_be_visible()
    assert not list(studio.folder.rglob(name))


def test_the_settings_of_a_picture_come_back(studio, open_page, tmp_path):
    photo = save_photo(tmp_path / "photo.png", seed=3)
    final = make_run(tmp_path, "run", photo) / "final.png"
    page = open_page(studio.address).page
    arrive(page)
    drop(page, final)
    page.get_by_role("dialog").get_by_role("button", name="Its settings, on this picture").click()
    page.get_by_role("button", name="All settings").click()
    expect(page.get_by_label(TEXT)).to_have_value(re.compile("block2_conv1"))
    expect(page.get_by_label(TEXT)).not_to_have_attribute("aria-invalid", "true")


def test_settings_of_a_picture_that_name_a_model_are_refused(studio, open_page, tmp_path):
    photo = save_photo(tmp_path / "photo.png", seed=4)
    final = make_run(tmp_path, "run", photo) / "final.png"
    page = open_page(studio.address).page
    arrive(page)
    drop(page, with_model(final, tmp_path / "model.png"))
    page.get_by_role("dialog").get_by_role("button", name="Its settings, on this picture").click()
    panel = page.get_by_role("region", name="What to dream")
    expect(panel.get_by_text("these settings open the model")).to_be_visible()
    expect(panel.get_by_role("button", name="Dream", exact=True)).to_be_disabled()


def with_model(final: Path, changed: Path) -> Path:
    """Write the picture again, with settings that name a model's file."""
    with Image.open(final) as picture:
        text = PngImagePlugin.PngInfo()
        for key, value in picture.text.items():
            text.add_text(key, value.replace("pocket", "/tmp/evil.keras"))
        picture.save(changed, pnginfo=text)
    return changed


def test_a_link_with_a_wrong_token_does_not_take_the_right_one_away(studio, open_page):
    opened = open_page(studio.address)
    opened.expect("401")
    arrive(opened.page)
    for token in ("A" * 43, "%", "<img src=x>"):
        opened.page.goto("about:blank")
        opened.page.goto(f"{studio.origin}/#token={token}")
        arrive(opened.page)
        assert "token" not in opened.page.url
