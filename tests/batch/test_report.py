import pytest
from PIL import Image

from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.report import Report
from dreamscripts.batch.store import LocalStore


@pytest.fixture
def ledger(tmp_path, planned, photos):
    folder = tmp_path / "batch"
    earlier = Ledger(LocalStore(folder), planned(photographs=photos[2:]))
    earlier.close()
    made = Ledger(LocalStore(folder), planned(photographs=photos[:2]))
    yield made
    made.close()


def test_the_page_has_every_dream_in_the_folder(ledger):
    job = ledger.take(None)
    (ledger.folder / job.folder).mkdir()
    Image.new("RGB", (48, 32), (200, 30, 90)).save(ledger.folder / job.folder / "final.png")
    ledger.change(job.id, state="done", message="octave 1 is skipped", node="lab-3")
    other = ledger.take(None)
    ledger.change(other.id, state="failed", message="the loss became NaN")
    Report(ledger).update(ended=True)
    rows = (ledger.folder / "results.csv").read_text("utf-8-sig").splitlines()
    assert len(rows) == 4
    by_name = {row.split(",")[0]: row for row in rows}
    assert "done" in by_name["cat-look"] and "lab-3" in by_name["cat-look"]
    assert "the loss became NaN" in by_name["dog-look"]
    assert "stopped" in by_name["sea-look"]  # of the earlier command
    assert {path.stem for path in (ledger.folder / "thumbnails").glob("*.jpg")} == {"cat-look"}
    assert (ledger.folder / "index.html").exists()
    assert (ledger.folder / "contact-sheet.png").exists()


def test_a_batch_that_was_stopped_waits_for_nothing(ledger):
    report = Report(ledger)
    ledger.take(None)
    report.update()
    assert "waiting" in (ledger.folder / "results.csv").read_text("utf-8-sig")
    report.update(ended=True)
    rows = (ledger.folder / "results.csv").read_text("utf-8-sig")
    assert "waiting" not in rows and "running" not in rows and rows.count("stopped") == 3
    assert not (ledger.folder / "contact-sheet.png").exists()
