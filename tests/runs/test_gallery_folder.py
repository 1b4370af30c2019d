import errno
import json
import os
import shutil
import string
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

from dreamscripts.errors import OutputError
from dreamscripts.images.files import open_picture, read_settings
from dreamscripts.reports import contact_sheet
from dreamscripts.reports import gallery as reports_gallery
from dreamscripts.reports.gallery import write_page, write_sheet
from dreamscripts.runs.gallery_folder import GalleryFolder, open_gallery
from dreamscripts.runs.gallery_record import GalleryRecord, free_name, is_folder_of

SETTINGS = """network = "pocket"
seed = 0

[penalties]
total_variation = 0.1

[optimizer]
name = "adam"
iterations = 60
"""
LAYERS = {"block2_conv1": 6, "block4_conv3": 10}
ODD = """it's [odd] "here": #1/50% <b>&amp; ü"""
SIZE = 12


def opened(folder, layers=LAYERS, network="pocket", weights=None, settings=SETTINGS, size=SIZE) -> GalleryFolder:
    gallery = GalleryFolder.open(folder, network, weights, settings, layers, size)
    write_page(gallery)
    return gallery


def pictures(channels, size=SIZE) -> dict[int, np.ndarray]:
    """A plain picture for each channel, each of another colour."""
    return {channel: np.full((size, size, 3), colour(channel), np.float32) for channel in channels}


def colour(channel: int) -> tuple[int, int, int]:
    return 255 - channel, 7 * channel % 256, 60


def recorded(folder: Path) -> dict:
    """What the two data files say, which is the same."""
    record = json.loads((folder / "gallery.json").read_text("utf-8"))
    script = (folder / "gallery.js").read_text("utf-8")
    assert script.startswith("window.gallery = ")
    assert script.endswith(";\n")
    assert json.loads(script.removeprefix("window.gallery = ").removesuffix(";\n")) == record
    return record


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "galleries" / "pocket"


@pytest.fixture
def gallery(folder) -> GalleryFolder:
    """One layer done, the other begun."""
    gallery = opened(folder)
    gallery.save("block2_conv1", pictures(range(6)), SETTINGS)
    write_sheet(gallery, "block2_conv1")
    gallery.save("block4_conv3", pictures([0, 1, 3]), SETTINGS)
    return gallery


def test_a_gallery_is_pictures_a_record_and_a_page(gallery, folder):
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *("gallery.json", "gallery.js", "index.html", "block2_conv1.png"),
        *(f"block2_conv1/000{channel}.png" for channel in range(6)),
        *(f"block4_conv3/000{channel}.png" for channel in (0, 1, 3)),
    }
    record = recorded(folder)
    assert [record[key] for key in ("network", "weights", "settings")] == ["pocket", None, SETTINGS]
    first, second = record["layers"].items()
    about = {"size": SIZE, "folder": "block2_conv1", "sheet": True}
    assert first == ("block2_conv1", {"channels": 6, "done": [0, 1, 2, 3, 4, 5], **about})
    about = {"size": SIZE, "folder": "block4_conv3", "sheet": False}
    assert second == ("block4_conv3", {"channels": 10, "done": [0, 1, 3], **about})
    np.testing.assert_array_equal(open_picture(gallery.picture("block4_conv3", 3)), pictures([3])[3])


def test_every_picture_holds_its_settings(gallery):
    gallery.save("block4_conv3", pictures([7, 8]), lambda channel: f"channel = {channel}\n")
    assert read_settings(gallery.picture("block4_conv3", 8)) == "channel = 8\n"
    assert read_settings(gallery.picture("block4_conv3", 3)) == SETTINGS


def test_numpy_s_numbers_are_channels_too(gallery, folder):
    gallery.save("block4_conv3", dict(zip(np.array([5, 6]), pictures([5, 6]).values(), strict=True)), SETTINGS)
    assert recorded(folder)["layers"]["block4_conv3"]["done"] == [0, 1, 3, 5, 6]


