"""The small snapshots of a comparison's trials, as a movie reads them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dreamscripts.dreams.trial import Pass, Trial
from dreamscripts.errors import OutputError
from dreamscripts.runs import comparison_snapshots
from dreamscripts.runs.comparison_folder import ComparisonFolder, ComparisonRecord
from dreamscripts.runs.comparison_snapshots import read_comparison
from dreamscripts.settings.schema import Settings

SETTINGS = Settings(features={"block2_conv1": 0.05})
MOMENTS = (1, 2, 4)


def a_trial(optimizer, losses=(5.0, 4.0, 3.0, 2.0), **varied) -> Trial:
    """Return a trial whose snapshots get brighter with its passes."""
    passes = [Pass(i + 1, 0.1 * i, loss, min(losses[: i + 1]), {"block2_conv1": loss}) for i, loss in enumerate(losses)]
    return Trial(
        optimizer,
        passes=passes,
        pictures={budget: np.zeros((6, 8, 3), np.float32) for budget in MOMENTS},
        loss=losses[-1],
        terms={"block2_conv1": losses[-1]},
        snapshots={passes: np.full((6, 8, 3), 50 * passes, np.uint8) for passes in MOMENTS},
        **varied,
    )


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a folder with these finished trials."""

    def made(*trials, complete=False):
        record = ComparisonRecord(picture="cat.jpg", settings_name="mine", optimizers=["lbfgs", "adam"], passes=4)
        start = np.zeros((6, 8, 3), np.float32)
        comparison = ComparisonFolder.create(tmp_path / "compared", SETTINGS, start, record)
        for trial in trials:
            comparison.save(trial)
        if complete:
            (comparison.folder / "compare.json").write_text("{}")
            comparison.complete()
        comparison.release()
        return comparison.folder

    return made


TRIALS = (
    a_trial("lbfgs", restart=7),
    a_trial("adam", step=1.5),
    a_trial("adam", step=4.5, losses=(5.0, 3.0, 2.0, 1.0)),
    a_trial("adam", step=0.5, losses=(5.0, 4.9, 4.8, 4.7)),
)


@pytest.mark.parametrize("complete", [False, True])
def test_trials_of_an_optimizer_are_together_in_order_and_the_best_are_known(make, complete):
    comparison = read_comparison(make(*TRIALS, complete=complete))
    names = [trial.record.name for trial in comparison.trials]
    assert names == ["L-BFGS, 7 passes per iteration", "Adam, step 0.5", "Adam, step 1.5", "Adam, step 4.5"]
    assert [trial.record.name for trial in comparison.best] == [names[0], names[3]]
    assert [moment.passes for moment in comparison.trials[0].record.moments] == [1, 2, 4]
    assert [moment.lowest for moment in comparison.trials[3].record.moments] == [5, 3, 1]
    assert comparison.settings == SETTINGS.to_toml()
    assert comparison.size == (6, 8)
    assert comparison.notes == []


def test_pictures_are_those_of_the_moments_in_the_size_that_is_asked_for(make):
    (trial,) = read_comparison(make(TRIALS[0])).trials
    frames = list(trial.pictures((12, 16)))
    assert [frame.shape for frame in frames] == [(12, 16, 3)] * 3
    assert [int(frame.mean().round()) for frame in frames] == [50, 100, 200]


def test_a_trial_that_ended_early_has_its_last_picture_and_loss_until_the_end(make):
    short = replace(TRIALS[0], passes=TRIALS[0].passes[:2])
    (trial,) = read_comparison(make(short)).trials
    assert [moment.lowest for moment in trial.record.moments] == [5, 4, 4]


def test_losses_that_are_not_numbers_are_kept(make):
    (trial,) = read_comparison(make(a_trial("adam", step=1.0, losses=(1.0, float("-inf"), 2.0, 3.0)))).trials
    assert [moment.lowest for moment in trial.record.moments] == [1.0, float("-inf"), float("-inf")]


def test_a_trial_that_was_made_again_replaces_the_first(make):
    again = a_trial("adam", step=1.5, losses=(5.0, 4.0, 3.0, 2.5))
    comparison = read_comparison(make(*TRIALS, again))
    assert len(comparison.trials) == 4
    assert comparison.trials[2].record.loss == 2.5


