"""`dreamscripts visualize`, as a person calls it."""

import numpy as np
import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.images.files import open_picture
from dreamscripts.scripts.visualize import SETTINGS, Method
from dreamscripts.settings.loading import named
from dreamscripts.settings.schema import Settings

pytestmark = pytest.mark.usefixtures("compiled_once")

LAYER = ("pocket", "block4_conv3")
TINY = ("--size", 32, "--set", "optimizer.iterations=2", "--set", "optimizer.passes=2")


def test_from_noise_to_a_picture_whose_settings_repeat_it(command, command_here):
    done = command("visualize", *LAYER, "--channels", "3,5:-0.5", "--method", "naive", *TINY, check=0)
    assert done.stderr == ""
    *iterations, last = done.stdout.splitlines()
    assert [line.split()[1] for line in iterations] == ["0/2", "1/2", "2/2"]
    assert last == "pocket-block4_conv3-3-0.5x5-naive.png"
    assert {path.name for path in command.folder.iterdir()} == {last}
    settings = Settings.load(command.folder / last)
    assert settings.features["block4_conv3_pre_relu"].channels == {3: 1, 5: -0.5}

    done = command_here("dream", "--from", last, check=0)
    assert done.stdout.startswith(f"noise → from-{last.removesuffix('.png')}/")
    again = open_picture(command.folder / f"from-{last.removesuffix('.png')}" / "final.png")
    np.testing.assert_array_equal(again, open_picture(command.folder / last))


@pytest.mark.parametrize(
    ("method", "more", "side"),
    [
        ("multiscale", ("--set", "octaves.count=2", "--set", "tiles.size=40"), 44),
        ("laplacian", ("--set", "octaves.count=2"), 44),
        ("fourier", (), 32),
    ],
)
def test_the_other_methods_too_are_repeated_by_the_settings_in_their_pictures(method, more, side, command_here):
    command_here("visualize", *LAYER, "--channel", 3, "-m", method, *TINY, *more, "-o", "mine.png", check=0)
    picture = open_picture(command_here.folder / "mine.png")
    assert picture.shape == (side, side, 3)
    assert picture.std() > 3
    command_here("dream", "--from", "mine.png", "--output", "again", check=0)
    np.testing.assert_array_equal(open_picture(command_here.folder / "again" / "final.png"), picture)


def test_fourier_is_the_default_method(command_here):
    done = command_here("visualize", *LAYER, "--channel", 3, *TINY, "--quiet", check=0)
    assert done.stdout == done.stderr == ""
    assert Settings.load(command_here.folder / "pocket-block4_conv3-3.png").optimizer.parameters == "fourier"


def test_every_method_has_named_settings():
    assert SETTINGS.keys() == set(Method)
    assert set(SETTINGS.values()) <= named().keys()


def test_a_direction_gives_each_channel_a_weight(command_here):
    direction = np.zeros(128, np.float32)
    direction[[7, 90]] = 0.25, -2
    np.save(command_here.folder / "fur.npy", direction)
    done = command_here("visualize", *LAYER, "--direction", "fur.npy", "-m", "naive", *TINY, check=0)
    assert done.stdout.splitlines()[-1] == "pocket-block4_conv3-fur-naive.png"
    command_here("visualize", *LAYER, "--channels", "7:0.25,90:-2", "-m", "naive", *TINY, "-o", "same.png", check=0)
    same = (command_here.folder / "same.png").read_bytes()
    assert (command_here.folder / "pocket-block4_conv3-fur-naive.png").read_bytes() == same


