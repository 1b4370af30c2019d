"""A channel of a gallery, dreamt again."""

import json

import numpy as np
import pytest
from conftest import changed

from dreamscripts.dreams.dream import dream
from dreamscripts.errors import DreamError, OutputError, SettingsError
from dreamscripts.images.files import open_picture, save_picture
from dreamscripts.images.resizing import noise
from dreamscripts.networks.loading import build
from dreamscripts.runs import gallery_channel
from dreamscripts.runs.gallery import make_gallery, open_folder
from dreamscripts.runs.gallery_channel import Channel, open_channel
from dreamscripts.settings.schema import Settings

LAYER = "block1_conv1"  # of 16 channels


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Make a gallery of one layer, in batches of 16."""
    settings = Settings.load(
        "gallery",
        **{"network": "pocket", "size": 24, "octaves.count": 2, "optimizer.passes": 4, "features": {"each": 1}},
    )
    folder = open_folder(tmp_path_factory.mktemp("made") / "gallery", build("pocket"), [LAYER], settings)
    make_gallery(folder, {LAYER: f"{LAYER}_pre_relu"}, settings)
    folder.release()
    return folder.folder


def test_it_grows_into_the_picture_of_the_gallery_pass_by_pass(gallery):
    channel = open_channel(gallery, f"{LAYER}:3", allow_files=False)
    assert channel.expected == 9
    assert channel.unit == "pass"
    pictures, difference = channel.pictures(channel.growth())
    assert len(pictures) == 9
    assert np.array_equal(pictures[-1], open_picture(gallery / LAYER / "0003.png"))
    assert difference < 0.5  # the picture on the disk is rounded
    assert [picture.shape[0] for picture in pictures] == [17] * 5 + [24] * 4


def test_pass_by_pass_is_the_same_as_in_iterations(gallery):
    channel = open_channel(gallery, f"{LAYER}:3", allow_files=False)
    *_, last = channel.growth()
    *iterates, whole = dream(noise(24), channel.settings)
    assert len(iterates) == 2
    assert np.array_equal(last.picture, whole.picture)


@pytest.mark.parametrize("optimizer", [{"max_change": 5.0}, {"name": "lbfgs"}])
def test_iterations_that_cannot_be_divided_are_left_whole(gallery, optimizer):
    channel = open_channel(gallery, f"{LAYER}:3", allow_files=False)
    whole = Channel(channel.picture, changed(channel.settings, optimizer=optimizer))
    assert whole.by_passes is whole.settings
    assert whole.unit == "iteration"
    assert whole.expected == 3


def test_pictures_of_many_iterations_are_chosen_evenly(gallery, monkeypatch):
    monkeypatch.setattr(gallery_channel, "MOST", 3)
    channel = open_channel(gallery, f"{LAYER}:3", allow_files=False)
    iterates = list(channel.growth())
    pictures, _ = channel.pictures(iterates)
    assert len(pictures) == 3
    assert np.array_equal(pictures[1], iterates[4].picture)


def test_a_picture_that_another_machine_made_ends_the_movie_and_the_difference_is_known(gallery):
    channel = open_channel(gallery, f"{LAYER}:3", allow_files=False)
    other = Channel(open_channel(gallery, f"{LAYER}:4", allow_files=False).picture, channel.settings)
    pictures, difference = other.pictures(channel.growth())
    assert np.array_equal(pictures[-1], other.picture)
    assert difference > 5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("block1_conv1", "write it as LAYER:N"),
        (":", "write it as LAYER:N"),
        ("block1_conv1:٣", "write it as LAYER:N"),
        ("block1_conv1:-1", "write it as LAYER:N"),
        ("block1_conv1:16", "block1_conv1 has 16 channels, 0 to 15"),
        ("block1_conw1:3", "has no layer 'block1_conw1' (did you mean 'block1_conv1'?)"),
    ],
)
def test_a_channel_that_is_not_there_is_one_line(gallery, name, says):
    with pytest.raises(SettingsError) as error:
        open_channel(gallery, name, allow_files=False)
    assert says in str(error.value)


@pytest.fixture
def other(tmp_path):
    """Return a function that writes a gallery with a picture that has these settings."""

    def write(settings: str, **changes):
        (tmp_path / LAYER).mkdir()
        entry = {"channels": 16, "size": 24, "done": [3], "sheet": False, "folder": LAYER}
        record = {"network": "pocket", "weights": None, "settings": "", "layers": {LAYER: entry | changes}}
        (tmp_path / "gallery.json").write_text(json.dumps(record))
        save_picture(np.zeros((24, 24, 3), np.float32), tmp_path / LAYER / "0003.png", settings)
        return tmp_path

    return write


def test_settings_that_name_a_file_need_to_be_allowed(other):
    settings = f'network = "/tmp/x.keras"\nstart = "noise"\nsize = 24\n[features]\n{LAYER} = 1\n'
    folder = other(settings)
    with pytest.raises(SettingsError, match=r"its settings open the model .*x.keras: .*add --allow-files"):
        open_channel(folder, f"{LAYER}:3", allow_files=False)
    assert open_channel(folder, f"{LAYER}:3", allow_files=True).settings.network.endswith("x.keras")


def test_a_picture_without_settings_or_that_is_not_made_yet_is_one_line(other):
    folder = other("")
    with pytest.raises(SettingsError, match="contains no settings"):
        open_channel(folder, f"{LAYER}:3", allow_files=False)
    with pytest.raises(OutputError, match="has no picture of block1_conv1:4 yet"):
        open_channel(folder, f"{LAYER}:4", allow_files=False)
    path = folder / LAYER / "0003.png"
    path.rename(folder / "elsewhere.png")
    path.symlink_to(folder / "elsewhere.png")
    with pytest.raises(DreamError, match=r"0003.png: is damaged: .*not a plain file"):
        open_channel(folder, f"{LAYER}:3", allow_files=False)
