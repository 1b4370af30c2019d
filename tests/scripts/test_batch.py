"""`dreamscripts batch`, as a person calls it. The slow tests kill its processes at random moments."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import mistake
from PIL import Image
from stores import BUCKET, s3_server

KILLS = int(os.environ.get("DREAMSCRIPTS_KILLS", "3"))
LOOK = """
[features]
block2_conv1 = 0.05
[jitter]
shift = 4
[optimizer]
name = "gradient_ascent"
iterations = 8
"""


@pytest.fixture(autouse=True)
def files(command_here, picture):
    """Put a settings file and a folder with two photographs into the working directory."""
    folder = command_here.folder
    (folder / "look.toml").write_text(LOOK)
    (folder / "photos").mkdir()
    for name, crop in {"cat": (0, 0, 64, 48), "dog": (16, 0, 64, 48)}.items():
        Image.fromarray(picture.astype("uint8")).crop(crop).save(folder / "photos" / f"{name}.png")


def results(folder):
    """Return the files of a run, without those that contain seconds or the name of the folder."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".toml")}
    rows = [line.split(",") for line in (folder / "loss.csv").read_text().splitlines()]
    return found | {"loss.csv": [row[:3] + row[4:] for row in rows], "loss.png": b""}


@pytest.fixture
def single(command_here):
    """Return the files of the same dream by `dreamscripts dream`."""

    def single(photo, seed):
        options = ("-s", "look.toml", "--seed", seed, "-o", "single", "-q")
        command_here("dream", f"photos/{photo}.png", *options, check=0)
        made = results(command_here.folder / "single")
        shutil.rmtree(command_here.folder / "single")
        return made

    return single


def test_every_dream_has_the_bytes_of_the_command(command, command_here, single):
    done = command("batch", "photos", "-s", "look.toml", "--seeds", "0-1", check=0)
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "4 dreams; you can open batch/index.html now"
    folder = command.folder / "batch"
    for photo in ("cat", "dog"):
        for seed in (0, 1):
            assert results(folder / f"{photo}-look-seed={seed}") == single(photo, seed)
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [line["state"] for line in lines] == ["done"] * 4
    assert {line["iterations"] for line in lines} == {8}
    for name in ("index.html", "results.csv", "contact-sheet.png"):
        assert (folder / name).stat().st_size > 100

    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*")}
    again = command_here("batch", "photos", "-s", "look.toml", "--seeds", "0-1", check=0)
    assert again.stdout.splitlines()[0].startswith("4 dreams; made before")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*-look-*/*")}.items() <= before.items()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: there is no such file or folder"),
        (("photos", "-s", "drems"), "there are no settings called 'drems'"),
        (("photos", "--grid", "size"), "--grid size: write it as key=value,value"),
        (("photos", "-s", "look.toml", "--grid", "optimizer.stp=1,2"), "there is no setting 'optimizer.stp'"),
        (("photos", "--grid", "size=big"), "size"),
        (("photos", "--seeds", "a-b"), "--seeds a-b: write them as 0-3 or 1,5,7"),
        (("-s", "look.toml"), "look: starts from a photograph; name some photographs"),
        ((), "name photographs, folders or a jobs file"),
        (("photos", "--grid", "size=40,50", "--size", "60"), "size: has several values to try, and another value, too"),
        (("photos", "--grid", "seed=1,2", "--seeds", "3"), "seed: has several values to try, and another value, too"),
        (("jobs.toml",), "jobs.toml: there is no such jobs file"),
        (("look.toml",), "look.toml: is a settings file; use: dreamscripts batch PHOTO... -s look.toml"),
        (("jobs.toml", "photos"), "a jobs file says what is made"),
        (("photos", "-s", "look.toml", "--set", "weights='w.h5'", "-o", "look.toml"), "look.toml"),
        (("photos", "--network", "vgg61"), "vgg61"),
        (("look.txt",), "look.txt"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(command_here, asleep, arguments, words):
    before = sorted(command_here.folder.iterdir())
    assert words in mistake(command_here("batch", *arguments))
    assert sorted(command_here.folder.iterdir()) == before


def test_only_photographs_that_cannot_be_opened_are_a_mistake(command_here, asleep):
    (command_here.folder / "notes.jpg").write_text("no picture")
    assert "notes.jpg: is not a picture" in mistake(command_here("batch", "notes.jpg"))


def test_settings_that_open_a_file_need_a_word(command_here, asleep):
    (command_here.folder / "look.toml").write_text(f'measure = "guide"\n{LOOK}[guide]\npicture = "photos/cat.png"\n')
    assert "--allow-files" in mistake(command_here("batch", "photos", "-s", "look.toml"))


@pytest.mark.slow
def test_a_dry_run_says_what_a_batch_takes_and_keeps_nothing(command):
    done = command("batch", "photos", "-s", "look.toml", "--seeds", "0-5", "--dry-run", check=0)
    lines = done.stdout.splitlines()
    assert lines[0] == "cat-look-seed=0  (64×48)"
    assert lines[10] == "and 2 more"
    assert lines[-1].startswith("12 dreams: about ")
    assert not (command.folder / "batch").exists()


class Batch:
    """A batch in a process that can be killed."""

    def __init__(self, folder, *options, env=None):
        self.folder = folder
        self.options = options
        self.env = os.environ | (env or {})

    def start(self):
        command = [sys.executable, "-m", "dreamscripts", "batch", "photos", "-s", "look.toml", *self.options]
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @property
    def iterations(self):
        """The number of snapshots of all dreams."""
        return len(list(self.folder.glob("batch/*/iteration*.png")))

    def wait_for(self, iterations):
        while self.process.poll() is None and self.iterations < iterations:
            time.sleep(0.01)

    def workers(self):
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def end(self):
        output, _ = self.process.communicate(timeout=300)
        return self.process.returncode, output


