"""`dreamscripts zoom`, as a person calls it."""

import signal
import subprocess
import sys
import time

import pytest
from conftest import mistake
from PIL import Image

from dreamscripts.runs.film_folder import FilmFolder
from dreamscripts.runs.find_film import parts_of
from dreamscripts.settings.schema import Settings

FAST = ("--settings", "fast.toml", "--network", "pocket", "--size", 64, "--fps", 10)
FAST_TOML = """
network = "vgg16"
[features]
block2_conv1 = 0.005
[optimizer]
name = "gradient_ascent"
iterations = 1
passes = 2
"""
JOURNEY = """
[[keyframe]]
at = 0
features = {block1_conv1 = 1}
[[keyframe]]
at = 0.3
settings = "bad_trip"
turn = 10
"""


@pytest.fixture(autouse=True)
def files(command_here):
    (command_here.folder / "fast.toml").write_text(FAST_TOML)
    (command_here.folder / "journey.toml").write_text(JOURNEY)


def frames(path) -> int:
    with Image.open(path) as film:
        return film.n_frames


def test_a_photograph_becomes_a_film_and_its_settings_repeat_it(command_here, photo):
    options = ("--seconds", 0.5, "--zoom", 1.5, "--turn", 4, "--point", "0.2,0.7", "--strength", 2, "--seed", 3)
    done = command_here("zoom", photo, *FAST, *options, "-o", "a.gif", check=0)
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "photo.jpg → a.gif  (pocket, fast.toml, 64×48, 5 frames)"
    assert done.stdout.splitlines()[-1].startswith("a.gif  (5 frames, 0.5 s; it took ")
    film = command_here.folder / "a.gif"
    assert frames(film) == 5
    zoom = Settings.load(film).zoom
    assert (zoom.seconds, zoom.fps, zoom.factor, zoom.turn, zoom.x, zoom.y) == (0.5, 10, 1.5, 4, 0.2, 0.7)
    assert (zoom.strength, zoom.loop, zoom.keyframes) == (2, False, None)

    done = command_here("zoom", photo, "--from", film, "-o", "b.gif", "--quiet", check=0)
    assert done.stdout == done.stderr == ""
    assert (command_here.folder / "b.gif").read_bytes() == film.read_bytes()


def test_the_name_of_a_film_is_numbered_if_it_exists(command_here, photo):
    pytest.importorskip("av")
    for name in ("photo-fast-zoom.mp4", "photo-fast-zoom-2.mp4"):
        command_here("zoom", photo, *FAST, "--seconds", 0.1, check=0)
        assert (command_here.folder / name).exists()


def test_a_journey_mixes_settings(command_here):
    small = mistake(command_here("zoom", *FAST, "--seconds", 0.4, "--journey", "journey.toml", "-o", "j.gif"))
    assert "a picture of 64×36 is too small for pocket" in small  # at the end of the journey, but it is said at once
    assert not list(command_here.folder.glob("j.gif*"))
    options = ("--size", 80, "--seconds", 0.4, "--journey", "journey.toml", "-o", "j.gif")
    command_here("zoom", *FAST[:4], "--fps", 10, *options, check=0)
    keyframes = Settings.load(command_here.folder / "j.gif").zoom.keyframes
    assert [list(keyframe.features) for keyframe in keyframes] == [
        ["block1_conv1"],
        ["block4_conv1", "block4_conv2", "block4_conv3"],
    ]
    assert keyframes[1].penalties.continuity == 0.01
    assert keyframes[1].turn == 10


def test_the_shipped_journey_can_be_taken(command_here, photo, asleep):
    with pytest.raises(AssertionError, match="started Keras"):
        command_here("zoom", photo, "--journey", "descent", "--size", 200)


def test_a_gif_needs_neither_pyav_nor_opencv(command_here, photo, monkeypatch):
    program = "import sys; sys.modules['av'] = sys.modules['cv2'] = None; from dreamscripts.scripts import main; main()"
    arguments = ["zoom", *map(str, (photo, *FAST, "--seconds", 0.2)), "-o"]
    subprocess.run([sys.executable, "-c", program, *arguments, "a.gif"], cwd=command_here.folder, check=True)
    assert frames(command_here.folder / "a.gif") == 2
    monkeypatch.setitem(sys.modules, "av", None)
    assert 'pip install "dreamscripts[video]"' in mistake(command_here(*arguments, "a.mp4"))