def test_a_gallery_goes_on_where_it_was(gallery, folder):
    gallery.release()
    again = opened(folder)
    assert again.todo("block2_conv1") == []
    assert again.todo("block4_conv3") == [2, 4, 5, 6, 7, 8, 9]
    again.save("block4_conv3", pictures(again.todo("block4_conv3")), SETTINGS)
    assert again.todo("block4_conv3") == []
    assert recorded(folder)["layers"]["block4_conv3"]["done"] == list(range(10))


def test_what_decides_nothing_in_the_settings_may_change(gallery, folder):
    gallery.release()
    *lines, last = SETTINGS.splitlines()
    assert opened(folder, settings="\n".join(["# the same", *lines, f"{last}  # passes"])).todo("block2_conv1") == []


def test_the_gallery_of_an_older_version_may_have_keys_that_its_optimizer_never_used(gallery, folder):
    gallery.release()
    record = recorded(folder)
    before = {"evaluations": 3, "iterations": 60, "clip": False, "step": 1.5, "normalise": "std", "name": "adam"}
    now = {"passes": 3, "iterations": 60, "clip": False, "step": 1.5, "name": "adam"}
    record["settings"] = tomli_w.dumps({"optimizer": before})
    (folder / "gallery.json").write_text(json.dumps(record))
    assert opened(folder, settings=tomli_w.dumps({"optimizer": now})).todo("block2_conv1") == []


def test_layers_are_added(gallery, folder):
    gallery.release()
    gallery = opened(folder, {"block5_conv1": 4})
    assert gallery.todo("block2_conv1") == []
    assert gallery.todo("block5_conv1") == [0, 1, 2, 3]
    assert list(recorded(folder)["layers"]) == ["block2_conv1", "block4_conv3", "block5_conv1"]
    gallery.release()
    everything = {"block1_conv1": 2, "block2_conv1": 6, "block5_conv1": 4, "block4_conv3": 10}
    assert opened(folder, everything).todo("block4_conv3") == [2, 4, 5, 6, 7, 8, 9]
    assert list(recorded(folder)["layers"]) == list(everything)  # as in the network


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "vgg16"}, "is a gallery of pocket, not of vgg16; choose another --output"),
        (
            {"weights": "my.h5"},
            "is a gallery of pocket with its own weights, not the weights my.h5; choose another --output",
        ),
        ({"layers": {"block2_conv1": 64}}, "block2_conv1 has 6 channels in the gallery, but 64 now; choose another"),
        ({"size": 96}, r"block2_conv1 have 12 pixels per side, not 96; use --size 12 or another --output"),
        (
            {"settings": SETTINGS.replace("60", "20")},
            "its pictures were made with optimizer.iterations = 60, not 20; use the same settings or another --output",
        ),
        ({"settings": SETTINGS + "clip = true\n"}, "were made with no optimizer.clip; "),
        ({"settings": SETTINGS.replace('name = "adam"', "")}, 'were made with optimizer.name = "adam"; '),
        (
            {"settings": "a = 1\nseed = 1"},
            'with network = "pocket", seed = 0, not 1, penalties.total_variation = 0.1, and 3 more; ',
        ),
    ],
)
def test_pictures_that_would_differ_do_not_mix(gallery, folder, change, said):
    gallery.release()
    before = recorded(folder)
    with pytest.raises(OutputError, match=f"^{folder}: .*{said}"):
        opened(folder, **change)
    assert recorded(folder) == before
    opened(folder)  # and it is free again


