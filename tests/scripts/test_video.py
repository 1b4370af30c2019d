"""`dreamscripts video`, as a person calls it."""

import numpy as np
import pytest
from conftest import mistake
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from small_films import decode, pictures, write_film

from dreamscripts.runs import film as films
from dreamscripts.settings.film_tables import Video
from dreamscripts.settings.schema import Settings

FAST = ("--settings", "fast.toml", "--network", "pocket")
FAST_TOML = """
network = "vgg16"
[features]
block2_conv1 = 0.005
[optimizer]
name = "gradient_ascent"
iterations = 1
passes = 2
"""


@pytest.fixture
def film(command_here):
    (command_here.folder / "fast.toml").write_text(FAST_TOML)
    return write_film(command_here.folder / "film.mp4", pictures(12), rate=10, sound=True)


def test_a_film_becomes_a_dream_and_its_settings_repeat_it(command_here, film):
    words = ("--strength", 1.5, "--persistence", 0.9, "--flicker", 3, "--every", 2, "--from", 0.3, "--to", 0.9)
    done = command_here("video", film, *FAST, *words, check=0)
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "film.mp4 → film-fast.mp4  (pocket, fast.toml, 64×48, 6 frames)"
    dream = command_here.folder / "film-fast.mp4"
    assert len(decode(dream)) == 6
    video = Settings.load(dream).video
    assert video == Video(strength=1.5, persistence=0.9, flicker=3.0, every=2, start=0.3, end=0.9)

    command_here("video", film, "--from", dream, "-o", "again.mp4", "--quiet", check=0)
    assert (command_here.folder / "again.mp4").read_bytes() == dream.read_bytes()
    command_here("video", film, "--from", dream, "--from", 0.8, "-o", "short.mp4", "--quiet", check=0)
    assert len(decode(command_here.folder / "short.mp4")) == 1


def test_a_preview_is_a_sheet_and_a_second_and_the_rest_follows(command_here, film):
    done = command_here("video", film, *FAST, "--preview", check=0)
    assert done.stdout.splitlines()[-1] == (
        "To make the whole film: dreamscripts video --resume --output film-fast.mp4"
    )
    with Image.open(command_here.folder / "film-fast-preview.png") as sheet:
        assert sheet.height > 5 * 48
        assert sheet.width > 4 * 64
        assert len(sheet.getcolors(1 << 20)) > 1000
    assert len(decode(command_here.folder / "film-fast.mp4")) == 10
    done = command_here("video", "--resume", "-o", "film-fast.mp4", check=0)
    assert f"film-fast.mp4 opens the film {film}" in done.stdout
    assert len(decode(command_here.folder / "film-fast.mp4")) == 12
    command_here("video", film, *FAST, "-o", "whole.mp4", check=0)
    assert (command_here.folder / "whole.mp4").read_bytes() == (command_here.folder / "film-fast.mp4").read_bytes()


def test_a_preview_of_a_short_film_is_the_whole_film(command_here, film):
    done = command_here("video", film, *FAST, "--to", 0.5, "--preview", check=0)
    assert "--resume" not in done.stdout
    assert not list(command_here.folder.glob("*.parts"))


def test_a_preview_that_is_stopped_leaves_nothing(command_here, film, monkeypatch):
    def stopped(*arguments, **named):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(films, "samples", stopped)
    assert command_here("video", film, *FAST, "--preview").returncode == 130
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml", "film.mp4"}


def test_notes_on_the_film_are_said(command_here, film):
    odd = write_film(command_here.folder / "odd.mkv", pictures(2, 49, 65), codec="ffv1", pix_fmt="bgr0")
    done = command_here("video", odd, *FAST, "-o", "odd.mp4", check=0)
    assert any(line.startswith("odd.mkv: ") for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "a film is missing; use: dreamscripts video FILM"),
        (("none.mp4",), "none.mp4: there is no such film"),
        (("picture.png",), "picture.png: is a picture, not a film; use: dreamscripts dream picture.png"),
        (("list.m3u8",), "is a text, not a film"),
        (("film.mp4", "--from", "5"), "nothing is left from 5 s on"),
        (("film.mp4", "--from", "0.5", "--to", "0.2"), "the end (0.2 seconds) must come after the start (0.5 seconds)"),
        (("film.mp4", "--from", "0.5", "--from", "0.2"), "give --from once with seconds, and once with a film"),
        (("film.mp4", "--from", "fast.mp4"), "fast.mp4: there is no such film"),
        (("film.mp4", "--every", "0"), "video.every = 0: should be at least 1"),
        (("film.mp4", "--persistence", "1"), "video.persistence = 1.0: should be below 1"),
        (("film.mp4", "-o", "film.mp4"), "film.mp4: is the film that is dreamt of; choose another --output"),
        (("film.mp4", "-o", "old.mp4"), "old.mp4: already exists; choose another --output"),
        (("film.mp4", "--resume"), "there is no interrupted video of it in this folder; use --output FILM"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, film, asleep):
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(command_here.folder / "picture.png")
    (command_here.folder / "list.m3u8").write_text("#EXTM3U\nfilm.mp4\n")
    (command_here.folder / "old.mp4").write_bytes(b"mine")
    before = {path.name for path in command_here.folder.iterdir()}
    more = () if "--resume" in arguments or "fast.mp4" in arguments else FAST
    assert says in mistake(command_here("video", *arguments, *more))
    assert {path.name for path in command_here.folder.iterdir()} == before
    assert (command_here.folder / "old.mp4").read_bytes() == b"mine"