def test_a_neuron_is_the_middle_of_its_channel(command_here):
    """Outside its receptive field the picture stays flat."""
    seen = ("pocket", "block2_conv1", "--channel", 3, "-m", "naive", "--size", 64, "--set", "optimizer.iterations=2")
    command_here("visualize", *seen, "--neuron", "-o", "neuron.png", check=0)
    command_here("visualize", *seen, "-o", "channel.png", check=0)
    neuron, channel = (open_picture(command_here.folder / f"{name}.png") for name in ("neuron", "channel"))
    corner, middle = (slice(0, 16), slice(0, 16)), (slice(24, 40), slice(24, 40))
    assert neuron[corner].std() < 0.2 * neuron[middle].std()
    assert channel[corner].std() > 0.5 * channel[middle].std()
    assert Settings.load(command_here.folder / "neuron.png").measure == "neuron"


def test_several_pictures_of_one_channel_are_numbered_and_unlike_each_other(command_here):
    several = ("visualize", *LAYER, "--channel", 3, "--diversity", 2, *TINY)
    done = command_here(*several, check=0)
    files = ["pocket-block4_conv3-3-1of2.png", "pocket-block4_conv3-3-2of2.png"]
    assert done.stdout.splitlines()[-2:] == files
    first, second = (open_picture(command_here.folder / file) for file in files)
    assert np.abs(first - second).mean() > 2
    assert Settings.load(command_here.folder / files[0]).penalties.diversity == 1
    assert "made together (--diversity), so it cannot be made alone" in mistake(
        command_here("dream", "--from", files[0])
    )

    done = command_here(*several, "--set", "penalties.diversity=0", check=0)
    again = ["pocket-block4_conv3-3-1of2_2.png", "pocket-block4_conv3-3-2of2_2.png"]
    assert done.stdout.splitlines()[-2:] == again
    assert Settings.load(command_here.folder / again[0]).penalties.diversity == 0
    assert np.abs(open_picture(command_here.folder / again[0]) - first).mean() > 0.5


def test_a_second_picture_stands_beside_the_first(command_here):
    once = ("visualize", *LAYER, "--channel", 3, "-m", "naive", *TINY)
    names = [command_here(*once, "--seed", seed, check=0).stdout.splitlines()[-1] for seed in range(3)]
    assert names == [f"pocket-block4_conv3-3-naive{number}.png" for number in ("", "_2", "_3")]
    pictures = {(command_here.folder / name).read_bytes() for name in names}
    assert len(pictures) == 3


def test_a_layer_may_be_called_as_it_is_called_before_its_relu(command_here):
    command_here("visualize", *LAYER, "--channel", 3, "-m", "naive", *TINY, "-o", "short.png", check=0)
    before = ("pocket", "block4_conv3_pre_relu")
    command_here("visualize", *before, "--channel", 3, "-m", "naive", *TINY, "-o", "long.png", check=0)
    assert (command_here.folder / "long.png").read_bytes() == (command_here.folder / "short.png").read_bytes()


