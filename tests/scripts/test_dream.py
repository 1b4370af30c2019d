"""The command as a person calls it; mistakes are one line on stderr and exit code 2."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import keras
import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.backends import startup
from dreamscripts.errors import DreamError, SettingsError
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import fit
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.runs.run_record import ChoicesRecord
from dreamscripts.scripts.dream import EMBEDDED, refuse_other
from dreamscripts.settings.schema import Settings

pytestmark = pytest.mark.usefixtures("compiled_once")

FAST = ("--network", "pocket", "--settings", "fast.toml")
FAST_TOML = """
network = "vgg16"
size = 64
[features]
block2_conv1 = 0.005
[penalties]
continuity = 0.1
dream_l2 = 0.02
[jitter]
noise = 3
[optimizer]
iterations = 3
passes = 3
"""


@pytest.fixture(autouse=True)
def fast_toml(command_here):
    (command_here.folder / "fast.toml").write_text(FAST_TOML)


def test_a_photograph_becomes_a_dream_and_its_picture_repeats_it(command, command_here, photo):
    done = command("dream", photo, *FAST, "--seed", 4, "--size", 56, check=0)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("photo.jpg → photo-fast/")
    assert [line.split()[1] for line in lines[1:-1]] == ["0/3", "1/3", "2/3", "3/3"]
    assert lines[-1].startswith("photo-fast/final.png")
    folder = command.folder / "photo-fast"
    assert open_picture(folder / "final.png").shape == (42, 56, 3)

    done = command_here("dream", photo, "--from", folder / "final.png", "--quiet", check=0)
    assert done.stdout == done.stderr == ""
    again = command.folder / "photo-from-final"
    assert (again / "final.png").read_bytes() == (folder / "final.png").read_bytes()
    assert (again / "settings.toml").read_text() == (folder / "settings.toml").read_text()

    command_here("dream", photo, *FAST, "--quiet", "--keep-every", 2, "-i", 1, check=0)
    names = {path.name for path in (command.folder / "photo-fast-2").iterdir()}
    assert "iteration_000.png" in names
    assert "iteration_001.png" not in names


def test_out_of_noise_a_dream_needs_no_photograph_and_with_one_begins_from_it(command_here, photo):
    quick = ("-s", "notebook_naive", "-n", "pocket", "-i", 1)
    done = command_here("dream", *quick, "--size", 72, check=0)
    assert done.stderr == ""
    assert done.stdout.startswith("noise → notebook_naive/  (pocket, notebook_naive)")
    folder = command_here.folder / "notebook_naive"
    assert open_picture(folder / "final.png").shape == (72, 72, 3)
    assert Settings.load(folder / "settings.toml").start == "noise"
    done = command_here("dream", photo, *quick, "--size", 80, check=0)
    assert done.stdout.startswith("photo.jpg → photo-notebook_naive/")
    folder = command_here.folder / "photo-notebook_naive"
    first = open_picture(folder / "iteration_000.png")
    assert first.shape == (60, 80, 3)
    assert abs(first - fit(open_picture(photo), 80)).max() <= 0.5
    assert Settings.load(folder / "settings.toml").start == "photograph"


def test_a_photograph_alone_is_dreamt_by_a_network_inside_the_package(command_here, photo, monkeypatch):
    def no_connection(*arguments, **options):
        raise AssertionError("downloads")

    monkeypatch.setattr(keras.utils, "get_file", no_connection)
    monkeypatch.setattr(keras.src.applications.vgg16.file_utils, "get_file", no_connection)
    done = command_here("dream", photo, "--size", 108, "-i", 1, check=0)
    assert done.stdout.splitlines()[0] == (
        f"using {EMBEDDED}; --network vgg16 uses VGG16 instead, which is downloaded once (59 MB)"
    )
    settings = Settings.load(command_here.folder / "photo-dreamy" / "settings.toml")
    assert settings.network == EMBEDDED
    assert settings.features == Settings.load("dreamy").features
    for named in (("--network", "vgg16"), ("--settings", "dreamy"), ("--weights", "imagenet")):
        with pytest.raises(AssertionError, match="downloads"):
            command_here("dream", photo, "--size", 108, "-i", 1, *named)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_what_a_person_sees_in_a_terminal_and_ctrl_c_stops_tidily(stop, command, photo):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", "dream", photo, *FAST, "--set", "optimizer.iterations=500"],
        cwd=command.folder,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    state = command.folder / "photo-fast" / "iteration_003.png"
    deadline = time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(stop)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    text = seen.decode()
    assert process.wait() == 130
    assert re.search(r"iteration \d+/500", text)
    for part in ("loading pocket", "passes/s", "loss", "left", "stopped after iteration", "dreamscripts: stopped"):
        assert part in text
    assert "dreamscripts dream --resume --output photo-fast" in text
    assert "Traceback" not in text
    assert json.loads((command.folder / "photo-fast" / "run.json").read_text())["status"] == "stopped"
    assert (command.folder / "photo-fast" / "final.png").exists()


def test_killed_and_resumed_it_ends_in_the_same_bytes(command_here, photo):
    more = (*FAST, "--iterations", 8, "--quiet")
    command_here("dream", photo, *more, "--output", "whole", check=0)
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", "dream", photo, *map(str, more)], cwd=command_here.folder
    )
    folder = command_here.folder / "photo-fast"
    while not (folder / "iteration_002.png").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (folder / "final.png").exists()
    refused = mistake(command_here("dream", photo, *FAST, "--iterations", 9, "--resume"))
    assert "started with optimizer.iterations = 8" in refused
    assert "was started with" in mistake(
        command_here("dream", command_here.folder / "other.jpg", "--output", folder, "--resume")
    )
    done = command_here("dream", photo, "--resume", check=0)
    assert "photo.jpg → photo-fast/  (pocket, resumed with its own settings)" in done.stdout
    for name in ("final.png", "iteration_001.png", "iteration_008.png"):
        assert (folder / name).read_bytes() == (command_here.folder / "whole" / name).read_bytes()
    assert "nothing to resume" in mistake(command_here("dream", photo, *FAST, "--resume"))


def test_what_a_run_was_begun_with_may_be_said_again_in_other_words(tmp_path, monkeypatch):
    """A guide's relative path and a list of channels used to be refused: the settings hold a path and a tuple."""
    monkeypatch.chdir(tmp_path)
    changes = {"guide.picture": "flowers.jpg", "features.block5_conv2": {"weight": 1, "channels": [3, 65]}}
    begun = Settings.load("caffe_guided", network="pocket", **changes)
    (tmp_path / "settings.toml").write_text(begun.to_toml())
    refuse_other(changes, begun, tmp_path)
    with pytest.raises(SettingsError, match="started with optimizer"):
        refuse_other({"optimizer.iterations": 3}, begun, tmp_path)
    with pytest.raises(SettingsError, match="started with network = pocket"):
        refuse_other({"network": "vgg16"}, begun, tmp_path)


