import os

import pytest

from dreamscripts.batch import workers
from dreamscripts.batch.workers import processors_of

if not hasattr(os, "sched_getaffinity"):
    pytest.skip("this system does not give processors to processes", allow_module_level=True)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 4, 5})
    monkeypatch.setattr(workers, "free_memory", lambda: 64e9)


def test_there_is_a_worker_for_each_processor(planned):
    assert processors_of(None, planned(seeds=range(4))) == [[0], [1], [4], [5]]


def test_fewer_workers_have_more_processors(planned):
    assert processors_of(2, planned()) == [[0, 4], [1, 5]]
    assert processors_of(None, planned()) == [[0, 5], [1], [4]]  # three dreams
    assert processors_of(1, planned()) == [[0, 1, 4, 5]]


def test_more_workers_than_processors_share_them_all(planned):
    assert processors_of(6, planned(seeds=range(4))) == [[]] * 6


@pytest.mark.parametrize(("free", "count"), [(1e9, 1), (2 * 1.7e9, 2), (100e9, 4)])
def test_the_memory_limits_the_workers(planned, monkeypatch, free, count):
    monkeypatch.setattr(workers, "free_memory", lambda: free)
    assert len(processors_of(None, planned(seeds=range(4)))) == count


def test_large_pictures_need_more_memory(planned, monkeypatch):
    monkeypatch.setattr(workers, "free_memory", lambda: 16e9)
    assert len(processors_of(None, planned(grid={"size": [1600]}, seeds=range(4)))) == 1
