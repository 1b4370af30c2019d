import logging
import re

import pytest
from conftest import changed

from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.networks.loading import load_network
from dreamscripts.objective import choose_tiles
from dreamscripts.objective.choose_tiles import bytes_per_pixel, free_for_passes, tiles_for
from dreamscripts.objective.memory_budget import of_run
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Tiles

LARGE = 8000, 12_000  # height and width


@pytest.fixture
def free(monkeypatch):
    """Set the free memory in gigabytes."""
    return lambda gigabytes: monkeypatch.setattr(choose_tiles, "free_for_passes", lambda: int(gigabytes * 1e9))


@pytest.fixture
def network(settings):
    return open_network(settings)


def test_the_free_memory_is_that_of_the_device_that_computes_passes(monkeypatch):
    monkeypatch.setattr(choose_tiles, "free_memory", lambda: 8)
    monkeypatch.setattr(choose_tiles.host, "free_on_gpu", lambda: 7)
    for on_gpu, expected in ((False, 8), (True, 7)):
        monkeypatch.setattr(choose_tiles.host, "on_gpu", lambda on_gpu=on_gpu: on_gpu)
        assert free_for_passes() == expected


# Bytes per pixel at the peak of a pass over 1024×1024, less those of a small one: TensorFlow on a CPU.
MEASURED = {
    ("vgg16", "block4_conv3"): 1628,
    ("vgg16", "block5_conv3"): 1447,
    ("pocket", "block4_conv3"): 575,
    ("squeezenet", "fire6"): 448,
    ("resnet50", "conv4_block3_out"): 866,
}


@pytest.mark.parametrize(("name", "layer"), MEASURED)
def test_a_pass_takes_about_as_much_as_was_measured_and_no_more(name, layer):
    estimate = bytes_per_pixel(load_network(name, "random", [layer]))
    assert 1.1 * MEASURED[name, layer] < estimate < 2 * MEASURED[name, layer]


def test_a_picture_that_fits_is_not_tiled(network, settings, free, caplog):
    free(1000)
    assert tiles_for(network, settings, *LARGE) is None
    assert not caplog.records


def test_a_picture_that_does_not_fit_is_tiled_and_the_run_says_so_once(network, settings, free, caplog):
    free(64)
    evaluator = build_evaluator(network, settings, *LARGE)
    assert evaluator.exact == Tiles(kind="exact", size=1024)
    says = "12000×8000 does not fit in memory: using exact tiles of 1024 pixels"
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.WARNING, says)]


def test_pictures_that_are_made_together_share_the_memory(network, settings, free):
    free(13)
    side, said = (1000, 1000), changed(settings, tiles="exact")
    assert tiles_for(network, settings, *side, pictures=4) is None
    assert tiles_for(network, settings, *side, pictures=16).kind == "exact"
    assert tiles_for(network, said, *side, pictures=16).size < tiles_for(network, said, *side).size
    with pytest.raises(PictureError, match=r"^40 pictures of 1000×1000 need 2\d\.\d GB"):
        tiles_for(network, settings, *side, pictures=40)


def test_with_little_memory_tiles_are_as_large_as_it_allows(network, settings, free, caplog):
    said = changed(settings, tiles="exact")
    kept = LARGE[0] * LARGE[1] * of_run(settings.optimizer) / 1e9
    sizes = []
    for more in (0.01, 0.1, 100):
        free(kept + more)
        tiles = tiles_for(network, said, *LARGE)
        assert tiles.kind == "exact"
        assert tiles.size**2 * bytes_per_pixel(network) <= more * 1e9
        sizes.append(tiles.size)
    assert sizes == sorted(sizes)
    assert sizes[-1] == 1024
    assert not caplog.records  # as asked for


def test_tiles_of_a_size_stay_as_they_are_said(network, settings, free):
    for gigabytes, tiles in ((64, Tiles(kind="exact", size=700)), (0, Tiles(kind="notebook")), (0, Tiles())):
        free(gigabytes)
        assert tiles_for(network, settings.model_copy(update={"tiles": tiles}), *LARGE) == tiles


def test_tiles_that_are_mostly_overlap_get_a_warning(network, settings, free, caplog):
    free(64)
    tiles_for(network, changed(settings, tiles={"kind": "exact", "size": 500}), 1000, 1000)
    assert not caplog.records
    tiles_for(network, changed(settings, tiles={"kind": "exact", "size": 24}), 1000, 1000)
    (said,) = (record.message for record in caplog.records)
    assert re.fullmatch(
        r"exact tiles of 24 pixels overlap a lot, .* \d times as long as without overlap: use tiles.size = 1024", said
    )


def test_tiles_of_a_given_size_that_do_not_fit_are_refused(network, settings, free):
    free(2)
    said = changed(settings, tiles={"kind": "exact", "size": 700})
    with pytest.raises(PictureError, match=r"needs 6\d\.\d GB .* in exact tiles of 700 pixels, and 2\.0 GB are free"):
        tiles_for(network, said, *LARGE)


def test_too_little_for_the_smallest_tile_is_said_with_what_is_there_and_needed(network, settings, free):
    free(2)
    says = (
        r"^a picture of 12000×8000 needs 62\.\d GB of memory with pocket even in the smallest exact tiles, and 2\.0 GB "
        r"are free: use a smaller --size, or --set optimizer\.where=device$"
    )
    for said in (settings, changed(settings, tiles="exact")):
        with pytest.raises(PictureError, match=says):
            tiles_for(network, said, *LARGE)
    with pytest.raises(PictureError, match=r"use a smaller --size$"):
        tiles_for(network, changed(settings, optimizer={"where": "device"}), *LARGE)


def test_what_no_tiles_can_serve_goes_on_as_it_is(network, settings, free, caplog):
    free(64)
    gated = Settings(network="efficientnet_b0", weights="random", features={"block1a_project_conv": 1})
    network = open_network(gated)
    assert tiles_for(network, gated, *LARGE) is None
    assert not caplog.records
    with pytest.raises(SettingsError, match="exact tiles are not supported"):
        tiles_for(network, changed(gated, tiles="exact"), *LARGE)