def test_what_is_not_a_gallery_is_left_alone(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").touch()
    with pytest.raises(OutputError, match="is not empty; choose another --output"):
        opened(tmp_path / "letters")
    with pytest.raises(OutputError, match="is a file; choose another --output"):
        opened(tmp_path / "letters" / "one.txt")
    for text in ("", "[]", '{"photos": []}', '{"network": "pocket", "weights": null, "settings": "", "layers": []}'):
        (tmp_path / "letters" / "gallery.json").write_text(text)
        with pytest.raises(
            OutputError, match=r"gallery\.json: is damaged: .*; its pictures are kept; choose another --output"
        ):
            opened(tmp_path / "letters")
        assert (tmp_path / "letters" / "gallery.json").read_text() == text


def test_two_do_not_work_at_one_gallery(gallery, folder):
    pytest.importorskip("fcntl")
    with pytest.raises(OutputError, match="another process is writing to it"):
        opened(folder)
    gallery.release()
    opened(folder)


@pytest.mark.parametrize("written", range(5))
def test_killed_between_any_two_files_it_loses_the_batch_at_most(gallery, folder, monkeypatch, written):
    """The batch is two pictures, the record, and the page's copy of it."""
    left = written

    def replace(self, target):
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return renamed(self, target)

    renamed = Path.replace
    monkeypatch.setattr(Path, "replace", replace)
    if written < 4:
        with pytest.raises(KeyboardInterrupt):
            gallery.save("block4_conv3", pictures([4, 5]), SETTINGS)
    else:
        gallery.save("block4_conv3", pictures([4, 5]), SETTINGS)
    monkeypatch.undo()
    gallery.release()
    again = opened(folder)
    assert again.todo("block4_conv3") == ([2, 6, 7, 8, 9] if written > 2 else [2, 4, 5, 6, 7, 8, 9])
    done = recorded(folder)["layers"]["block4_conv3"]["done"]
    assert all(again.picture("block4_conv3", channel).is_file() for channel in done)


def test_a_full_disk_is_told_and_loses_nothing(gallery, folder, monkeypatch):
    def full(descriptor, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = recorded(folder)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="the disk is full; files written before are kept"):
        gallery.save("block4_conv3", pictures([4, 5]), SETTINGS)
    monkeypatch.undo()
    assert recorded(folder) == before


def test_a_picture_that_is_missing_or_empty_is_done_again(gallery, folder):
    gallery.picture("block2_conv1", 2).unlink()
    gallery.picture("block2_conv1", 4).write_bytes(b"")
    shutil.rmtree(folder / "block4_conv3")
    gallery.release()
    again = opened(folder)
    assert again.todo("block2_conv1") == [2, 4]
    assert again.todo("block4_conv3") == list(range(10))
    assert recorded(folder)["layers"]["block2_conv1"]["done"] == [0, 1, 3, 5]
    assert not recorded(folder)["layers"]["block2_conv1"]["sheet"]


def test_a_picture_that_cannot_be_read_for_the_sheet_is_done_again(gallery, folder):
    path = gallery.picture("block4_conv3", 1)
    path.write_bytes(path.read_bytes()[:60])
    write_sheet(gallery, "block4_conv3")
    assert 1 in gallery.todo("block4_conv3")
    assert recorded(folder)["layers"]["block4_conv3"]["done"] == [0, 3]


# A record that somebody else has changed


def tampered(folder: Path, changes: dict) -> None:
    """Change values of block4_conv3 in the record."""
    record = recorded(folder)
    record["layers"]["block4_conv3"] |= changes
    (folder / "gallery.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    "name",
    [
        *("../outside", "/tmp/outside", "..", ".", "", "a/b", "block4_conv3/../../outside", "block2_conv1"),
        *("block4_conv3~", "block4_conv3~0", "block4_conv3~2/x", "block4_conv3\n", "Block4_conv3", "index.html"),
    ],
)
def test_a_folder_that_is_not_the_layer_s_is_refused(gallery, folder, name):
    gallery.release()
    tampered(folder, {"folder": name})
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    for open_it in (opened, lambda folder: open_gallery(folder, "pocket")):
        with pytest.raises(OutputError, match=r"gallery\.json: is damaged: layers.*; its pictures are kept"):
            open_it(folder)
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"done": [0, 10]}, "channel 10 is listed, but the layer has 10"),
        ({"done": [-1]}, "layers.block4_conv3.done.0: should be at least 0"),
        ({"done": [True]}, "layers.block4_conv3.done.0: should be a whole number"),
        ({"done": "all"}, "layers.block4_conv3.done: should be a valid"),
        ({"channels": 10**30}, "layers.block4_conv3.channels: should be at most"),
        ({"size": 0}, "layers.block4_conv3.size: should be at least"),
        ({"sheet": 1}, "layers.block4_conv3.sheet: should be true or false"),
        ({"folder": None}, "layers.block4_conv3.folder: should be text"),
        ({"colour": "red"}, "layers.block4_conv3.colour: "),
    ],
)
def test_a_record_with_other_values_is_damaged(gallery, folder, change, says):
    gallery.release()
    tampered(folder, change)
    with pytest.raises(OutputError, match=f"gallery.json: is damaged: .*{says}"):
        opened(folder)


