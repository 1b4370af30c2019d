"""The server and its workers are killed while the page is open: the page says so, and the dream goes on."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from studio.browser.person import begin, choose, wait_for_iteration, write_settings
from studio.browser.prepared_runs import save_photo
from studio.browser.studio_process import kill
from studio.browser.watched_page import AWAY

from dreamscripts.runs.records import read_record
from dreamscripts.runs.run_record import RunRecord

pytestmark = pytest.mark.slow

TOML = """network = "pocket"
size = 128
[features]
block2_conv1 = 0.05
[optimizer]
iterations = 1000
passes = 3
"""


@pytest.fixture
def dreaming(new_studio, open_page, tmp_path):
    """Start a studio and a dream of 1000 iterations; return the studio and the page."""
    studio = new_studio()
    opened = open_page(studio.address)
    choose(opened.page, "Choose one", save_photo(tmp_path / "hills.png"))
    write_settings(opened.page, TOML)
    begin(opened.page)
    wait_for_iteration(opened.page, 5)
    return studio, opened


def iterates(folder: Path) -> int:
    """Return how many iterates the record of the only run has."""
    (path,) = folder.glob("*/run.json")
    return len(read_record(path, RunRecord, "").iterates)


def test_the_page_survives_a_killed_server(dreaming):
    studio, opened = dreaming
    opened.expect(AWAY)
    banner = opened.page.locator("#away")
    before = iterates(studio.folder)
    studio.kill()
    expect(banner).to_contain_text("The studio does not answer")
    studio.start()
    expect(banner).to_be_hidden()
    wait_for_iteration(opened.page, before + 10)
    assert iterates(studio.folder) > before


def test_the_dream_survives_a_killed_worker(dreaming):
    studio, opened = dreaming
    before = iterates(studio.folder)
    workers = studio.workers()
    assert len(workers) == 2
    for worker in workers:
        kill(worker)
    wait_for_iteration(opened.page, before + 10)
    assert len(list(studio.folder.glob("*/run.json"))) == 1
    expect(opened.page.locator("#away")).to_be_hidden()
