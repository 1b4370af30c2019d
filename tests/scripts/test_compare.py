"""`dreamscripts compare`, as a person calls it."""

import json

import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.backends import startup
from dreamscripts.errors import DreamError, OutputError
from dreamscripts.images.files import open_picture
from dreamscripts.scripts.progress import TrialWatch

FAST_TOML = """
[features]
block2_conv1 = 0.005
[penalties]
dream_l2 = 0.02
[optimizer]
passes = 3
"""
FAST = ("--settings", "fast.toml", "--size", 48, "--passes", 6)


@pytest.fixture(autouse=True)
def fast_toml(command_here):
    (command_here.folder / "fast.toml").write_text(FAST_TOML)


def test_optimizers_are_compared_in_a_report_and_the_verdict_is_said(command, photo):
    photo = photo.rename(photo.with_name("my[bold]cat.jpg"))
    done = command("compare", photo, *FAST, check=0)
    assert done.stderr == ""
    folder = command.folder / "my[bold]cat-compare"
    record = json.loads((folder / "compare.json").read_text())
    *trials, last = done.stdout.splitlines()
    trials, said = trials[: len(record["trials"])], trials[len(record["trials"]) :]
    assert last == "my[bold]cat-compare/index.html"
    assert said == record["verdict"]
    assert said[0].startswith("After 6 passes, the lowest final loss is ")
    assert all(": -" in line for line in trials)
    assert [line.partition(",")[0] for line in trials[:2]] == ["L-BFGS", "L-BFGS"]
    assert {line.partition(",")[0] for line in trials[2:]} == {"gradient ascent"}
    assert (record["picture"], record["settings_name"]) == ("my[bold]cat.jpg", "fast.toml")
    assert {trial["passes"] for trial in record["trials"]} == {6}
    assert open_picture(folder / "lbfgs.png").shape == (36, 48, 3)
    assert (folder / "index.html").stat().st_size > 50_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["PHOTO", "--optimizers", "lbfgs,gradient_ascend"], "did you mean 'gradient_ascent'"),
        (["PHOTO", "--optimizers", "adam, adam"], "needs at least two optimizers"),
        (["PHOTO", "--output", "full"], "full: is not empty; choose another --output"),
        (["PHOTO", "--output", "fast.toml"], "fast.toml: "),
        (["nowhere.jpg"], "nowhere.jpg: there is no such picture"),
        (["PHOTO", "--passes", "1"], "--passes"),
        (["PHOTO", "--settings", "bad_tripp"], "did you mean 'bad_trip'"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, photo, asleep):
    full = command_here.folder / "full"
    full.mkdir()
    (full / "mine.txt").touch()
    arguments = [photo if argument == "PHOTO" else argument for argument in arguments]
    assert says in mistake(command_here("compare", *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml", "full"}
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    assert "nowhere.jpg: there is no such picture" in mistake(command("compare", "nowhere.jpg", env=NO_KERAS))


@pytest.mark.parametrize("more", [(), ("--output", "mine")])
def test_a_comparison_that_fails_leaves_no_empty_folder(more, command_here, photo, monkeypatch):
    def start_keras(onednn):
        raise DreamError("Keras cannot use the backend 'ghost'")

    monkeypatch.setattr(startup, "start_keras", start_keras)
    assert "cannot use the backend 'ghost'" in mistake(command_here("compare", photo, *FAST, *more))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml"}


def test_a_picture_too_small_for_the_network_is_one_line_and_leaves_no_folder(command_here, photo):
    assert "at least 10 pixels" in mistake(command_here("compare", photo, *FAST, "--size", 8))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml"}


def numbers_and_pictures(folder):
    """The report without the times, and the pixels of its pictures."""
    record = json.loads((folder / "compare.json").read_text())
    times = ("seconds_per_pass", "overhead", "mebibytes", "curve")
    trials = [{key: value for key, value in trial.items() if key not in times} for trial in record["trials"]]
    curves = [[(p["pass"], p["loss"], p["terms"]) for p in trial["curve"]] for trial in record["trials"]]
    pictures = {name: open_picture(folder / f"{name}.png").tobytes() for name in ("lbfgs", "gradient_ascent")}
    return record["start_loss"], trials, curves, pictures


def test_a_stopped_comparison_is_resumed_to_the_same_report(command_here, photo, monkeypatch):
    command_here("compare", photo, *FAST, "--set", "jitter.shift=4", "-o", "whole", check=0)
    whole = command_here.folder / "whole"
    assert not {path.name for path in whole.iterdir()} & {"unfinished.json", "start.npy"}
    assert not list(whole.glob("trial_*"))
    on_trial, trials = TrialWatch.on_trial, []

    def stop_at_the_third(self, trial):
        trials.append(trial.name)
        if len(trials) == 3:
            raise KeyboardInterrupt
        on_trial(self, trial)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(TrialWatch, "on_trial", stop_at_the_third)
        done = command_here("compare", photo, *FAST, "--set", "jitter.shift=4", "-o", "my cut", check=130)
    assert done.stderr.splitlines() == [
        "dreamscripts: stopped; 2 finished trials kept",
        "Continue with: dreamscripts compare --resume --output 'my cut'",
    ]
    cut = command_here.folder / "my cut"
    assert not (cut / "compare.json").exists()

    trials.clear()
    with monkeypatch.context() as counted:
        counted.setattr(TrialWatch, "on_trial", lambda self, trial: trials.append(trial.varied))
        done = command_here("compare", "--resume", "-o", "my cut", check=0)
    assert done.stdout.startswith("my cut: 2 finished trials kept\n")
    record = json.loads((cut / "compare.json").read_text())
    assert len(trials) == len(record["trials"]) - 2
    assert numbers_and_pictures(cut) == numbers_and_pictures(whole)
    assert not {path.name for path in cut.iterdir()} ^ {path.name for path in whole.iterdir()}
    assert "this comparison is complete" in mistake(command_here("compare", "--resume", "-o", "my cut"))


@pytest.fixture
def interrupted(command_here, photo, monkeypatch):
    """An interrupted comparison in the default folder, photo-compare."""

    def stop(self, passes, loss):
        if self._trial is not None and self._trial.optimizer == "gradient_ascent":
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(TrialWatch, "on_pass", stop)
        command_here("compare", photo, *FAST, check=130)
    return command_here.folder / "photo-compare"


def test_the_same_command_with_resume_continues(command_here, photo, interrupted):
    for arguments, says in [
        (["--passes", 7], "this comparison was started with --passes 6, not --passes 7"),
        (["--optimizers", "adam,lbfgs"], "was started with lbfgs,gradient_ascent, not adam,lbfgs"),
        (["--seed", 3], "photo-compare: this comparison was started with other settings"),
    ]:
        assert says in mistake(command_here("compare", photo, *FAST, *arguments, "--resume"))
    assert "was started with seed = 0" in mistake(command_here("compare", photo, "--seed", 3, "--resume"))
    other = photo.with_name("other.jpg")
    photo.rename(other)
    assert f"was started with {photo}" in mistake(command_here("compare", other, "--resume", "-o", "photo-compare"))
    command_here("compare", photo, *FAST, "--resume", check=0)  # the picture is in the folder
    assert (interrupted / "compare.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--resume"], "--resume needs the picture of the comparison, or its folder with --output"),
        (["--resume", "--output", "nowhere"], "nowhere: contains no comparison to resume"),
        (["PHOTO", "--resume"], "photo-compare: contains no comparison to resume"),
        ([], "a picture is missing; use: dreamscripts compare PHOTO"),
    ],
)
def test_mistakes_with_resume(arguments, says, command_here, photo, asleep):
    arguments = [photo if argument == "PHOTO" else argument for argument in arguments]
    assert says in mistake(command_here("compare", *arguments))


def test_a_full_disk_loses_no_finished_trial(command_here, photo, monkeypatch):
    def full(comparison, folder, about):
        raise OutputError(f"{folder}: the disk is full; files written before are kept")

    with monkeypatch.context() as context:
        context.setattr("dreamscripts.reports.comparison.write_report", full)
        said = mistake(command_here("compare", photo, *FAST, "-o", "mine"))
    assert (
        "the disk is full; files written before are kept; continue with: dreamscripts compare --resume --output mine"
        in said
    )
    done = command_here("compare", "--resume", "-o", "mine", check=0)
    assert "finished trials kept" in done.stdout
    assert (command_here.folder / "mine" / "index.html").exists()