def test_a_record_with_other_settings_than_toml_is_damaged(gallery, folder):
    gallery.release()
    (folder / "gallery.json").write_text(json.dumps(recorded(folder) | {"settings": "a = "}))
    with pytest.raises(OutputError, match=r"gallery\.json: is damaged: settings: "):
        opened(folder)


def test_links_in_a_gallery_are_not_followed(gallery, folder, tmp_path):
    gallery.release()
    outside = tmp_path / "outside"
    shutil.move(folder / "block4_conv3", outside)
    (folder / "block4_conv3").symlink_to(outside)
    for open_it in (opened, lambda folder: open_gallery(folder, "pocket")):
        with pytest.raises(OutputError, match="block4_conv3: is a link; replace it with the folder"):
            open_it(folder)
    (folder / "block4_conv3").unlink()
    picture = gallery.picture("block2_conv1", 2)
    picture.replace(outside / "mine.png")
    picture.symlink_to(outside / "mine.png")
    again = opened(folder)
    assert again.todo("block2_conv1") == [2]  # made again in its place
    again.save("block2_conv1", pictures([5]), SETTINGS)
    assert 2 not in open_gallery(folder, "pocket").pictures["block2_conv1"]
    again.release()
    (folder / "gallery.json").replace(outside / "gallery.json")
    (folder / "gallery.json").symlink_to(outside / "gallery.json")
    with pytest.raises(OutputError, match=r"gallery\.json: is damaged: it is empty, or not a plain file"):
        opened(folder)


