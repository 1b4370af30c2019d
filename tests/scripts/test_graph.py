"""`dreamscripts graph`, as a person calls it."""

import json

import numpy as np
import pytest
from conftest import NO_KERAS, mistake

from dreamscripts.images.files import save_picture


def test_a_network_becomes_a_page_with_the_gallery_beside_it(command):
    pictures = command.folder / "pocket-gallery" / "block4_conv3"
    pictures.mkdir(parents=True)
    save_picture(np.full((96, 96, 3), 99.0), pictures / "0017.png")
    entry = {"channels": 128, "done": [17], "size": 96, "sheet": False, "folder": "block4_conv3"}
    record = {"network": "pocket", "weights": None, "settings": "", "layers": {"block4_conv3": entry}}
    (pictures.parent / "gallery.json").write_text(json.dumps(record))
    done = command("graph", "pocket", "--tensorboard", "logs", check=0)
    assert done.stderr == ""
    page, logs = done.stdout.splitlines()
    assert page == "pocket-graph.html"
    assert logs.startswith("logs/pocket  (") and logs.endswith("tensorboard --logdir logs)")
    text = (command.folder / page).read_text("utf-8")
    assert '"channels":[17]' in text
    assert "dreamscripts visualize pocket " in text
    assert len(list((command.folder / "logs" / "pocket").glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--output", "folder"], "folder: is a folder; use a file name, for example folder/graph.html"),
        (["--output", "nowhere/page.html"], "nowhere/page.html: the folder 'nowhere' does not exist; create it first"),
        (["--output", "page.svg"], "page.svg: the name of the page must end in .html"),
        (["--tensorboard", "mine.txt"], "mine.txt: is a file; choose another --tensorboard"),
        (["--gallery", "folder"], "folder: is not a gallery, because it has no gallery.json"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, asleep):
    (command_here.folder / "folder").mkdir()
    (command_here.folder / "mine.txt").touch()
    assert says in mistake(command_here("graph", "pocket", *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == {"folder", "mine.txt"}


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    done = command("graph", "pocket", "-o", "page.svg", env=NO_KERAS)
    assert "page.svg: the name of the page must end in .html" in mistake(done)
