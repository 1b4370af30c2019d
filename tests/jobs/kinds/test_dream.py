from pathlib import Path

import pytest
from conftest import changed

from dreamscripts.atomic_files import lock
from dreamscripts.errors import Diverged, OutputError, PictureError, SettingsError
from dreamscripts.jobs.kinds.dream import dream
from dreamscripts.jobs.work import OtherStart
from dreamscripts.reports.loss_curve import write_loss_curve
from dreamscripts.runs.run import run
from dreamscripts.runs.run_folder import RunFolder


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that must have the same bytes. The others contain seconds."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".toml")}


def losses(folder: Path) -> list[list[str]]:
    """Return the table of the losses without the seconds."""
    rows = [line.split(",") for line in (folder / "loss.csv").read_text().splitlines()]
    return [row[:3] + row[4:] for row in rows]


@pytest.fixture
def whole(job, settings, tmp_path):
    """Return the folder of the same run, made without a job."""
    folder = tmp_path / "whole" / job.folder  # its name is in the plot
    list(run(job.photo, settings, folder, on_end=write_loss_curve))
    return folder


def stop_after(reports, work, iteration):
    """Let the work stop at the first pass after this iteration is saved."""

    def send(facts):
        reports.append(facts)
        if facts["iteration"] == iteration and facts["terms"]:
            work.stop.set()

    work._send = send


def test_a_job_is_the_run_that_it_names(job, work, whole):
    dream(job, work)
    again = job.model_copy(update={"folder": f"sheet/{job.folder}"})
    dream(again, work)  # with the evaluator that was kept
    for folder in (work.base / job.folder, work.base / again.folder):
        assert files(folder) == files(whole)
        assert losses(folder) == losses(whole)
        assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}


@pytest.mark.parametrize("iteration", [0, 2])
def test_a_stopped_job_goes_on_to_the_same_bytes(iteration, job, work, whole, reports):
    stop_after(reports, work, iteration)
    with pytest.raises(KeyboardInterrupt):
        dream(job, work)
    assert (work.base / job.folder / "final.png").exists()
    work.stop.clear()
    work._send = reports.append
    dream(job.model_copy(update={"settings": "", "photo": None}), work)  # the folder is all that a run is
    assert files(work.base / job.folder) == files(whole)
    assert losses(work.base / job.folder) == losses(whole)


def test_a_job_that_is_stopped_before_its_first_iteration_leaves_nothing(job, work):
    work.stop.set()
    with pytest.raises(KeyboardInterrupt):
        dream(job, work)
    assert list(work.base.iterdir()) == []


@pytest.mark.parametrize(
    "left", [(), ("settings.toml",), ("settings.toml", "start.npy", ".dreamscripts-0123456789abcdef.part")]
)
def test_a_process_that_was_killed_when_it_started_costs_nothing(left, job, work, whole):
    folder = work.base / job.folder
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"half")
    dream(job, work)
    assert files(folder) == files(whole)


def test_a_folder_of_somebody_else_is_left_alone(job, work):
    folder = work.base / job.folder
    folder.mkdir()
    (folder / "diary.txt").write_text("secret")
    with pytest.raises(OutputError, match="is not empty"):
        dream(job, work)
    assert [path.name for path in folder.iterdir()] == ["diary.txt"]
    folder.rename(work.base / "other")
    folder.symlink_to(work.base / "other")
    with pytest.raises(OutputError, match="symbolic link"):
        dream(job, work)


def test_a_job_may_keep_fewer_snapshots(job, work, whole):
    dream(job.model_copy(update={"keep_every": 3}), work)
    kept = {name for name in files(work.base / job.folder) if name.startswith("iteration_")}
    assert kept == {"iteration_000.png", "iteration_003.png"}
    assert files(work.base / job.folder).items() <= files(whole).items()


