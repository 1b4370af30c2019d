"""What a batch will take, with workers that only pretend."""

import time

import pytest
from pretended_worker import Worker, facts

from dreamscripts.batch import estimate as estimate_module
from dreamscripts.batch.estimate import estimate
from dreamscripts.batch.pool import Pool
from dreamscripts.errors import DreamError
from dreamscripts.jobs.messages import Ended, JobTask, Ready, Report

STEP = 0.1  # seconds for a tenth of a dream


@pytest.fixture
def lives(monkeypatch):
    """Let the workers follow the script in the list."""
    scripts = []

    def pool(ledger, setup, on_event):
        return Pool(ledger, setup, on_event, start=lambda setup: Worker(setup, scripts[0]))

    monkeypatch.setattr(estimate_module, "Pool", pool)
    return scripts


def steady(worker):
    """Do a tenth of a dream every STEP seconds, and leave 1000 bytes on the disk for each of them."""
    worker.answer(Ready())
    while True:
        task = worker.request()
        if not isinstance(task, JobTask):
            continue
        folder = worker.setup.base / task.job.folder
        folder.mkdir()
        for tenth in range(1, 11):
            time.sleep(STEP)
            (folder / f"{tenth}.png").write_bytes(bytes(1000))
            worker.answer(Report(facts(tenth, share=tenth / 10)))
        worker.answer(Ended("done"))


def test_the_time_and_the_disk_of_all_follow_from_the_first(lives, planned, photos):
    lives.append(steady)
    dreams = planned(photographs=photos[:1], seeds=range(100))
    found = estimate(dreams, [], [(), ()])
    assert found.measured == 4
    assert found.bytes == pytest.approx(100 * 10_000)
    assert 100 * 10 * STEP / 2 * 0.9 < found.seconds < 100 * 10 * STEP / 2 * 2  # on a busy machine


def test_the_disk_is_left_as_it_was(lives, planned, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate_module.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    lives.append(steady)
    estimate(planned(), [], [()])
    assert not list((tmp_path / "temporary").iterdir())


def test_a_batch_that_cannot_be_made_says_why(lives, planned):
    def fail(worker):
        worker.answer(Ready())
        while True:
            if isinstance(worker.request(), JobTask):
                worker.answer(Ended("failed", "vgg16 has no layer 'block9'"))

    lives.append(fail)
    with pytest.raises(DreamError, match="vgg16 has no layer 'block9'"):
        estimate(planned(), [], [()])
