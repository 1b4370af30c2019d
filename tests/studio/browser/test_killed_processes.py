"""The server and its workers are killed while the page is open: the page says so, and the dream goes on."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from studio.browser.person import begin, choose, write_settings
from studio.browser.prepared_runs import save_photo
from studio.browser.studio_process import kill
from studio.browser.watched_page import AWAY

from dreamscripts.runs.records import read_record
from dreamscripts.runs.run_record import RunRecord

pytestmark = pytest.mark.slow

AWAKE = 240_000
TOML = """network = "pocket"
size = 128
[features]
block2_conv1 = 0.05
[optimizer]
iterations = 400
passes = 3
"""


@pytest.fixture
def dreaming(new_studio, open_page, tmp_path):
    """Start a studio and a dream of 400 iterations; return the studio, the page and the stage of the dream."""
    studio = new_studio()
    opened = open_page(studio.address)
    choose(opened.page, "choose one", save_photo(tmp_path / "hills.png"))
    write_settings(opened.page, TOML)
    begin(opened.page)
    stage = opened.page.get_by_role("region", name="Picture")
    expect(stage.get_by_text(iteration(2))).to_be_visible(timeout=AWAKE)
    return studio, opened, stage


def iteration(least: int) -> re.Pattern[str]:
    """Match "Iteration N of 400" with at least as many digits and as large a first digit as `least`."""
    rest = "".join(r"\d" for _ in str(least)[1:])
    return re.compile(rf"Iteration ([{str(least)[0]}-9]{rest}|\d{{{len(str(least)) + 1},}}) of 400")


def rows(folder: Path) -> int:
    """Return how many rows the record of the only run has."""
    (path,) = folder.glob("*/run.json")
    return len(read_record(path, RunRecord, "").rows)


def test_the_page_survives_a_killed_server(dreaming):
    studio, opened, stage = dreaming
    opened.expect(AWAY)
    before = rows(studio.folder)
    studio.kill()
    expect(opened.page.get_by_text("The studio does not answer")).to_be_visible()
    studio.start()
    expect(opened.page.get_by_text("The studio does not answer")).to_be_hidden()
    expect(stage.get_by_text(iteration(before))).to_be_visible(timeout=AWAKE)
    time.sleep(3)
    assert rows(studio.folder) > before


def test_the_dream_survives_a_killed_worker(dreaming):
    studio, opened, stage = dreaming
    before = rows(studio.folder)
    workers = studio.workers()
    assert len(workers) == 2
    for worker in workers:
        kill(worker)
    expect(stage.get_by_text(iteration(before + 10))).to_be_visible(timeout=AWAKE)
    assert len(list(studio.folder.glob("*/run.json"))) == 1
    assert opened.page.get_by_text("The studio does not answer").is_hidden()
