"""Where a batch is kept, here and elsewhere. fsspec's file:// stands for a store."""

import pytest
from PIL import Image

from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.record import BATCH, RESULTS
from dreamscripts.batch.report import Report
from dreamscripts.batch.store import LocalStore, RemoteStore, open_store
from dreamscripts.errors import DreamError, OutputError

pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Use an empty cache folder, and return a function that empties it, as on another machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def another():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))

    return another


@pytest.fixture
def url(tmp_path):
    return f"file://{tmp_path}/store/dreams"


def test_a_name_with_a_protocol_is_elsewhere(url, tmp_path):
    assert isinstance(open_store(url), RemoteStore)
    local = open_store(str(tmp_path / "here"))
    assert isinstance(local, LocalStore)
    assert (tmp_path / "here").is_dir()
    assert local.folder == local.runs


def test_another_machine_goes_on_with_the_batch(url, planned, cache, tmp_path):
    store = open_store(url)
    ledger = Ledger(store, planned())
    job = ledger.take(None)
    ledger.change(job.id, state="failed", message="the loss became NaN")
    (ledger.folder / "index.html").write_text("<p>")
    store.push()
    ledger.close()
    there = tmp_path / "store" / "dreams"
    assert {path.name for path in there.iterdir()} == {BATCH, RESULTS, "index.html"}

    cache()
    again = Ledger(open_store(url), planned())
    assert again.get(job.id).state == "failed"
    assert [one.folder for one in again.jobs] == [one.folder for one in ledger.jobs]
    again.close()


def test_what_this_machine_knew_of_a_store_that_was_emptied_is_forgotten(url, planned, tmp_path):
    ledger = Ledger(open_store(url), planned())
    ledger.change(ledger.take(None).id, state="failed")
    ledger.close()
    again = Ledger(open_store(url), planned())
    assert {job.state for job in again.jobs} == {"waiting"}
    again.close()


def run_in(there):
    """Make the folder of a run in a store with a batch, and return it."""
    folder = there / "sky"
    folder.mkdir(parents=True)
    (there / RESULTS).touch()
    return folder


def test_a_folder_with_other_things_is_left_alone(url, tmp_path):
    for place in (tmp_path / "here", tmp_path / "store" / "dreams"):
        place.mkdir(parents=True)
        (place / "index.html").write_text("mine")
    for name in (str(tmp_path / "here"), url):
        with pytest.raises(OutputError, match="is not empty, and contains no batch"):
            open_store(name)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["index.html"]


def test_the_record_of_a_run_is_read_where_it_is(url, tmp_path):
    folder = run_in(tmp_path / "store" / "dreams")
    (folder / "run.json").write_bytes(b"{}")
    store = open_store(url)
    assert (store.has("sky"), store.has("sea")) == (True, False)
    assert (store.record("sky"), store.record("sea")) == (b"{}", None)


def test_pictures_are_here_while_the_page_needs_them(url, tmp_path):
    folder = run_in(tmp_path / "store" / "dreams")
    (folder / "final.png").write_bytes(b"a picture")
    store = open_store(url)
    store.fetch_pictures(["sky", "sea"])
    assert (store.folder / "sky" / "final.png").read_bytes() == b"a picture"
    (store.folder / "thumbnails").mkdir()
    (store.folder / "thumbnails" / "sky.jpg").write_bytes(b"small")
    store.push()
    assert (tmp_path / "store" / "dreams" / "thumbnails" / "sky.jpg").read_bytes() == b"small"
    assert not (store.folder / "sky").exists()
    (folder / "final.png").unlink()
    store.fetch_pictures(["sky"])  # it has a thumbnail
    assert not (store.folder / "sky").exists()


def test_a_store_of_an_unknown_kind_is_refused_in_words():
    with pytest.raises(DreamError, match="nonsense://bucket"):
        open_store("nonsense://bucket")


def test_the_page_keeps_its_pictures_when_another_command_goes_on(url, planned, cache, tmp_path):
    def page_of(dreams):
        ledger = Ledger(open_store(url), dreams)
        try:
            if job := ledger.take(None):
                run = tmp_path / "store" / "dreams" / job.folder
                run.mkdir(parents=True)
                Image.new("RGB", (48, 32)).save(run / "final.png")
                (run / "run.json").write_text("{}")
                ledger.change(job.id, state="done")
            report = Report(ledger)
            report.update(ended=True)
            return report._page._thumbnails.made, list(ledger.folder.glob("*/final.png"))
        finally:
            ledger.close()

    assert page_of(planned()) == ({"cat-look"}, [])
    assert page_of(planned()) == ({"cat-look", "dog-look"}, [])
    cache()  # another machine
    assert page_of(planned()) == ({"cat-look", "sea-look", "dog-look"}, [])
