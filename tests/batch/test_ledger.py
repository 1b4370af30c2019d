import itertools
from dataclasses import replace

import pytest

from dreamscripts.batch.ledger import Ledger
from dreamscripts.batch.record import RESULTS, Results
from dreamscripts.batch.store import LocalStore
from dreamscripts.errors import OutputError
from dreamscripts.jobs.messages import JobTask


@pytest.fixture
def opened(tmp_path):
    """Return a function that opens the ledger of a folder with dreams, after it has closed the last one."""
    last = []

    def opened(dreams):
        while last:
            last.pop().close()
        last.append(Ledger(LocalStore(tmp_path / "batch"), dreams))
        return last[0]

    yield opened
    for ledger in last:
        ledger.close()


def finish(ledger, job, **values):
    """End a job as a worker does that has made a run folder."""
    folder = ledger.folder / job.folder
    folder.mkdir(exist_ok=True)
    ledger.change(job.id, **{"state": "done", **values})


def all_of(ledger):
    jobs, before = [], None
    while (job := ledger.take(before)) is not None:
        jobs.append(job)
        before = JobTask(job)
    return jobs


def test_every_job_is_taken_once(opened, planned):
    dreams = planned(seeds=[0, 1])
    taken = all_of(opened(dreams))
    assert sorted(job.id for job in taken) == sorted(dream.id for dream in dreams)
    assert all(job.state == "running" and job.kind == "dream" for job in taken)


def test_a_lane_gets_what_its_worker_has_compiled(opened, planned):
    dreams = planned(grid={"jitter.noise": [1, 2]}, seeds=[0, 1])
    groups = {dream.id: dream.group for dream in dreams}
    taken = [groups[job.id] for job in all_of(opened(dreams))]
    changes = sum(one != two for one, two in itertools.pairwise(taken))
    assert changes == len(set(groups.values())) - 1
    codes = [code for code, _ in taken]
    assert codes == sorted(codes, key=codes.index)


def test_two_lanes_begin_with_different_groups(opened, planned):
    dreams = planned(grid={"jitter.noise": [1, 2]}, seeds=[0, 1])
    ledger = opened(dreams)
    groups = {dream.id: dream.group for dream in dreams}
    assert groups[ledger.take(None).id] != groups[ledger.take(None).id]


def test_what_was_done_is_not_done_again(opened, planned):
    ledger = opened(planned())
    first = ledger.take(None)
    finish(ledger, first)
    (ledger.folder / first.folder / "run.json").write_text("{}")
    again = opened(planned())
    assert again.get(first.id).state == "done"
    assert first.id not in {job.id for job in all_of(again)}


def test_a_run_folder_that_was_deleted_is_made_again(opened, planned):
    ledger = opened(planned())
    first = ledger.take(None)
    finish(ledger, first)
    (ledger.folder / first.folder).rmdir()
    assert opened(planned()).get(first.id).state == "waiting"


@pytest.mark.parametrize("again", [False, True])
def test_a_job_that_failed_for_its_own_reason_is_not_tried_again(opened, planned, again):
    ledger = opened(planned())
    first = ledger.take(None)
    ledger.change(first.id, state="failed", message="the loss became NaN", again=again)
    found = opened(planned()).get(first.id)
    assert (found.state, found.message) == (("waiting", "") if again else ("failed", "the loss became NaN"))


def test_a_job_that_is_handed_back_is_the_next_one(opened, planned):
    ledger = opened(planned())
    first = ledger.take(None)
    ledger.change(first.id, state="waiting")
    assert ledger.take(None).id == first.id


def test_it_is_finished_when_every_job_has_ended(opened, planned):
    ledger = opened(planned())
    jobs = all_of(ledger)
    for job in jobs:
        assert not ledger.is_finished
        ledger.change(job.id, state="failed")
    assert ledger.is_finished
    assert ledger.take(None) is None


def test_names_stay_when_photographs_are_added(opened, planned, photos):
    other = photos[0].parent / "other"
    other.mkdir()
    twin = photos[0].rename(other / "sea.png")
    before = {job.id: job.folder for job in opened(planned(photographs=photos[1:])).jobs}
    ledger = opened(planned(photographs=[twin, *photos[1:]]))
    found = {job.id: job.folder for job in ledger.jobs}
    assert before.items() <= found.items()
    assert sorted(found.values()) == ["dog-look", "sea-look", "sea-look-2"]
    assert len(opened(planned(photographs=[twin])).entries) == 3  # the page shows them all


def test_a_folder_that_is_not_of_the_batch_is_left_alone(opened, planned, tmp_path):
    opened([])
    (tmp_path / "batch" / "cat-look").mkdir()
    assert [job.folder for job in opened(planned()).jobs] == ["cat-look-2", "dog-look", "sea-look"]


def test_two_commands_cannot_make_the_same_batch(opened, planned):
    ledger = opened(planned())
    with pytest.raises(OutputError, match="another process is writing to it"):
        Ledger(LocalStore(ledger.folder), planned())


def test_a_line_that_was_cut_off_costs_only_itself(opened, planned):
    ledger = opened(planned())
    one, two = all_of(ledger)[:2]
    for job in (one, two):
        ledger.change(job.id, state="failed", message="bad", loss=None)
    path = ledger.folder / RESULTS
    path.write_bytes(path.read_bytes()[:-9])
    again = opened(planned())
    assert [again.get(job.id).state for job in (one, two)] == ["failed", "waiting"]
    again.change(again.take(None).id, state="failed", message="worse")
    assert len(Results(ledger.folder).found) == 2


def test_a_value_that_is_the_usual_one_is_shown_as_soon_as_there_are_others(opened, planned):
    opened(planned())
    ledger = opened(planned(grid={"penalties.continuity": [0.0, 1.0]}))
    assert len(ledger.entries) == 6
    assert (
        sorted(entry.values["penalties.continuity"] for entry in ledger.entries.values()) == ["0.0"] * 3 + ["1.0"] * 3
    )
    again = opened(planned())
    assert [entry.values for entry in again.entries.values()] == [entry.values for entry in ledger.entries.values()]


def test_a_name_that_is_taken_by_other_settings_is_said(opened, planned):
    opened(planned(grid={"penalties.continuity": [1.0]}))
    assert opened(planned()).renamed == []
    other = planned(grid={"optimizer.iterations": [5]})
    renamed = [replace(dream, variant=replace(dream.variant, name="look")) for dream in other]
    assert opened(renamed).renamed == ["cat-look-2", "dog-look-2", "sea-look-2"]


def test_the_same_dream_twice_is_one_job(opened, planned):
    assert len(opened([*planned(), *planned()]).jobs) == 3