def test_a_damaged_picture_is_made_again(gallery, folder):
    gallery.release()
    cut, turned, other = (gallery.picture("block2_conv1", channel) for channel in (1, 2, 3))
    cut.write_bytes(cut.read_bytes()[:-20])
    content = bytearray(turned.read_bytes())
    content[len(content) // 2] ^= 1
    turned.write_bytes(content)
    Image.new("RGB", (SIZE, SIZE + 1)).save(other)
    assert list(open_gallery(folder, "pocket").pictures["block2_conv1"]) == [0, 4, 5]
    assert opened(folder).todo("block2_conv1") == [1, 2, 3]


@pytest.mark.parametrize("layer", ["n" * 255, "日" * 200, "a/" * 150, '"' * 250])
def test_a_long_name_gets_a_short_folder(folder, layer):
    gallery = opened(folder, {layer: 1, layer + "x": 1})
    for name in gallery.record.layers:
        gallery.save(name, pictures([0]), SETTINGS)
        write_sheet(gallery, name)
    gallery.release()
    assert opened(folder, {layer: 1, layer + "x": 1}).todo(layer) == []


@given(st.text(max_size=300), st.sets(st.text(max_size=3), max_size=3))
def test_a_free_name_is_recognised(layer, taken):
    name = free_name(layer or "layer", {other.casefold() for other in taken})
    assert is_folder_of(layer or "layer", name)
    assert len(f"{name}.png".encode()) <= 255


# The contact sheet


def places(sheet: np.ndarray, channels) -> dict[int, tuple[slice, slice]]:
    """Where on a sheet each channel's colour is; each fills its box."""
    found = {}
    for channel in channels:
        rows, columns = np.nonzero((sheet == colour(channel)).all(axis=2))
        found[channel] = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        assert (sheet[found[channel]] == colour(channel)).all()
    return found


def shape(place: tuple[slice, slice]) -> tuple[int, int]:
    return tuple(along.stop - along.start for along in place)


@pytest.mark.parametrize(("channels", "columns"), [(1, 1), (6, 3), (16, 4), (37, 9), (32, 8)])
def test_a_sheet_shows_the_pictures_in_rows_as_large_as_they_are(folder, channels, columns):
    gallery = opened(folder, {"a": channels}, size=32)
    gallery.save("a", pictures(range(channels), 32), SETTINGS)
    write_sheet(gallery, "a")
    with Image.open(gallery.sheet("a")) as image:
        sheet = np.asarray(image)
    found = places(sheet, range(channels))
    assert {shape(place) for place in found.values()} == {(32, 32)}
    tops, lefts = (sorted({place[axis].start for place in found.values()}) for axis in (0, 1))
    assert len(lefts) == columns
    assert [(found[n][0].start, found[n][1].start) for n in range(channels)] == [
        (tops[n // columns], lefts[n % columns]) for n in range(channels)
    ]
    ground = sheet[0, 0]
    for rows, across in found.values():  # its number is under it
        below = sheet[rows.stop : rows.stop + 17, across]
        assert (below != ground).any()
    assert (sheet[: tops[0]] != ground).any()  # the heading
    assert (sheet[:, -10:] == ground).all()
    assert (sheet[-10:] == ground).all()


def test_a_sheet_of_a_layer_under_way_has_gaps_and_is_renewed(gallery, folder):
    sheet = gallery.sheet("block4_conv3")
    write_sheet(gallery, "block4_conv3")
    half = np.asarray(Image.open(sheet))
    places(half, [0, 1, 3])
    assert not (half == colour(2)).all(axis=2).any()
    stamp = sheet.stat().st_mtime_ns
    write_sheet(gallery, "block4_conv3")
    assert sheet.stat().st_mtime_ns == stamp  # up to date, it is left alone
    gallery.save("block4_conv3", pictures(gallery.todo("block4_conv3")), SETTINGS)
    assert not recorded(folder)["layers"]["block4_conv3"]["sheet"]
    write_sheet(gallery, "block4_conv3")
    places(np.asarray(Image.open(sheet)), range(10))
    gallery.release()
    sheet.unlink()
    write_sheet(opened(folder), "block4_conv3")
    assert sheet.is_file()


def test_a_layer_not_begun_has_no_sheet(folder):
    gallery = opened(folder)
    write_sheet(gallery, "block2_conv1")
    assert not gallery.sheet("block2_conv1").exists()


def test_a_sheet_too_large_for_viewers_has_smaller_cells(gallery, monkeypatch):
    monkeypatch.setattr(contact_sheet, "MOST_PIXELS", 12_000)
    gallery.save("block4_conv3", pictures(range(10), 64), SETTINGS)
    gallery.record.layers["block4_conv3"].size = 64
    write_sheet(gallery, "block4_conv3")
    found = places(np.asarray(Image.open(gallery.sheet("block4_conv3"))), range(10))
    assert len({shape(place) for place in found.values()}) == 1
    assert shape(found[0])[0] < 32


# Names


def test_odd_names_work(folder):
    gallery = opened(
        folder, {ODD: 3, "index.html": 1, "gallery": 1, "a": 1, "a.png": 1, "A": 1, "..": 1, "aux": 1, "COM1": 1}
    )
    for layer in gallery.record.layers:
        gallery.save(layer, pictures(gallery.todo(layer)), SETTINGS)
        write_sheet(gallery, layer)
    gallery.release()
    again = opened(folder, {ODD: 3})
    assert next(iter(again.record.layers)) == ODD
    assert not any(again.todo(layer) for layer in again.record.layers)
    assert all(again.picture(layer, 0).parent.parent == folder for layer in again.record.layers)
    assert (folder / """it's [odd] %22here%22%3A #1%2F50%25 %3Cb%3E&amp; ü""" / "0002.png").is_file()
    assert (folder / "index.html").read_text("utf-8").startswith("<!doctype html>")


@examples(max_examples=50, deadline=None)
@given(st.lists(st.text(st.sampled_from(string.printable + "éÉ日"), min_size=1, max_size=8), unique=True, max_size=8))
def test_no_two_layers_share_a_folder_on_any_file_system(layers):
    gallery = GalleryFolder.__new__(GalleryFolder)
    gallery.folder, gallery.record = Path(), GalleryRecord(network="", weights=None, settings="", layers={})
    gallery._add(dict.fromkeys(layers, 4), 96)
    names = [entry.folder for entry in gallery.record.layers.values()]
    assert len({name.casefold() for name in names}) == len(layers)
    assert not any(set(name) & set('<>:"/\\|?*.\n') or name != name.strip(" ") for name in names)
    assert not {name.casefold() for name in names} & {"aux", "con", "nul", "prn", "com1"}


# The page


def test_the_page_needs_no_other_file_than_the_gallery_s(gallery, folder):
    page = (folder / "index.html").read_text("utf-8")
    assert page.count("src=") == 1
    assert '<script src="gallery.js"></script>' in page
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_names_do_not_become_part_of_the_page(folder):
    gallery = opened(folder, {"</script><script>alert(1)</script>": 1, "a\u2028b": 1})
    assert (folder / "index.html").read_bytes() == Path(reports_gallery.__file__).with_suffix(".html").read_bytes()
    assert list(recorded(folder)["layers"]) == list(gallery.record.layers)  # the script is JSON
    assert "innerHTML" not in (folder / "index.html").read_text("utf-8")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
            )
        except playwright.Error:
            pytest.skip("playwright has no browser here")
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    mistakes = []
    page.on("pageerror", lambda mistake: mistakes.append(mistake))
    page.set_default_timeout(5000)
    yield page
    assert not mistakes
    page.close()


def shown(page) -> list[str]:
    """The alternative texts of the pictures that the filter leaves."""
    return page.evaluate("[...document.images].filter(i => i.closest('main') && i.offsetParent).map(i => i.alt)")


def test_the_page_shows_what_is_done_and_then_what_is_new(gallery, folder, page):
    page.goto((folder / "index.html").as_uri())
    page.get_by_text("9 of 16 done").wait_for()
    assert len(shown(page)) == 9
    assert page.locator(".channel:disabled").count() == 7
    page.fill("#filter", "Block4 2-4")
    assert shown(page) == ["block4_conv3, channel 3"]
    gallery.save("block4_conv3", pictures([4]), SETTINGS)
    page.evaluate("reload()")
    page.get_by_text("10 of 16 done, 3 shown").wait_for()
    assert shown(page) == ["block4_conv3, channel 3", "block4_conv3, channel 4"]
    gallery.save("block4_conv3", pictures(gallery.todo("block4_conv3")), SETTINGS)
    page.evaluate("reload()")
    page.fill("#filter", "")
    page.get_by_text("16 channels", exact=True).wait_for()
    assert page.locator("progress").is_hidden()
    page.fill("#filter", "block9")
    page.get_by_text("No layer or channel matches “block9”.").wait_for()


def test_a_picture_is_enlarged_and_turned_over_by_keyboard_and_by_address(folder, page):
    gallery = opened(folder, {"first": 2, ODD: 3}, weights="my weights.h5")
    gallery.save("first", pictures(range(2)), SETTINGS)
    gallery.save(ODD, pictures([0, 2]), SETTINGS)
    address = (folder / "index.html").as_uri()
    page.goto(f"{address}#{quote(ODD, safe='')}/0")
    assert page.inner_text("#name") == f"{ODD} channel 0"
    assert page.evaluate("document.querySelector('dialog img').decode()") is None  # the file was found
    assert page.inner_text("code") == (
        """dreamscripts visualize pocket 'it'\\''s [odd] "here": #1/50% <b>&amp; ü' --channel 0 """
        "--weights 'my weights.h5'"
    )
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#name") == f"{ODD} channel 2"  # there is no 1 yet
    assert page.is_disabled("#after")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#name") == "first channel 1"
    assert page.url.endswith("#first/1")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.at?.channel === 1")
    assert page.url == address
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.inner_text("#name") == "first channel 0"
    page.go_back()
    assert page.locator("dialog").is_hidden()
