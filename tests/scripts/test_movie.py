"""`dreamscripts movie`, as a person calls it."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import NO_KERAS, mistake
from PIL import Image

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.dreams.movie import even
from dreamscripts.images.files import open_picture, save_picture
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.scripts import frame_progress
from dreamscripts.settings.schema import Settings

LAYER = "block1_conv1"


def iterate(number, picture) -> Iterate:
    return Iterate(0, number, -1.0 - number, {"a": -1.0 - number}, number + 1, 0.1, picture, "none", 0, False, {})


@pytest.fixture
def make_run(command_here, picture, settings):
    """Return a function that makes a run in the working directory: a picture that becomes brighter."""

    def make(name="cat-dreamy", count=5, side=48):
        run = RunFolder.create(command_here.folder / name, settings, picture)
        for number in range(count):
            size = side if number else side // 2  # the first octave
            x = np.full((size, size + 7, 3), 50 * number, np.float32)
            x[:2] = 255 - 50 * number
            run.save(iterate(number, x))
        run.save_final("complete")
        run.close("complete")
        run.release()
        return name

    return make


def opened(path) -> tuple[list[np.ndarray], dict[str, str]]:
    """Return the frames of a film and its metadata."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)], dict(film.metadata)


def test_the_snapshots_of_a_run_become_a_film_with_its_settings(command, make_run):
    name = make_run()
    done = command("movie", name, env=NO_KERAS, check=0)
    assert done.stderr == ""
    assert done.stdout == "cat-dreamy.mp4  (5 snapshots, 9.0 s, 30 frames per second)\n"
    frames, metadata = opened(command.folder / "cat-dreamy.mp4")
    assert len(frames) == 270
    assert frames[0].shape == (48, 56, 3)
    means = [frame[8:40, 8:40].mean() for frame in frames]
    assert means[0] == pytest.approx(0, abs=2)
    assert means[-1] == pytest.approx(200, abs=2)
    assert np.abs(np.diff(means)).max() < 3
    assert means[-60:] == pytest.approx([200] * 60, abs=2)
    last = even(open_picture(command.folder / name / "final.png").astype(np.uint8))
    assert np.abs(frames[-1].astype(int) - last).mean() < 4
    kept = Settings.load(command.folder / name / "settings.toml")
    (command.folder / "kept.toml").write_text(metadata["comment"])
    assert Settings.load(command.folder / "kept.toml") == kept


def test_the_next_film_gets_a_number_and_a_given_name_is_not_overwritten(command_here, make_run):
    pytest.importorskip("av")
    name = make_run()
    brief = ("--seconds", 0.5, "--fps", 10)
    assert command_here("movie", name, *brief, check=0).stdout.startswith("cat-dreamy.mp4  (")
    before = (command_here.folder / "cat-dreamy.mp4").read_bytes()
    assert command_here("movie", f"./{name}/", *brief, check=0).stdout.startswith("cat-dreamy-2.mp4  (")
    assert "cat-dreamy.mp4: already exists; use another --output" in mistake(
        command_here("movie", name, "-o", "cat-dreamy.mp4")
    )
    assert (command_here.folder / "cat-dreamy.mp4").read_bytes() == before