def test_resumed_with_other_settings_it_is_refused(command_here, photo):
    command_here("zoom", photo, *FAST, "--seconds", 0.2, "-o", "a.gif", check=0)
    assert "there is nothing to resume (it is complete)" in mistake(command_here("zoom", "--resume", "-o", "a.gif"))
    film = command_here.folder / "b.gif"
    from dreamscripts.runs.film import new_zoom

    folder = new_zoom(photo, Settings.load(command_here.folder / "a.gif"), film)
    folder.release()
    refused = mistake(command_here("zoom", photo, "--resume", "-o", film, "--turn", 3))
    assert "this film was begun with zoom.turn = 0.0; remove the option, or begin a new film" in refused
    assert "was begun with" in mistake(command_here("zoom", "other.jpg", "--resume", "-o", film))
    assert "go on with it by `dreamscripts zoom`" in mistake(command_here("video", "--resume", "-o", film))
    other = mistake(command_here("zoom", photo, "-s", "bad_trip", "-n", "pocket", "--resume", "-o", film))
    assert "this film was begun with other settings; remove --settings and --from" in other
    # The same command finds the film by its photograph.
    command_here("zoom", photo, *FAST, "--seconds", 0.2, "--resume", check=0)
    assert film.read_bytes() == (command_here.folder / "a.gif").read_bytes()


def test_if_the_network_cannot_be_used_nothing_is_left(command_here, photo):
    done = command_here("zoom", photo, "-s", "keras_dreamy", *FAST[2:], "-o", "z.gif")
    assert "too small for pocket" in mistake(done)
    assert not list(command_here.folder.glob("z.gif*"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--seconds", "0"), "zoom.seconds = 0.0: should be above 0"),
        (("--fps", "nan"), "zoom.fps"),
        (("--zoom", "20"), "zoom.factor = 20.0"),
        (("--point", "1"), "--point 1: write two numbers from 0 to 1, such as 0.5,0.4"),
        (("--point", "0.5,2"), "zoom.y = 2.0: should be at most 1"),
        (("--loop", "--seconds", "1"), "a loop must enlarge 3 times in all, and this film enlarges 1.2 times"),
        (("--loop", "--zoom", "0.9"), "loop = true needs an enlargement"),
        (("--journey", "decent"), "there is no journey called 'decent' (did you mean 'descent'?)"),
        (("--journey", "none.toml"), "none.toml: there is no such journey"),
        (("--journey", "fast.toml"), "fast.toml: "),
        (("-o", "film"), "film: is not the name of a film; use a name that ends in .mp4"),
        (("-o", "fast.toml"), "is not the name of a film"),
        (("--from", "photo.png"), "there is no such"),
        (("--resume",), "there is no interrupted zoom of it in this folder"),
    ],
)
def test_mistakes_found_before_keras_starts(options, says, command_here, photo, asleep):
    base = () if "--resume" in options or "--from" in options else FAST[:6]
    output = () if "-o" in options or "--resume" in options else ("-o", "z.gif")
    assert says in mistake(command_here("zoom", photo, *base, *output, *options))
    assert {path.name for path in command_here.folder.iterdir()} == {"fast.toml", "journey.toml"}


@pytest.mark.slow
def test_ctrl_c_leaves_a_film_that_can_be_resumed(command, photo):
    pytest.importorskip("av")
    (command.folder / "fast.toml").write_text(FAST_TOML)
    options = list(map(str, (*FAST, "--seconds", 30)))
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", "zoom", str(photo), *options, "-o", "z.mp4"],
        cwd=command.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    film = command.folder / "z.mp4"
    deadline = time.monotonic() + 120
    while not (parts_of(film) / "frame_000003.npy").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "Continue with: dreamscripts zoom --resume --output z.mp4" in errors
    folder = FilmFolder.reopen(film)
    assert f"stopped after frame {folder.frames} of 300; z.mp4 shows it so far" in errors
    import av

    with av.open(str(film)) as shown:
        assert sum(1 for _ in shown.decode(video=0)) == folder.frames
