import pytest
from pretended_worker import facts

from dreamscripts.batch import status as status_module
from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.status import StatusKeeper
from dreamscripts.batch.store import LocalStore
from dreamscripts.jobs.events import JobChanged, Progress, WorkerChanged


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(status_module.time, "monotonic", lambda: now[0])

    def sleep(seconds):
        now[0] += seconds

    return sleep


@pytest.fixture
def ledger(tmp_path, planned):
    made = Ledger(LocalStore(tmp_path / "batch"), planned(photographs=None, grid={"size": [40]}, seeds=[0, 1]))
    yield made
    made.close()


@pytest.fixture
def keeper(ledger):
    made = StatusKeeper(ledger)
    ledger.on_change = lambda job: made.hear(JobChanged(job))
    return made


def test_nothing_is_known_before_the_first_report(keeper):
    now = keeper.now
    assert (now.jobs, now.done, now.failed, now.running, now.workers) == (6, 0, 0, 0, 0)
    assert (now.rate, now.left, now.share) == (None, None, 0.0)


def test_what_ends_and_runs_is_counted(keeper, ledger):
    one, two, three = (ledger.take(None) for _ in range(3))
    ledger.change(one.id, state="done")
    ledger.change(two.id, state="failed")
    keeper.hear(WorkerChanged("worker 1", "busy"))
    keeper.hear(WorkerChanged("worker 2", "starting"))
    now = keeper.now
    assert (now.done, now.failed, now.running, now.workers) == (1, 1, 1, 1)
    assert now.share == pytest.approx(1 / 3, abs=0.1)
    ledger.change(three.id, state="waiting")
    assert keeper.now.running == 0


def test_the_time_left_follows_from_the_work(keeper, ledger, clock):
    job = ledger.take(None)
    keeper.hear(Progress(job.id, facts(0, share=0.0)))
    clock(10)
    keeper.hear(Progress(job.id, facts(5, share=0.5)))
    share = keeper.now.share
    assert 0 < share < 0.2
    assert keeper.now.left == pytest.approx(10 * (1 - share) / share)
    clock(10)
    ledger.change(job.id, state="done")
    assert keeper.now.left == pytest.approx(20 * (1 - keeper.now.share) / keeper.now.share)


def test_what_was_done_before_is_no_speed(keeper, ledger, clock):
    job = ledger.take(None)
    keeper.hear(Progress(job.id, facts(7, share=0.9)))  # resumed
    clock(10)
    keeper.hear(Progress(job.id, facts(8, share=0.95)))
    assert keeper.now.left > 10 * 0.9 / 0.05 * 0.9


def test_passes_are_counted_over_the_last_minute(keeper, ledger, clock):
    job = ledger.take(None)
    for passes in range(0, 100, 10):
        keeper.hear(Progress(job.id, facts(passes, passes=passes, share=passes / 100)))
        clock(10)
    assert keeper.now.rate == pytest.approx(1.0, rel=0.2)
