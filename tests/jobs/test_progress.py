from dreamscripts.jobs import progress
from dreamscripts.jobs.progress import Clock


def test_the_time_left_does_not_count_the_first_pass(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    clock = Clock()
    now[0] += 50  # the network is compiled
    assert clock.left(0.1) is None
    now[0] += 2
    assert clock.left(0.1) is None
    assert abs(clock.left(0.3) - 7) < 1e-6  # 0.2 of the work in 2 seconds
    assert clock.left(1.0) == 0
    assert clock.seconds == 52


def test_reports_are_rare_except_of_iterations(work, reports, monkeypatch):
    monkeypatch.setattr("dreamscripts.jobs.work.time.monotonic", lambda: now[0])
    now = [10.0]
    for step in range(30):
        now[0] = 10 + step / 25
        work.report({"pass": step})
    assert 10 <= len(reports) <= 12
    before = len(reports)
    for step in range(5):
        work.report({"iteration": step}, always=True)
    assert len(reports) == before + 5
