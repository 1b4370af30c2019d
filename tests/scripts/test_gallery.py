"""`dreamscripts gallery`, as a person calls it."""

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.dreams import channels
from dreamscripts.images.files import open_picture
from dreamscripts.scripts.progress import GalleryWatch
from dreamscripts.settings.schema import Settings

LAYER = "block1_conv1"  # of 16 channels
TINY = ("--size", 20, "--set", "octaves.count=2", "--set", "optimizer.passes=1")


def pictures(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.png"))


def test_a_gallery_is_made_may_grow_and_is_left_alone_when_there_is_nothing_to_do(command, command_here):
    done = command("gallery", "pocket", LAYER, *TINY, check=0)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "You can open pocket-gallery/index.html now; 16 pictures will be added",
        "block1_conv1  16/16",
        "pocket-gallery/index.html  (1 layer)",
    ]
    folder = command.folder / "pocket-gallery"
    assert pictures(folder) == [f"{LAYER}/{channel:04d}.png" for channel in range(16)]
    assert open_picture(folder / LAYER / "0015.png").shape == (20, 20, 3)
    assert Settings.load(folder / LAYER / "0015.png").features[f"{LAYER}_pre_relu"].channels == {15: 1}

    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    done = command_here("gallery", "pocket", "block1_*", *TINY, check=0)
    assert done.stdout.splitlines() == [
        "You can open pocket-gallery/index.html now; 32 pictures will be added",
        "block1_conv2  16/32",
        "block1_pool  32/32",
        "pocket-gallery/index.html  (3 layers)",
    ]
    assert len(pictures(folder)) == 48
    assert {path: path.stat().st_mtime_ns for path in written} == written
    done = command_here("gallery", "pocket", "block1_*", *TINY, check=0)
    assert done.stdout.splitlines() == ["pocket-gallery/index.html  (3 layers)"]


def test_stopped_it_says_so_and_the_same_command_goes_on(command_here, monkeypatch):
    monkeypatch.setattr(channels, "PIXELS", 5 * 20 * 20)
    on_pictures = GalleryWatch.on_pictures

    def stop(*arguments):
        on_pictures(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(GalleryWatch, "on_pictures", stop)
        done = command_here("gallery", "pocket", LAYER, *TINY, "-o", "mine", check=130)
    assert done.stderr == "dreamscripts: stopped; run the same command again to continue\n"
    folder = command_here.folder / "mine"
    assert len(pictures(folder)) == 4  # four batches of four
    assert (folder / f"{LAYER}.png").exists()

    done = command_here("gallery", "pocket", LAYER, *TINY, "-o", "mine", "--resume", check=0)
    assert done.stdout.splitlines()[:2] == [
        "You can open mine/index.html now; 12 pictures will be added",
        "block1_conv1  4/12",
    ]
    assert len(pictures(folder)) == 16
    assert json.loads((folder / "gallery.json").read_text())["layers"][LAYER]["done"] == [*range(16)]


@pytest.mark.slow
def test_ctrl_c_is_answered_with_a_word(command):
    arguments = ["gallery", "pocket", "block1_conv2", "block[2-5]_*", *TINY, "-o", "mine"]
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", *map(str, arguments)],
        cwd=command.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    record = command.folder / "mine" / "gallery.json"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if record.exists() and json.loads(record.read_text())["layers"]["block1_conv2"]["done"]:
            break
        time.sleep(0.02)
    while process.poll() is None:  # Python drops an interrupt that falls into a destructor; a person presses again
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.endswith("dreamscripts: stopped; run the same command again to continue\n")
    assert "Traceback" not in err or "Exception ignored" in err
    assert "index.html" in {path.name for path in (command.folder / "mine").iterdir()}
    assert 16 <= len(pictures(command.folder / "mine")) < 500  # of more than a thousand


def test_another_network_other_settings_or_another_size_are_refused_in_the_same_folder(command_here):
    command_here("gallery", "pocket", LAYER, *TINY, "-o", "mine", check=0)
    folder = command_here.folder / "mine"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for arguments, says in [
        (("squeezenet", "fire2", *TINY), "mine: is a gallery of pocket, not of squeezenet; choose another --output"),
        (("pocket", LAYER, *TINY, "--weights", "random"), "mine: is a gallery of pocket with its own weights, not the"),
        (
            ("pocket", LAYER, *TINY, "--seed", 4),
            "mine: its pictures were made with seed = 0, not 4; use the same settings",
        ),
        (("pocket", LAYER, *TINY, "--set", "optimizer.step=2"), "made with optimizer.step = 1.0, not 2.0"),
        (("pocket", "block2_conv1", *TINY, "--size", 24), "made with size = 20, not 24"),
        (("pocket", LAYER, "-s", "fourier", "--size", 20), "mine: its pictures were made with "),
    ]:
        assert says in mistake(command_here("gallery", *arguments, "-o", "mine"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "NETWORK"),
        (["pocket", "--settings", "galery"], "did you mean 'gallery'"),
        (["pocket", "--size", 0], "size = 0: should be at least 1"),
        (["pocket", "--set", "octave.count=2"], "there is no setting 'octave"),
        (["pocket", "--resume"], "pocket-gallery: contains no gallery to resume"),
        (["pocket", "--settings", "dreamy"], "dreamy: a gallery needs measure = "),
        (["pocket", "--set", "penalties.total_variation=1"], 'needs measure = "mean" and no [penalties]'),
    ],
)
def test_mistakes_found_before_keras_wakes(arguments, says, command_here, asleep):
    assert says in mistake(command_here("gallery", *arguments))
    assert not any(command_here.folder.iterdir())


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    assert "size = 0" in mistake(command("gallery", "pocket", "--size", 0, env=NO_KERAS))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pockett", LAYER], "there is no network called 'pockett' (did you mean 'pocket'?)"),
        (["pocket", "block1_con1"], "pocket has no layer 'block1_con1' (did you mean 'block1_conv1'?)"),
        (["pocket", LAYER, "fire*"], "pocket has no layer 'fire*'; `dreamscripts layers pocket` lists them"),
        (["pocket", LAYER, "--weights", "nowhere.h5"], "nowhere.h5: there is no such weights file"),
        (["pocket", "block4_conv1", "--size", 7], "both sides must be at least 8 pixels; give a larger --size"),
        (["pocket", LAYER, "--output", "mine.txt"], "mine.txt: is a file; choose another --output"),
        (["pocket", LAYER, "--output", "full"], "full: is not empty; choose another --output"),
        (["pocket", LAYER, "--output", "mine.txt/gallery"], "mine.txt/gallery: cannot be written: Not a directory"),
    ],
)
def test_mistakes_that_only_the_network_and_the_folder_can_tell(arguments, says, command_here):
    (command_here.folder / "mine.txt").touch()
    (command_here.folder / "full").mkdir()
    (command_here.folder / "full" / "notes.txt").touch()
    assert says in mistake(command_here("gallery", *arguments))
    left = {str(path.relative_to(command_here.folder)) for path in command_here.folder.rglob("*")}
    assert left == {"mine.txt", "full", "full/notes.txt"}