def test_trials_with_other_settings_are_not_shown(make):
    folder = make(*TRIALS)
    (folder / "settings.toml").write_text(Settings(features={"block2_conv2": 0.05}).to_toml())
    comparison = ComparisonFolder.reopen(folder)
    comparison.save(TRIALS[0])
    assert [trial.record.optimizer for trial in read_comparison(folder).trials] == ["lbfgs"]


def film(folder, name):
    return folder / "film" / name


@pytest.mark.parametrize(("name", "shown"), [("001", [100, 100, 200]), ("002", [50, 50, 200]), ("004", [50, 100, 100])])
@pytest.mark.parametrize("damage", [b"", b"GIF89a", None])
def test_a_damaged_snapshot_is_replaced_and_named(make, name, shown, damage):
    folder = make(TRIALS[0])
    path = film(folder, f"trial_01_pass_{name}.jpg")
    path.write_bytes(path.read_bytes()[:300] if damage is None else damage)
    comparison = read_comparison(folder)
    (note,) = comparison.notes
    assert note.startswith(f"{path}: is damaged: ")
    frames = list(comparison.trials[0].pictures((6, 8)))
    assert [int(frame.mean().round()) for frame in frames] == shown


def test_a_link_is_not_followed(make, tmp_path):
    folder = make(TRIALS[0])
    path = film(folder, "trial_01_pass_002.jpg")
    path.rename(tmp_path / "secret.jpg")
    path.symlink_to(tmp_path / "secret.jpg")
    assert "not a plain file" in read_comparison(folder).notes[0]
    (folder / "film").rename(tmp_path / "elsewhere")
    (folder / "film").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="film: is a link"):
        read_comparison(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"moments": []}, "moments: "),
        ({"moments": [{"passes": 2, "lowest": 1.0}, {"passes": 2, "lowest": 1.0}]}, "pass 2 cannot follow pass 2"),
        ({"moments": [{"passes": n + 1, "lowest": 1.0} for n in range(1000)]}, "moments: "),
        ({"name": 7}, "name: should be text"),
        ({"more": 7}, "more: "),
        ({"moments": [{"passes": 1, "lowest": 1.0}]}, "its passes differ from those of the others"),
    ],
)
def test_a_damaged_record_is_one_line(make, change, says):
    folder = make(*TRIALS)
    path = film(folder, "trial_02.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(OutputError, match=r"trial_02.json: is damaged: .*; delete it to make the movie") as error:
        read_comparison(folder)
    assert says in str(error.value)


def test_without_snapshots_it_is_said_why(make, tmp_path):
    folder = make(replace(TRIALS[0], snapshots={}))
    with pytest.raises(OutputError, match="no trial of this comparison is finished yet"):
        read_comparison(folder)
    (folder / "compare.json").write_text("{}")
    with pytest.raises(OutputError, match="an older version made it; make it again with `dreamscripts compare`"):
        read_comparison(folder)
    (folder / "film").mkdir()
    with pytest.raises(OutputError, match="contains no whole snapshots of a trial"):
        read_comparison(folder)


def test_a_comparison_that_is_discarded_leaves_no_snapshots(make):
    folder = make(TRIALS[0])
    ComparisonFolder.reopen(folder).discard()
    assert not folder.exists()


@pytest.mark.parametrize("written", range(4))
def test_killed_between_any_two_files_the_trial_is_made_again(make, written, monkeypatch):
    folder = make(TRIALS[0])
    write, left = comparison_snapshots.write_atomically, iter(range(written))

    def killed(*arguments, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*arguments, **options)

    monkeypatch.setattr(comparison_snapshots, "write_atomically", killed)
    comparison = ComparisonFolder.reopen(folder)
    with pytest.raises(KeyboardInterrupt):
        comparison.save(TRIALS[1])
    comparison.release()
    assert [trial.record.optimizer for trial in read_comparison(folder).trials] == ["lbfgs"]
    monkeypatch.undo()
    comparison = ComparisonFolder.reopen(folder)
    assert len(comparison.finished) == 1
    comparison.save(TRIALS[1])
    assert [trial.record.optimizer for trial in read_comparison(folder).trials] == ["lbfgs", "adam"]
    assert read_comparison(folder).notes == []