def test_a_resumed_run_starts_keras_as_it_began(command_here, picture, settings, monkeypatch):
    def start_keras(onednn=None):
        raise DreamError(f"started with oneDNN = {onednn}")

    folder = command_here.folder / "run"
    run = RunFolder.create(folder, settings, picture)
    run.record.choices = ChoicesRecord(onednn=False, xla=False, winograd_from=None)
    run.close("stopped")
    run.release()
    monkeypatch.setattr(startup, "start_keras", start_keras)
    assert "started with oneDNN = False" in mistake(command_here("dream", "--resume", "--output", folder))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "a picture is missing"),
        (["--resume"], "or its folder with --output"),
        (["PHOTO", "--output", "fast.toml", *FAST], "fast.toml: is a file"),
        (["nowhere.jpg"], "nowhere.jpg: there is no such picture"),
        (["PHOTO", "--settings", "bad_tripp"], "did you mean 'bad_trip'"),
        (["PHOTO", "--set", "optimizer.iteration=3"], "did you mean 'optimizer.iterations'"),
        (["PHOTO", "--set", "optimizer.iterations"], "key=value"),
        (["PHOTO", "--set", "penalties.continuity=nan"], "finite"),
        (["PHOTO", "--size", "-5"], "size = -5"),
        (["PHOTO", "--size", "large"], "--size"),
        (["PHOTO", "--iteration", "3"], "--iteration"),
        (["PHOTO", "--settings", "dreamy", "--from", "x.png"], "not both"),
        (["PHOTO", "--from", "x.jpg"], "--from needs a PNG"),
        (["PHOTO", "--output", "fast.toml/run", *FAST], "fast.toml/run"),
        (["PHOTO", "--output", "/proc/run", *FAST], "/proc/run: cannot be written"),
        (["PHOTO", "--settings", "caffe_guided"], "give it with --guide"),
        (
            ["PHOTO", "--set", "octaves.kind=plian"],
            "octaves.kind = 'plian': should be 'plain', 'grown'",
        ),
        (["PHOTO", "--resume"], "there is no interrupted run of it in this folder; use --output FOLDER"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, photo, asleep):
    arguments = [photo if argument == "PHOTO" else argument for argument in arguments]
    assert says in mistake(command_here("dream", *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml"}


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    assert "nowhere.jpg: there is no such picture" in mistake(command("dream", "nowhere.jpg", env=NO_KERAS))


def test_brackets_in_names_are_left_alone(command_here, photo):
    bracketed = photo.rename(photo.with_name("my[bold]cat.jpg"))
    done = command_here("dream", bracketed, *FAST, "-i", 1, check=0)
    assert done.stdout.startswith("my[bold]cat.jpg → my[bold]cat-fast/")
    assert (command_here.folder / "my[bold]cat-fast" / "final.png").exists()


def test_the_lines_of_a_run_over_octaves_count_each_octave_for_itself(command_here, photo):
    done = command_here("dream", photo, *FAST, "-i", 1, "--set", "octaves.count=2", check=0)
    _, *lines, _ = done.stdout.splitlines()
    places = ["octave 1/2, iteration 0/1", "octave 1/2, iteration 1/1", "octave 2/2, iteration 1/1"]
    assert [line.partition("  ")[0] for line in lines] == places


def test_what_stands_in_and_what_is_left_out_is_said(command_here, photo):
    """mixed3 has no meaning to pocket, whose block5_conv1 needs 80 pixels: the first of the octaves has 71."""
    (command_here.folder / "inception.toml").write_text(
        'network = "inception_v3"\nsize = 160\nfeatures = {mixed3 = 1}\noctaves = {count = 3, scale = 1.3}\n'
        'optimizer = {name = "gradient_ascent", passes = 1}'
    )
    done = command_here("dream", photo, "-s", "inception.toml", "-n", "pocket", "-i", 1, "-o", "run", check=0)
    assert done.stderr == ""
    first, second, third, *lines, _ = done.stdout.splitlines()
    assert first == "mixed3 is not a layer of pocket; using block5_conv1 instead"
    assert second.startswith("octave 1 of 3 is skipped, because 94×71 is too small: pocket needs")
    assert third == "photo.jpg → run/  (pocket, inception.toml)"
    places = ["octave 2/3, iteration 0/1", "octave 2/3, iteration 1/1", "octave 3/3, iteration 1/1"]
    assert [line.partition("  ")[0] for line in lines] == places
    assert (command_here.folder / "run" / "final.png").exists()
    assert "block5_conv1" in (command_here.folder / "run" / "settings.toml").read_text()


def test_a_picture_without_a_command_is_told_the_command(command_here, photo):
    assert f"dreamscripts dream {photo}" in mistake(command_here(photo))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--network", "VGG-16"], "did you mean 'vgg16'"),
        (["--network", "vgg_16"], "did you mean 'vgg16'"),
        (["--set", "features.block2conv1=1"], "did you mean 'block2_conv1'"),
        (["--size", "8"], "at least"),
        (["--weights", "nowhere.h5"], "nowhere.h5: there is no such weights file"),
        (["--set", "tiles.size=8"], "tiles of 8 pixels are too small"),
        (["--settings", "caffe_guided", "--guide", "nowhere.jpg"], "nowhere.jpg: there is no such picture"),
    ],
)
def test_mistakes_that_only_the_network_can_tell(arguments, says, command_here, photo):
    assert says in mistake(command_here("dream", photo, *FAST, *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml"}


def test_a_backend_that_is_not_there_is_named(command, photo):
    assert "cannot use the backend 'ghost'" in mistake(command("dream", photo, *FAST, env={"KERAS_BACKEND": "ghost"}))


@pytest.fixture
def own_model(command_here):
    """Save a small model of one's own in a folder, with settings beside it that name it."""
    folder = command_here.folder / "own"
    folder.mkdir()
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(4, 3, name="conv")(inputs)).save(folder / "mine.keras")
    lines = (
        'network = "mine.keras"',
        'preprocessing = "none"',
        "size = 32",
        'measure = "mean"',
        "[features]",
        "conv = 1",
    )
    (folder / "mine.toml").write_text("\n".join([*lines, "[optimizer]", "iterations = 1", "passes = 2", ""]))
    return folder / "mine.keras"


def test_a_model_is_opened_if_the_user_names_it_or_allows_it(command_here, photo, own_model):
    done = mistake(command_here("dream", photo, "-s", "own/mine.toml"))
    assert f"own/mine.toml: these settings open the model {own_model}: " in done
    assert "--allow-files" in done
    assert not list(command_here.folder.glob("photo-mine*"))
    done = command_here("dream", photo, "-s", "own/mine.toml", "--allow-files", "-o", "one", check=0)
    assert done.stdout.splitlines()[:2] == [
        f"own/mine.toml opens the model {own_model}",
        "photo.jpg → one/  (mine.keras, own/mine.toml)",
    ]
    assert f"one/final.png: these settings open the model {own_model}: " in mistake(
        command_here("dream", photo, "--from", "one/final.png")
    )
    for permission in (("--network", "own/mine.keras"), ("--allow-files",)):
        done = command_here("dream", photo, "--from", "one/final.png", *permission, check=0)
        assert ("opens the model" in done.stdout) == (permission == ("--allow-files",))


def test_a_run_with_a_model_of_ones_own_continues_from_any_folder_and_says_what_it_opens(
    command_here, own_model, picture, tmp_path
):
    settings = Settings.load(own_model.with_suffix(".toml"), allow_files=True)
    run = RunFolder.create(tmp_path / "run", settings, fit(picture, 32))
    run.release()
    refuse_other({"network": str(own_model)}, settings, tmp_path / "run")
    with pytest.raises(SettingsError, match="was started with network = "):
        refuse_other({"network": "other.keras"}, settings, tmp_path / "run")
    done = command_here("dream", "--resume", "--output", tmp_path / "run", check=0)
    assert done.stdout.splitlines()[0] == f"{tmp_path / 'run'} opens the model {own_model}"
