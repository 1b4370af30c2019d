"""Galleries made for real: batches of channels into a folder."""

import numpy as np
import pytest

from dreamscripts.dreams import channels
from dreamscripts.dreams.channels import choose_layers
from dreamscripts.dreams.dream import dream
from dreamscripts.errors import PictureError
from dreamscripts.images.files import open_picture
from dreamscripts.images.resizing import noise
from dreamscripts.networks.loading import build
from dreamscripts.reports.gallery import write_page, write_sheet
from dreamscripts.runs import gallery
from dreamscripts.runs.gallery import make_gallery, open_folder
from dreamscripts.settings.schema import Settings


def small(size: int = 32, **changes) -> Settings:
    quick = {"network": "pocket", "size": size, "octaves.count": 2, "optimizer.passes": 1}
    return Settings.load("gallery", **quick | {"start": "noise", "features": {"each": 1}} | changes)


@pytest.fixture(scope="module")
def pocket():
    return build("pocket")


TINY = small(20)
FIRST, SECOND = "block1_conv1", "block2_pool"  # of 16 and of 32 channels


@pytest.fixture
def made(pocket, tmp_path, monkeypatch):
    """Make a gallery of some layers in batches of 6 at most: its folder, and the layers and sizes of the batches."""
    monkeypatch.setattr(channels, "PIXELS", 6 * 20 * 20)

    def make(*layers, settings=TINY, stop_after=None, name="gallery"):
        names, batches = choose_layers(pocket, layers, "pocket"), []
        folder = open_folder(tmp_path / name, pocket, names, settings)
        write_page(folder)

        def on_pictures(layer, count):
            batches.append((layer, count))
            if len(batches) == stop_after:
                raise KeyboardInterrupt

        try:
            make_gallery(
                folder, names, settings, on_pictures=on_pictures, on_layer=lambda layer: write_sheet(folder, layer)
            )
        except KeyboardInterrupt:
            assert stop_after
        finally:
            folder.release()
        return folder, batches

    return make


def files(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_gallery_is_a_page_a_sheet_for_each_layer_and_a_picture_for_each_channel(made):
    folder, batches = made(FIRST, SECOND)
    assert batches == [(FIRST, 6), (FIRST, 6), (FIRST, 4), *[(SECOND, 6)] * 5, (SECOND, 2)]
    pictures = {f"{layer}/{channel:04d}.png" for layer, many in ((FIRST, 16), (SECOND, 32)) for channel in range(many)}
    assert files(folder.folder).keys() == pictures | {
        "gallery.js",
        "gallery.json",
        "index.html",
        f"{FIRST}.png",
        f"{SECOND}.png",
    }
    assert open_picture(folder.picture(FIRST, 15)).shape == (20, 20, 3)


def test_the_settings_inside_a_picture_repeat_it(made):
    folder, _ = made(FIRST)
    picture = folder.picture(FIRST, 11)
    settings = Settings.load(picture)
    assert settings.features[f"{FIRST}_pre_relu"].channels == {11: 1}
    *_, last = dream(noise(settings.size, settings.seed), settings)
    np.testing.assert_allclose(open_picture(picture), last.picture, atol=1)


def test_stopped_it_goes_on_where_it_was_and_ends_as_without_a_break(made):
    whole, _ = made(FIRST, SECOND, name="whole")
    folder, batches = made(FIRST, SECOND, stop_after=2)
    assert batches == [(FIRST, 6), (FIRST, 6)]
    there = files(folder.folder)
    assert there.keys() >= {f"{FIRST}/0011.png", f"{FIRST}.png", "index.html"}  # a sheet of what is done
    assert not there.keys() & {f"{FIRST}/0012.png", f"{SECOND}.png"}
    assert folder.todo(FIRST) == [12, 13, 14, 15]

    again, batches = made(FIRST, SECOND)
    assert batches[0] == (FIRST, 4)
    assert sum(count for layer, count in batches if layer == SECOND) == 32
    ended, expected = files(again.folder), files(whole.folder)
    assert ended[f"{FIRST}.png"] != there[f"{FIRST}.png"]
    assert ended.keys() == expected.keys()
    for name in ended.keys() & there.keys() - {"gallery.js", "gallery.json", f"{FIRST}.png"}:
        assert ended[name] == there[name]
    for layer, channel in ((FIRST, 0), (FIRST, 15), (SECOND, 31)):
        np.testing.assert_allclose(
            open_picture(again.picture(layer, channel)), open_picture(whole.picture(layer, channel)), atol=1
        )


def test_with_nothing_left_to_do_it_does_not_even_open_the_network(made, monkeypatch):
    folder, _ = made(FIRST)
    before = files(folder.folder)

    def opened(settings):
        raise AssertionError("opened a network")

    monkeypatch.setattr(gallery, "open_network", opened)
    _, batches = made(FIRST)
    assert batches == []
    assert files(folder.folder) == before


def test_layers_may_be_added(made):
    made(FIRST)
    folder, batches = made(SECOND)
    assert {layer for layer, _ in batches} == {SECOND}
    assert folder.todo(FIRST) == folder.todo(SECOND) == []
    assert {path.name for path in folder.folder.glob("*.png")} == {f"{FIRST}.png", f"{SECOND}.png"}


def test_what_fails_before_the_first_picture_leaves_the_place_free_for_another_try(made, tmp_path):
    """A gallery without a picture used to stay, and to refuse the larger size that its own message had asked for."""
    with pytest.raises(PictureError, match="at least 16 pixels"):
        made("block5_conv1", settings=small(8))
    assert not (tmp_path / "gallery").exists()
    made(FIRST, stop_after=1)
    with pytest.raises(PictureError, match="at least 32 pixels"):
        made("block5_pool")
    assert (tmp_path / "gallery" / FIRST / "0005.png").exists()