@pytest.mark.slow
def test_results_can_go_to_a_store_and_a_batch_that_was_killed_goes_on(command_here, single, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("moto")
    with s3_server() as env, pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        files = fsspec.filesystem("s3")
        batch = Batch(command_here.folder, "--seeds", "0-1", "-o", f"s3://{BUCKET}/dreams")
        batch.start()
        while batch.process.poll() is None and not files.glob(f"{BUCKET}/dreams/*/run.json"):
            time.sleep(0.05)
            files.invalidate_cache()
        batch.process.kill()
        batch.end()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        batch = Batch(command_here.folder, "--seeds", "0-1", "-o", f"s3://{BUCKET}/dreams")
        batch.start()
        code, output = batch.end()
        assert code == 0, output
        assert f"s3://{BUCKET}/dreams/index.html" in output
        here = command_here.folder / "fetched"
        files.invalidate_cache()
        files.get(f"{BUCKET}/dreams/", str(here), recursive=True)
    for photo in ("cat", "dog"):
        for seed in (0, 1):
            assert results(here / f"{photo}-look-seed={seed}") == single(photo, seed)
    assert len(list((here / "thumbnails").glob("*.jpg"))) == 4
    for name in ("index.html", "batch.js", "results.csv", "contact-sheet.png", "batch.json", "results.jsonl"):
        assert (here / name).stat().st_size > 100


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("victim", ["worker", "driver", "ctrl-c"])
def test_whoever_dies_every_dream_is_made_once_and_has_the_same_bytes(command_here, single, victim):
    chance = random.Random(victim)
    batch = Batch(command_here.folder, "--seeds", "0-3")
    batch.start()
    number = 0
    for _ in range(KILLS):
        number = max(number, batch.iterations) + chance.randint(2, 12)
        if number > 68:  # of 72
            break
        batch.wait_for(number)
        time.sleep(chance.random() * 0.2)
        if batch.process.poll() is not None:
            break
        if victim == "worker":
            if workers := batch.workers():
                chance.choice(workers).kill()
        else:
            batch.process.send_signal(signal.SIGKILL if victim == "driver" else signal.SIGINT)
            code, output = batch.end()
            assert victim == "driver" or (code, "Run the same command again" in output) == (130, True), output
            batch.start()
    code, output = batch.end()
    assert code == 0, output
    for photo in ("cat", "dog"):
        for seed in range(4):
            assert results(command_here.folder / "batch" / f"{photo}-look-seed={seed}") == single(photo, seed)
    lines = [json.loads(line) for line in (command_here.folder / "batch/results.jsonl").read_text().splitlines()]
    assert sorted(line["state"] for line in lines) == ["done"] * 8
    assert {line["passes"] for line in lines} == {57}  # none was made again


def test_a_warning_about_many_dreams_is_said_once(command_here, asleep, monkeypatch):
    monkeypatch.setattr("dreamscripts.batch.making.make", lambda *arguments: None)
    options = ("--seeds", "0-9", "--set", "octaves.scale=2")
    done = command_here("batch", "photos", "-s", "look.toml", *options, check=0)
    assert done.stdout.count("octaves.scale has no effect") == 1