@pytest.fixture
def lumber(tmp_path):
    """A folder with directions of all kinds, and with pictures in the way."""
    folder = tmp_path / "work"
    for name, values in {
        "long.npy": np.ones(300),
        "short.npy": np.ones(64),
        "zeros.npy": np.zeros(128),
        "matrix.npy": np.ones((2, 64)),
        "words.npy": np.array(["a", "b"]),
        "nan.npy": np.array([1, np.nan]),
        "pickled.npy": np.array([{}], dtype=object),
    }.items():
        np.save(folder / name, values)
    (folder / "text.npy").write_text("1 2 3")
    (folder / "empty.npy").touch()
    (folder / "there.png").touch()
    (folder / "pair-2of2.png").touch()
    return folder


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no channel is given; use one of these: --channel 0, --channels 65,139 or --direction FILE.npy"),
        (["--channel", 3, "--channels", "4,5"], "give only one of these: --channel 0, "),
        (["--channel", 3, "--direction", "zeros.npy"], "give only one of these"),
        (["--channel", "three"], "--channel"),
        (["--channel=-1"], "--channel: should be at least 0"),
        *(
            (["--channels", text], f"--channels {text}: use numbers such as 65,139")
            for text in ("3;5", "3,,5", "3:", "3:x")
        ),
        *(
            (["--channels", text], f"--channels {text}: use numbers such as 65,139")
            for text in ("1.5", "3:nan", "3:1:2")
        ),
        (["--channels=-3"], "--channels -3: use numbers such as"),
        (["--channels", "3:0,4:0"], "--channels 3:0,4:0: all weights are 0"),
        (["--direction", "nowhere.npy"], "nowhere.npy: there is no such file"),
        (["--direction", "zeros.npy"], "zeros.npy: all weights are 0"),
        *(
            (["--direction", f"{name}.npy"], f"{name}.npy: is not a vector of finite numbers")
            for name in ("matrix", "words", "nan")
        ),
        *((["--direction", f"{name}.npy"], f"{name}.npy: is not an array") for name in ("text", "empty", "pickled")),
        (["--direction", "."], ".: is a folder, not a file"),
        (["--channel", 3, "--output", "mine.jpg"], "mine.jpg: pictures are saved as PNG"),
        (["--channel", 3, "--output", "there.png"], "there.png: already exists; use another --output"),
        (["--channel", 3, "--output", "pair.png", "--diversity", 2], "pair-2of2.png: already exists"),
        (["--channel", 3, "--output", "no/mine.png"], "no/mine.png: the folder 'no' does not exist; create it first"),
        (["--channel", 3, "--method", "lapnorm"], "'lapnorm' is not one of 'naive', 'multiscale', 'laplacian', 'fouri"),
        (["--channel", 3, "--size", 20_000, "--diversity", 16], "GB are free: use a smaller --size"),
        (["--channel", 3, "--diversity", 0], "--diversity: should be at least 1"),
        (["--channel", 3, "--size", 0], "size = 0: should be at least 1"),
        (["--channel", 3, "--set", "optimizer.steps=3"], "did you mean 'optimizer.step'"),
        (["--channel", 3, "--set", "optimizer.laplacian=4"], "optimizer.laplacian works only with pixels"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, lumber, asleep):
    before = {path.name for path in lumber.iterdir()}
    assert says in mistake(command_here("visualize", *LAYER, *arguments))
    assert {path.name for path in lumber.iterdir()} == before


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    assert "size = 0" in mistake(command("visualize", *LAYER, "--channel", 3, "--size", 0, env=NO_KERAS))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pockett", "block4_conv3", "--channel", 3], "there is no network called 'pockett' (did you mean 'pocket'?)"),
        (["ghost.keras", "block4_conv3", "--channel", 3], "ghost.keras: there is no such model file"),
        (["pocket", "block4_conv", "--channel", 3], "pocket has no layer 'block4_conv' (did you mean 'block4_conv1'?)"),
        (
            ["pocket", "block4_*", "--channel", 3],
            "'block4_*' matches 4 layers of pocket; use one of them, for example block4_c",
        ),
        ([*LAYER, "--channel", 128], "block4_conv3_pre_relu has channels 0 to 127; channel 128 does not exist"),
        ([*LAYER, "--channels", "3,999"], "has channels 0 to 127; channel 999 does not exist"),
        ([*LAYER, "--direction", "long.npy"], "long.npy: has 300 weights, but block4_conv3 has 128 channels"),
        ([*LAYER, "--direction", "short.npy"], "short.npy: has 64 weights, but block4_conv3 has 128 channels"),
        ([*LAYER, "--channel", 3, "--weights", "nowhere.h5"], "nowhere.h5: there is no such weights file"),
        ([*LAYER, "--channel", 3, "--size", 7], "both sides must be at least 8 pixels; give a larger --size"),
    ],
)
def test_mistakes_that_only_the_network_can_tell(arguments, says, command_here, lumber):
    before = {path.name for path in lumber.iterdir()}
    assert says in mistake(command_here("visualize", *arguments))
    assert {path.name for path in lumber.iterdir()} == before
