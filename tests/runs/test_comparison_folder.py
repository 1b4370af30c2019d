"""The folder of an interrupted comparison: what it keeps, and what it does not trust."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dreamscripts import atomic_files
from dreamscripts.dreams.trial import Pass, Trial
from dreamscripts.errors import OutputError
from dreamscripts.runs.comparison_folder import ComparisonFolder, ComparisonRecord
from dreamscripts.settings.schema import Settings

SETTINGS = Settings(features={"block2_conv1": 0.05})
BUDGETS = (1, 2, 4)


def a_trial(optimizer="adam", step=None, restart=None, losses=(5.0, 0.1, 1 / 3)) -> Trial:
    rng = np.random.default_rng(len(losses))
    return Trial(
        optimizer,
        step,
        restart,
        [Pass(i + 1, 0.1 * i, loss, min(losses[: i + 1]), {"block2_conv1": loss}) for i, loss in enumerate(losses)],
        {budget: rng.uniform(0, 255, (6, 8, 3)).astype(np.float32) for budget in BUDGETS},
        losses[-1],
        {"block2_conv1": losses[-1]},
        seconds_per_pass=0.12,
        overhead=0.3,
        mebibytes=None,
    )


TRIALS = (
    a_trial("adam", step=1.5 / 3),
    a_trial("adam", step=4.5, losses=(1.0, float("inf"), float("-inf"))),
    replace(a_trial("lbfgs", restart=2), ended_by="the loss diverged"),
)


@pytest.fixture
def start(rng) -> np.ndarray:
    return rng.uniform(0, 255, (6, 8, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, start) -> Path:
    """An interrupted comparison with three finished trials."""
    record = ComparisonRecord(picture="/x/cat.jpg", settings_name="mine", optimizers=["lbfgs", "adam"], passes=4)
    comparison = ComparisonFolder.create(tmp_path / "compared", SETTINGS, start, record)
    for trial in TRIALS:
        comparison.save(trial)
    comparison.release()
    return comparison.folder


def assert_same(trial: Trial, other: Trial) -> None:
    np.testing.assert_equal(vars(trial), vars(other))


def test_all_finished_trials_are_kept_to_the_last_bit(folder, start):
    comparison = ComparisonFolder.reopen(folder)
    assert (comparison.settings, comparison.record.optimizers) == (SETTINGS, ["lbfgs", "adam"])
    np.testing.assert_array_equal(comparison.picture, start)
    for trial, saved in zip(TRIALS, comparison.finished, strict=True):
        assert_same(trial, saved)


def test_new_trials_are_added_and_nothing_is_left_at_the_end(folder):
    comparison = ComparisonFolder.reopen(folder)
    comparison.save(a_trial("lbfgs", restart=4))
    comparison.release()
    again = ComparisonFolder.reopen(folder)
    assert [trial.varied for trial in again.finished][2:] == [("lbfgs", None, 2), ("lbfgs", None, 4)]
    again.complete()
    again.release()
    assert [path.name for path in folder.iterdir()] == ["settings.toml"]
    with pytest.raises(OutputError, match="contains no comparison to resume"):
        ComparisonFolder.reopen(folder)
    (folder / "compare.json").touch()
    with pytest.raises(OutputError, match="this comparison is complete; there is nothing to resume"):
        ComparisonFolder.reopen(folder)


@pytest.mark.parametrize("written", range(3))
def test_killed_between_any_two_files_it_loses_one_trial_at_most(folder, monkeypatch, written):
    left, renamed = written, Path.replace

    def rename(self, target):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return renamed(self, target)

    comparison = ComparisonFolder.reopen(folder)
    monkeypatch.setattr(atomic_files.Path, "replace", rename)
    if written < 2:
        with pytest.raises(KeyboardInterrupt):
            comparison.save(a_trial("lbfgs", restart=4))
    else:
        comparison.save(a_trial("lbfgs", restart=4))
    monkeypatch.undo()
    comparison.release()
    assert len(ComparisonFolder.reopen(folder).finished) == (4 if written == 2 else 3)


@pytest.fixture
def full_after(monkeypatch):
    """Let the disk be full after a number of writes."""

    def fill(writes):
        left, write = writes, atomic_files.os.write

        def write_or_fail(descriptor, content):
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, content)

        monkeypatch.setattr(atomic_files.os, "write", write_or_fail)

    return fill


@pytest.mark.parametrize("writes", range(2))
def test_a_full_disk_loses_the_trial_that_is_written(folder, full_after, monkeypatch, writes):
    comparison = ComparisonFolder.reopen(folder)
    full_after(writes)
    with pytest.raises(OutputError, match="the disk is full; files written before are kept"):
        comparison.save(a_trial("lbfgs", restart=4))
    monkeypatch.undo()
    comparison.release()
    again = ComparisonFolder.reopen(folder)
    assert len(again.finished) == 3
    again.save(a_trial("lbfgs", restart=4))
    again.release()
    assert len(ComparisonFolder.reopen(folder).finished) == 4


@pytest.mark.parametrize("writes", range(3))
def test_a_disk_that_is_full_at_the_start_leaves_no_folder(tmp_path, start, full_after, writes):
    record = ComparisonRecord(picture="p", settings_name="mine", optimizers=["lbfgs", "adam"], passes=4)
    full_after(writes)
    with pytest.raises(OutputError, match="the disk is full"):
        ComparisonFolder.create(tmp_path / "new", SETTINGS, start, record)
    assert not (tmp_path / "new").exists()


def test_two_do_not_work_at_one_comparison(folder):
    pytest.importorskip("fcntl")
    comparison = ComparisonFolder.reopen(folder)
    with pytest.raises(OutputError, match="another process is writing to it"):
        ComparisonFolder.reopen(folder)
    comparison.release()
    ComparisonFolder.reopen(folder)


def changed_trial(folder: Path, change) -> None:
    path = folder / "trial_02.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "trial_02.json").write_bytes(b""), "it is empty, or not a plain file"),
        (lambda folder: (folder / "trial_02.json").write_bytes(b"[" * 9999), "recursion limit"),
        (
            lambda folder: changed_trial(folder, lambda record: record.update(step="1")),
            "step: should be a number",
        ),
        (lambda folder: changed_trial(folder, lambda record: record.update(file="/etc/passwd")), "file: "),
        (lambda folder: changed_trial(folder, lambda record: record["passes"].pop(0)), "pass 1 does not fit"),
        (lambda folder: changed_trial(folder, lambda record: record.update(comparison=1)), "with other settings"),
        (lambda folder: (folder / "trial_02.npy").unlink(), "it is missing"),
        (lambda folder: (folder / "trial_02.npy").write_bytes(b"PK\3\4" * 99), "not an array in NumPy's format"),
        (lambda folder: np.save(folder / "trial_02.npy", np.zeros((3, 6, 8, 3))), "type float64"),
        (lambda folder: np.save(folder / "trial_02.npy", np.zeros((3, 8, 6, 3), "f")), r"the shape \(3, 8, 6, 3\)"),
        (lambda folder: np.save(folder / "trial_02.npy", np.full((3, 6, 8, 3), np.nan, "f")), "not finite"),
        (lambda folder: np.save(folder / "trial_02.npy", np.array([{}])), "not one that NumPy writes for numbers"),
    ],
)
def test_a_damaged_trial_is_said_and_made_again(folder, damage, says, caplog):
    damage(folder)
    comparison = ComparisonFolder.reopen(folder)
    assert [trial.varied for trial in comparison.finished] == [TRIALS[0].varied, TRIALS[2].varied]
    (message,) = caplog.messages
    assert message.startswith(f"{folder}/trial_02.")
    assert "is damaged: " in message
    assert message.endswith("; this trial is made again")
    assert says.replace("\\", "") in message


def test_a_cut_array_is_not_read(folder, caplog):
    path = folder / "trial_01.npy"
    path.write_bytes(path.read_bytes()[:-4])
    assert len(ComparisonFolder.reopen(folder).finished) == 2
    assert "it was cut or changed; this trial is made again" in caplog.text


def test_links_are_not_followed(folder, tmp_path):
    for name in ("trial_01.npy", "trial_03.json"):
        (folder / name).replace(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    comparison = ComparisonFolder.reopen(folder)
    assert [trial.varied for trial in comparison.finished] == [TRIALS[1].varied]
    comparison.release()
    (folder / "start.npy").replace(tmp_path / "start.npy")
    (folder / "start.npy").symlink_to(tmp_path / "start.npy")
    with pytest.raises(OutputError, match=r"start\.npy: is damaged: it is empty, or not a plain file; its finished"):
        ComparisonFolder.reopen(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"optimizers": ["adam", "sgd"]}, "optimizers: there is no optimizer 'sgd'"),
        ({"optimizers": ["adam"]}, "optimizers: "),
        ({"passes": 1}, "passes: should be at least 2"),
        ({"passes": True}, "passes: should be a whole number"),
        ({"picture": None}, "picture: should be text"),
        ({"choices": {"xla": True}}, "choices.winograd_from: "),
        ({"start": "../start.npy"}, "start: "),
    ],
)
def test_a_record_with_other_values_is_damaged(folder, change, says):
    path = folder / "unfinished.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(OutputError, match=rf"unfinished\.json: is damaged: {says}.*start again in another --output"):
        ComparisonFolder.reopen(folder)


def test_settings_that_were_changed_make_all_trials_again(folder, caplog):
    (folder / "settings.toml").write_text(SETTINGS.model_copy(update={"seed": 7}).to_toml())
    assert ComparisonFolder.reopen(folder).finished == []
    assert len(caplog.messages) == 3
    (folder / "settings.toml").write_text("features = 3")
    with pytest.raises(OutputError, match=r"settings\.toml: is damaged: features = 3: "):
        ComparisonFolder.reopen(folder)


def test_a_folder_with_other_files_is_left_alone(folder, start):
    record = ComparisonRecord(picture="p", settings_name="mine", optimizers=["lbfgs", "adam"], passes=4)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputError, match=r"already contains a comparison; resume it \(--resume\), or choose another"):
        ComparisonFolder.create(folder, SETTINGS, start, record)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "unfinished.json").unlink()
    with pytest.raises(OutputError, match="is not empty; choose another --output"):
        ComparisonFolder.create(folder, SETTINGS, start, record)
