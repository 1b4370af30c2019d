"""The commands beside `dream`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import mistake
from PIL import Image

from dreamscripts import scripts
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import fit
from dreamscripts.scripts.keras_example import AS_IN_THE_EXAMPLE
from dreamscripts.settings.loading import folder
from dreamscripts.settings.schema import Settings


def test_settings_are_listed_printed_and_copied(command, command_here):
    listed = command("settings", check=0).stdout.splitlines()
    assert len(listed) == len(list(folder().glob("*.toml")))
    assert any(line.startswith("bad_trip ") and "rings" in line for line in listed)
    shown = command_here("settings", "show", "bad_trip", check=0).stdout
    assert shown == (folder() / "bad_trip.toml").read_text()
    said = command_here("settings", "new", "mine.toml", check=0).stdout
    assert "--settings mine.toml" in said
    assert (command_here.folder / "mine.toml").read_text() == (folder() / "dreamy.toml").read_text()
    command_here("settings", "new", "rings.toml", "--from", "bad_trip", check=0)
    assert (command_here.folder / "rings.toml").read_text() == shown
    for arguments, says in [
        (["show", "dreamier"], "did you mean 'dreamy'"),
        (["new", "mine.toml"], "already exists"),
        (["new", "mine.txt"], "must end in .toml"),
        (["new", "nowhere/mine.toml"], "nowhere/mine.toml: cannot be written"),
    ]:
        done = command_here("settings", *arguments)
        assert done.returncode == 2
        assert says in done.stderr


def test_layers_of_a_network_are_listed_with_their_receptive_fields(command, command_here):
    done = command("layers", "pocket", check=0)
    assert done.stderr == ""
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["layer"] == ["kind", "channels", "stride", "receptive", "field"]
    assert rows["block4_conv2"] == ["Conv2D", "128", "8", "76", "px"]
    assert "did you mean 'squeezenet'" in command_here("layers", "squeeznet", check=2).stderr


def test_the_keras_example_keeps_its_arguments_its_square_and_its_file_names(command, command_here, photo):
    more = ("--network", "pocket", "--size", 96, "-i", 2)
    done = command_here("keras-example", photo, "out/dream", *more)
    assert done.returncode == 2
    assert "the folder 'out' does not exist" in done.stderr
    done = command("keras-example", photo, "dream", *more, check=0)
    assert {path.name for path in command.folder.iterdir()} == {"dream_at_iteration_0.png", "dream_at_iteration_1.png"}
    assert open_picture(command.folder / "dream_at_iteration_1.png").shape == (96, 96, 3)
    settings = Settings.load(command.folder / "dream_at_iteration_0.png")
    asked = {"network": "pocket", "size": 96, "optimizer.iterations": 2}
    assert settings == Settings.load("dreamy", **(AS_IN_THE_EXAMPLE | asked))
    words = re.sub(r"-?\d+\.\d+|\d+s", "#", done.stdout)
    assert words.splitlines() == [
        "Model loaded.",
        "Start of iteration 0",
        "Current loss value: #",
        "Image saved as dream_at_iteration_0.png",
        "Iteration 0 completed in #",
        "Start of iteration 1",
        "Current loss value: #",
        "Image saved as dream_at_iteration_1.png",
        "Iteration 1 completed in #",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.jpg"], "the command is missing; use: dreamscripts dream a.jpg"),
        (["dream", "a.jpg", "b.jpg"], "for several: dreamscripts batch PHOTO..."),
        (
            ["dream", "a.jpg", "--size", "64", "b.jpg", "c.jpg"],
            "dream takes one picture, so b.jpg c.jpg is too much; for several: dreamscripts batch",
        ),
        (["layers", "pocket", "b.jpg", "c.jpg"], "layers: too many arguments; remove b.jpg c.jpg"),
    ],
)
def test_arguments_that_do_not_fit_are_answered_with_what_to_do(arguments, says, command_here, asleep):
    (command_here.folder / "a.jpg").touch()
    assert says in mistake(command_here(*arguments))


def test_the_shell_completes_commands(command):
    asked = {"_DREAMSCRIPTS_COMPLETE": "complete_bash", "COMP_WORDS": "dreamscripts la", "COMP_CWORD": "1"}
    assert command(env=asked, check=0).stdout.split() == ["layers"]


def test_nothing_heavy_is_imported_for_help_or_for_the_package(command):
    done = command("--help", check=0)
    assert all(name in done.stdout for name in ("dream", "keras-example", "layers", "bench", "settings"))
    import subprocess
    import sys

    listing = (
        "import sys, dreamscripts, dreamscripts.scripts, json;"
        "print(json.dumps([m for m in sys.modules if m in "
        "('keras', 'tensorflow', 'jax', 'torch', 'scipy', 'matplotlib', 'pydantic', 'PIL')]))"
    )
    loaded = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert json.loads(loaded.stdout) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bad_trip", "dreamy"])
def test_a_named_dream_is_neither_the_photograph_nor_noise(name, command_here):
    """On the sample sky: changed a good deal, yet still smooth where it was smooth, and within its colours."""
    from pathlib import Path

    sky = Path(__file__).parents[2] / "samples" / "sky.jpg"
    command_here("dream", sky, "--settings", name, "--network", "pocket", "--size", 320, "-o", "run", "-q", check=0)
    before = fit(open_picture(sky), 320)
    after = open_picture(command_here.folder / "run" / "final.png")
    assert np.abs(after - before).mean() > 4
    grey = np.asarray(Image.fromarray(after.astype(np.uint8)).convert("L"), float)
    rough = np.abs(np.diff(grey, axis=1)).mean()
    assert 2 < rough < 40  # white noise has 85
    assert np.corrcoef(before.mean(axis=2).ravel(), grey.ravel())[0, 1] > 0.3


def test_the_keras_example_stays_at_one_size_in_a_box_that_is_asked_for(command_here, photo):
    more = ("--network", "pocket", "--size", 96, "-i", 1, "--set", "optimizer.max_change=10")
    done = command_here("keras-example", photo, "dream", *more, check=0)
    assert [path.name for path in command_here.folder.glob("*.png")] == ["dream_at_iteration_0.png"]
    settings = Settings.load(command_here.folder / "dream_at_iteration_0.png")
    assert (settings.octaves.count, settings.optimizer.where, settings.optimizer.max_change) == (1, "scipy", 10)
    assert "clipped" not in done.stdout


@pytest.mark.parametrize(("module", "code"), [("numpy", 2), ("dreamscripts.nowhere", None)])
def test_a_library_that_cannot_be_imported_is_one_line(module, code, monkeypatch, capsys):
    def app(*arguments, **options):
        raise ImportError("pages of\nadvice", name=module) from OSError("cannot be mapped")

    monkeypatch.setattr(scripts, "app", app)
    with pytest.raises(ImportError if code is None else SystemExit) as ended:
        scripts.main()
    assert getattr(ended.value, "code", None) == code
    says = "dreamscripts: a library cannot be imported: cannot be mapped; raise the limit of memory (ulimit -v), or "
    assert capsys.readouterr().err.startswith(says if code else "")


@pytest.mark.parametrize("command", ["dream", "batch", "compare", "gallery"])
@pytest.mark.parametrize("name", ["dream.JPG", "dream.mp4"])
def test_a_folder_does_not_get_the_name_of_a_picture(command, name, command_here):
    done = command_here(command, "pocket" if command == "gallery" else "photo.jpg", "-o", name, check=2)
    ending = Path(name).suffix.lower()
    assert done.stderr == f"dreamscripts: {name}: --output names a folder here, so it cannot end in {ending}\n"
    assert not (command_here.folder / name).exists()