def test_a_run_that_is_complete_is_done(job, work):
    dream(job, work)
    folder = work.base / job.folder
    (folder / "start.npy").write_bytes(b"left")
    before = files(folder)
    dream(job, work)
    assert files(folder) == before
    assert not (folder / "start.npy").exists()


def test_progress_never_goes_back_and_tells_each_iteration(job, work, settings, reports):
    settings = changed(settings, octaves={"count": 2, "scale": 1.4})
    dream(job.model_copy(update={"settings": settings.to_toml()}), work)
    assert {report["octaves"] for report in reports} == {2}
    assert {report["iterations"] for report in reports} == {8}
    shares = [report["share"] for report in reports]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    ended = [report for report in reports if report["terms"]]
    assert [report["iteration"] for report in ended] == [report["snapshot"] for report in ended] == list(range(9))
    assert all(sum(report["terms"].values()) == pytest.approx(report["loss"]) for report in ended)
    assert [report["octave"] for report in ended] == [0] * 4 + [1] * 5
    assert [report["seconds"] for report in reports] == sorted(report["seconds"] for report in reports)
    assert ended[-1]["left"] == 0
    assert all(report["frame"] is None for report in reports)


def test_a_look_that_starts_with_noise_starts_with_the_photograph_if_there_is_one(job, work, settings, whole):
    noise = changed(settings, start="noise", size=64)
    dream(job.model_copy(update={"settings": noise.to_toml()}), work)
    assert 'start = "photograph"' in (work.base / job.folder / "settings.toml").read_text()
    dream(job.model_copy(update={"settings": noise.to_toml(), "photo": None, "folder": "noise"}), work)
    assert 'start = "noise"' in (work.base / "noise" / "settings.toml").read_text()


@pytest.mark.parametrize("resumed", [False, True])
def test_settings_may_open_only_what_is_allowed(resumed, job, work, settings, photo, reports):
    guided = changed(settings, measure="guide", guide={"picture": str(photo)})
    job = job.model_copy(update={"settings": guided.to_toml()})
    if resumed:
        work._allowed = frozenset([str(photo)])
        stop_after(reports, work, 1)
        with pytest.raises(KeyboardInterrupt):
            dream(job, work)
        work.stop.clear()
        work._allowed = frozenset()
    with pytest.raises(SettingsError, match="--allow FILE"):
        dream(job, work)
    work._allowed = frozenset([str(photo)])
    dream(job, work)


def test_errors_are_in_words(job, work, tmp_path):
    with pytest.raises(PictureError):
        dream(job.model_copy(update={"photo": str(tmp_path / "none.png")}), work)
    with pytest.raises(SettingsError, match="look: is not valid TOML"):
        dream(job.model_copy(update={"settings": "a = "}), work)
    assert list(work.base.iterdir()) == []


def test_a_dream_that_diverges_keeps_its_best_picture(job, work, settings):
    wild = changed(settings, features={"block2_conv1": 1e30})
    with pytest.raises(Diverged):
        dream(job.model_copy(update={"settings": wild.to_toml()}), work)


def test_a_folder_that_is_locked_is_waited_for(job, work, monkeypatch):
    monkeypatch.setattr("dreamscripts.jobs.work.DYING", 0.3)
    (work.base / job.folder).mkdir()
    unlock = lock(work.base / job.folder)
    with pytest.raises(OutputError, match="another process"):
        dream(job, work)
    unlock()
    dream(job, work)


def test_a_run_that_was_begun_with_another_onednn_needs_another_process(job, work, reports, monkeypatch):
    stop_after(reports, work, 1)
    with pytest.raises(KeyboardInterrupt):
        dream(job, work)
    work.stop.clear()
    monkeypatch.setattr("dreamscripts.backends.compiling.onednn", lambda: False)
    with pytest.raises(OtherStart) as other:
        dream(job, work)
    assert other.value.onednn is True
    RunFolder.reopen(work.base / job.folder).release()  # it is not locked
    work._started_with = True  # the person has chosen it by the environment, so it cannot be changed
    dream(job, work)
