import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dreamscripts.errors import OutputError
from dreamscripts.jobs.events import JobChanged, JobRemoved
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.queue import JobQueue


@pytest.fixture
def queue(tmp_path):
    return JobQueue(tmp_path, tmp_path / "store")


def again(queue: JobQueue) -> JobQueue:
    """Open the queue as the next process does."""
    return JobQueue(queue.base, queue.base / "store")


def add(queue: JobQueue, *names: str) -> list[Job]:
    return [queue.add(Job(kind="dream", folder=name)) for name in names]


def folders(queue: JobQueue) -> list[str]:
    return [job.folder for job in queue.jobs]


def test_a_queue_survives_the_process(queue):
    one, two = add(queue, "one", "two")
    queue.change(two.id, state="failed", message="the disk is full")
    queue.move(two.id, one.id)
    found = again(queue)
    assert found.jobs == queue.jobs
    assert folders(found) == ["two", "one"]
    assert found.get(two.id).message == "the disk is full"
    assert found.take().id == one.id
    assert found.get(one.id).state == "running"
    assert found.take() is None


def test_a_job_that_ran_when_the_process_ended_waits_before_all_others(queue):
    add(queue, "one", "two", "three")
    queue.change(queue.jobs[2].id, state="running")
    found = again(queue)
    assert folders(found) == ["three", "one", "two"]
    assert found.jobs[0].state == "waiting"


def test_a_damaged_file_costs_no_other_job(queue, caplog):
    one, two = add(queue, "one", "two")
    path = queue.base / "store" / "jobs" / f"{one.id}.json"
    path.write_text(path.read_text()[:40])
    (path.parent / "00000000000000aa.json").write_text((path.parent / f"{two.id}.json").read_text())
    assert folders(again(queue)) == ["two"]
    assert "is damaged" in caplog.text and "give the file this name" in caplog.text
    assert path.exists()


def test_a_change_is_announced_once_and_nothing_else_is(queue):
    events = []
    queue.on_change = events.append
    (job,) = add(queue, "one")
    changed = queue.change(job.id, state="done")
    queue.change(job.id, state="done")
    queue.remove(job.id)
    assert events == [JobChanged(job), JobChanged(changed), JobRemoved(job.id)]
    assert again(queue).jobs == []
    with pytest.raises(KeyError):
        queue.change(job.id, state="waiting")


@given(moves=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=80))
def test_moving_is_that_of_a_list(tmp_path_factory, moves):
    base = tmp_path_factory.mktemp("queue")
    queue = JobQueue(base, base / "store")
    expected = [job.id for job in add(queue, *"abcde")]
    for moved, before in moves:
        id = expected[moved]
        target = expected[before] if before < len(expected) else None
        queue.move(id, target)
        if target != id:
            expected.remove(id)
            expected.insert(len(expected) if target is None else expected.index(target), id)
    assert [job.id for job in queue.jobs] == expected
    assert [job.id for job in again(queue).jobs] == expected


def test_two_jobs_never_change_places_for_lack_of_numbers_between_them(queue):
    add(queue, "a", "b", "c")
    for _ in range(200):  # each halves the distance
        first, second, third = queue.jobs
        queue.move(third.id, second.id)
        assert [job.id for job in queue.jobs] == [first.id, third.id, second.id]


def test_a_new_name_is_free_on_the_disk_and_in_the_queue(queue):
    (queue.base / "sky").mkdir()
    (queue.base / "sky-2.mp4.parts").mkdir()
    add(queue, "sky-2", "Sky-3", "sky-4/cell")
    assert queue.new_name("sky") == "sky-5"
    (queue.base / "sky.mp4").write_bytes(b"")
    assert queue.new_name("sky", ".mp4") == "sky-3.mp4"
    with pytest.raises(OutputError, match="another job makes this"):
        add(queue, "SKY-2")


@given(stem=st.text())
def test_a_new_name_is_always_one_that_a_job_may_have(tmp_path_factory, stem):
    base = tmp_path_factory.mktemp("queue")
    queue = JobQueue(base, base / "store")
    assert queue.add(Job(kind="dream", folder=queue.new_name(stem))).folder


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "/a", "a/", "a/b/c", "a/../b", ".hidden", "a\\b", "C:a", "a\n"]
)
def test_a_job_cannot_name_a_folder_outside(name):
    with pytest.raises(ValidationError):
        Job(kind="dream", folder=name)
    with pytest.raises(ValidationError):
        Job(kind="movie", folder="film.mp4", run=name)


def test_a_record_with_another_key_is_refused(queue):
    (job,) = add(queue, "one")
    path = queue.base / "store" / "jobs" / f"{job.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"command": "rm"}))
    assert again(queue).jobs == []


def test_threads_may_share_a_queue(queue):
    def work(number):
        for i in range(10):
            job = queue.add(Job(kind="dream", folder=f"{number}-{i}"))
            queue.change(job.id, state="done")

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.place for job in queue.jobs}) == 40
    assert again(queue).jobs == queue.jobs
