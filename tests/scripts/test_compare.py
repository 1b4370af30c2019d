"""`dreamscripts compare`, as a person calls it."""

import json

import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.backends import startup
from dreamscripts.errors import DreamError
from dreamscripts.images.files import open_picture

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