def test_length_hold_rate_and_size_are_those_that_were_asked_for(command_here, make_run):
    options = ("--seconds", 3, "--hold", 1, "--fps", 24, "--size", 100)
    done = command_here("movie", make_run(), *options, "-o", "a.mov", check=0)
    assert done.stdout == "a.mov  (5 snapshots, 3.0 s, 24 frames per second)\n"
    frames, _ = opened(command_here.folder / "a.mov")
    assert len(frames) == 72
    assert frames[0].shape == (88, 100, 3)
    means = [frame[20:70, 20:70].mean() for frame in frames]
    assert sum(mean > 198.5 for mean in means) in (24, 25, 26)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_is_made_without_other_libraries(ending, command_here, make_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    done = command_here("movie", make_run(), "--seconds", 2, "-o", f"a.{ending}", "--quiet", check=0)
    assert done.stdout == done.stderr == ""
    with Image.open(command_here.folder / f"a.{ending}") as animation:
        assert animation.size == (56, 48)
        total = 0
        for number in range(animation.n_frames):
            animation.seek(number)
            animation.load()
            total += animation.info["duration"]
    assert total == pytest.approx(2000, abs=20)
    says = mistake(command_here("movie", "cat-dreamy"))
    assert 'pip install "dreamscripts[video]"' in says


def test_the_photograph_is_beside_the_dream(command_here, make_run):
    photo = command_here.folder / "cat.png"
    save_picture(np.full((96, 110, 3), 90, np.float32), photo)
    done = command_here("movie", make_run(), "--seconds", 1, "--compare", photo.name, "-o", "a.mp4", check=0)
    assert len(done.stdout.splitlines()) == 1
    frames, _ = opened(command_here.folder / "a.mp4")
    assert frames[0].shape == (48, 112, 3)
    assert frames[-1][:, 2:50].mean() == pytest.approx(90, abs=3)
    assert frames[-1][10:, 60:105].mean() == pytest.approx(200, abs=3)
    save_picture(np.full((96, 50, 3), 90, np.float32), photo)
    done = command_here("movie", "cat-dreamy", "--seconds", 1, "--compare", photo.name, check=0)
    assert done.stdout.splitlines()[0] == (
        "cat.png: has another shape than the dream; is it the photograph of this run?"
    )


def test_a_damaged_snapshot_is_said_and_left_out(command_here, make_run):
    name = make_run()
    path = command_here.folder / name / "iteration_002.png"
    path.write_bytes(path.read_bytes()[:-20])
    done = command_here("movie", name, "-o", "a.gif", "--seconds", 1, check=0)
    assert done.stdout.splitlines() == [
        "cat-dreamy/iteration_002.png: is damaged: it is not a whole PNG file; it is left out",
        "a.gif  (4 snapshots, 1.0 s, 15 frames per second)",
    ]


def test_large_pictures_are_made_smaller_and_this_is_said(command_here, make_run):
    done = command_here("movie", make_run(side=600), "-o", "a.gif", "--seconds", 1, "--fps", 4, check=0)
    assert done.stdout.splitlines()[0] == "cat-dreamy: the film is made with 480 pixels; --size 607 makes it as large"
    with Image.open(command_here.folder / "a.gif") as animation:
        assert animation.size == (480, 474)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["PHOTO"], "is a file, and a movie is made from the folder of a run; make one with: dreamscripts dream "),
        (["nowhere"], "nowhere: there is no such folder"),
        (["empty"], "empty: is not the folder of a run, a gallery or a comparison"),
        (["one"], "one: has only one snapshot (iteration_000.png), and a movie needs two"),
        (["none"], "none: contains no snapshots of the run"),
        (["run", "-o", "a.avi"], "a.avi: is not the name of a film; use a name that ends in .mp4, "),
        (["run", "-o", "nowhere/a.mp4"], "the folder 'nowhere' does not exist"),
        (["run", "--seconds", "1", "--hold", "1"], "too short to hold its first picture"),
        (["run", "--channel", "a:1"], "is the folder of a run; --channel is for the folder of a gallery"),
        (["run", "--best"], "is the folder of a run; --best is for the folder of a comparison"),
        (["run", "--compare", "nowhere.jpg"], "nowhere.jpg: there is no such picture"),
        (["run", "--fps", "0"], "--fps"),
        (["gallery"], "gallery: is a gallery; choose one of its channels"),
        (["gallery", "--channel", "a:1"], "gallery.json: is damaged"),
        (["comparison", "--compare", "PHOTO"], "--compare is for the folder of a run"),
        (["comparison"], "comparison: this comparison has no snapshots, because an older version made it"),
        (["unfinished"], "unfinished: no trial of this comparison is finished yet"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(arguments, says, command_here, make_run, photo, asleep):
    make_run("run")
    make_run("one", count=1)
    (command_here.folder / "one" / "final.png").unlink()
    for path in (command_here.folder / make_run("none")).glob("*.png"):
        path.unlink()
    for folder, record in {"gallery": "gallery", "comparison": "compare", "unfinished": "unfinished"}.items():
        (command_here.folder / folder).mkdir()
        (command_here.folder / folder / f"{record}.json").write_text("{}")
    (command_here.folder / "empty").mkdir()
    before = {path.name for path in command_here.folder.iterdir()}
    arguments = [photo if argument == "PHOTO" else argument for argument in arguments]
    assert says in mistake(command_here("movie", *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == before


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_stopped_it_leaves_no_film(ending, command_here, make_run, monkeypatch):
    name = make_run()
    counted = frame_progress.FrameWatch.counted

    def stopped(self, frames):
        for number, frame in enumerate(counted(self, frames)):
            if number == 20:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(frame_progress.FrameWatch, "counted", stopped)
    done = command_here("movie", name, "-o", f"a.{ending}", check=130)
    assert done.stderr == "dreamscripts: stopped; no film was written\n"
    assert [path.name for path in command_here.folder.iterdir()] == [name]


def test_ctrl_c_stops_it(command, make_run):
    pytest.importorskip("av")
    name = make_run(side=600)
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", "movie", name, "--seconds", "600"],
        cwd=command.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and len(list(command.folder.iterdir())) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "dreamscripts: stopped; no film was written\n")
    assert [path.name for path in command.folder.iterdir()] == [name]


def test_a_channel_of_a_gallery_grows_into_its_picture(command_here):
    pytest.importorskip("av")
    tiny = ("--size", 20, "--set", "octaves.count=2", "--set", "optimizer.passes=2")
    command_here("gallery", "pocket", LAYER, *tiny, check=0)
    done = command_here("movie", "pocket-gallery", "--channel", f"{LAYER}:3", "--seconds", 1, check=0)
    assert done.stdout == f"pocket-gallery.mp4  (5 pictures of {LAYER}:3, 1.0 s, 30 frames per second)\n"
    frames, metadata = opened(command_here.folder / "pocket-gallery.mp4")
    assert frames[0].shape == (20, 20, 3)
    picture = open_picture(command_here.folder / "pocket-gallery" / LAYER / "0003.png")
    assert np.abs(frames[-1] - picture).mean() < 8
    assert np.abs(frames[0] - picture).mean() > 20
    assert f"{LAYER}_pre_relu" in metadata["comment"]


def test_the_trials_of_a_comparison_are_side_by_side(command_here, photo):
    pytest.importorskip("av")
    (command_here.folder / "fast.toml").write_text(
        "[features]\nblock2_conv1 = 0.005\n[penalties]\ndream_l2 = 0.02\n[optimizer]\npasses = 3\n"
    )
    command_here("compare", photo, "--settings", "fast.toml", "--size", 48, "--passes", 6, check=0)
    done = command_here("movie", "photo-compare", "--seconds", 1, "--best", check=0)
    assert done.stdout == "photo-compare.mp4  (2 trials, 1.0 s, 30 frames per second)\n"
    frames, _ = opened(command_here.folder / "photo-compare.mp4")
    assert frames[0].shape[1] == 2 * 48 + 2
    best = open_picture(command_here.folder / "photo-compare" / "lbfgs.png")
    assert np.abs(frames[-1][:36, :48] - best).mean() < 12
    done = command_here("movie", "photo-compare", "--seconds", 1, "-o", "all.mp4", check=0)
    assert "all.mp4  (2 trials" not in done.stdout
