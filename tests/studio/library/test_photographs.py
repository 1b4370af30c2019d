"""Photographs: everything that can be dropped on the page, wellmeant or not."""

import io
import os
import re
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin
from studio_library import as_file, open_library

from dreamscripts import atomic_files
from dreamscripts.errors import OutputError, PictureError
from dreamscripts.images import files
from dreamscripts.images.files import open_picture, save_picture
from dreamscripts.settings.schema import Settings
from dreamscripts.studio.library import photographs
from dreamscripts.studio.library.photographs import shown_name, stem_of
from dreamscripts.studio.library.within import Missing


@pytest.fixture
def corners():
    """Return a picture whose four corners have different colours: red, green, blue and white, clockwise."""
    pixels = np.full((24, 36, 3), 128, np.uint8)
    pixels[:12, :18], pixels[:12, 18:], pixels[12:, 18:], pixels[12:, :18] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 255
    return pixels


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels_of(library, photograph):
    return np.asarray(Image.open(library.photographs.path(photograph.id)))


def test_a_picture_is_kept_as_a_png_that_contains_its_pixels_and_nothing_else(library, corners):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "from home")
    file = as_file(corners, pnginfo=info, dpi=(72, 72))
    photograph = library.photographs.add(file, "hills.png")
    assert (photograph.name, photograph.file, photograph.width, photograph.height) == ("hills.png", "hills.png", 36, 24)
    assert photograph.notes == []
    assert photograph.settings is None
    assert (pixels_of(library, photograph) == corners).all()
    content = library.photographs.path(photograph.id).read_bytes()
    chunks = re.findall(rb"IHDR|IDAT|IEND|tEXt|iTXt|zTXt|eXIf|iCCP|pHYs|tIME", content)
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}
    assert b"from home" not in content
    assert files_in(library.store / "photographs" / photograph.id) == ["hills.png", "photograph.json"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF"])
def test_the_usual_kinds_of_pictures_are_read_whatever_they_are_called(library, corners, kind):
    if kind not in Image.SAVE and not Image.init() and kind not in Image.SAVE:
        pytest.skip(f"Pillow cannot write {kind} here")
    photograph = library.photographs.add(as_file(corners, kind), "photo.txt")
    assert photograph.file == "photo.png"
    assert np.abs(pixels_of(library, photograph).astype(int) - corners).mean() < 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_becomes_upright(library, corners, orientation):
    turns = {1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud, 5: lambda p: p.swapaxes(0, 1)}
    turns |= {6: lambda p: np.rot90(p, 1), 7: lambda p: np.rot90(p.swapaxes(0, 1), 2), 8: lambda p: np.rot90(p, -1)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = as_file(np.ascontiguousarray(turns[orientation](corners)), exif=exif)
    photograph = library.photographs.add(file, "turned.png")
    assert (photograph.width, photograph.height) == (36, 24)
    assert (pixels_of(library, photograph) == corners).all()


def test_where_a_picture_was_taken_and_by_whom_is_gone(library, corners):
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    exif.get_ifd(0x8825)[29] = "2024:12:24"
    file = as_file(corners, "JPEG", exif=exif, comment=b"my secret")
    assert b"2024:12:24" in file.getvalue()
    photograph = library.photographs.add(file, "trip.jpg")
    for path in (library.store / "photographs" / photograph.id).iterdir():
        content = path.read_bytes()
        assert not any(text in content for text in (b"2024:12:24", b"Maker of cameras", b"my secret"))
    kept = Image.open(library.photographs.path(photograph.id))
    assert not kept.getexif()
    assert kept.info == {}


def test_colours_become_srgb(library):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    lab = Image.new("LAB", (8, 8), (200, 180, 128))
    photograph = library.photographs.add(as_file(lab, "TIFF", icc_profile=profile), "lab.tif")
    kept = Image.open(library.photographs.path(photograph.id))
    assert kept.mode == "RGB"
    assert "icc_profile" not in kept.info
    red, _, blue = kept.getpixel((0, 0))
    assert red > blue + 40  # a* is above 0


def test_of_an_animation_the_first_frame_is_kept_and_it_is_said(library, corners):
    frames = [Image.fromarray(corners), Image.new("RGB", (36, 24), "black")]
    for kind in ("GIF", "WEBP", "PNG"):
        file = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
        file.seek(0)
        photograph = library.photographs.add(file, f"moving.{kind.lower()}")
        assert "first frame" in " ".join(photograph.notes)
        assert np.abs(pixels_of(library, photograph).astype(int) - corners).max() < 8
        assert getattr(Image.open(library.photographs.path(photograph.id)), "n_frames", 1) == 1


def test_a_large_picture_is_reduced_and_it_is_said(library, monkeypatch, corners):
    monkeypatch.setattr(photographs, "LONGEST_SIDE", 30)
    photograph = library.photographs.add(as_file(corners), "large.png")
    assert (photograph.width, photograph.height) == (30, 20)
    assert "reduced to 30 × 20" in photograph.notes[-1]
    assert pixels_of(library, photograph).shape == (20, 30, 3)


def test_the_settings_in_a_dream_are_kept_as_text_only(library, picture, tmp_path):
    settings = Settings.load("dreamy").to_toml()
    save_picture(picture, tmp_path / "dream.png", settings)
    with (tmp_path / "dream.png").open("rb") as file:
        photograph = library.photographs.add(file, "dream.png")
    assert photograph.settings == settings
    assert library.photographs.get(photograph.id).settings == settings
    assert b"dreamscripts" not in library.photographs.path(photograph.id).read_bytes()
    again = open_library(library.base).photographs.get(photograph.id)
    assert again == photograph


def test_settings_that_name_a_model_are_text_that_is_refused_when_it_is_used(library, picture, tmp_path):
    model = tmp_path / "evil.keras"
    model.write_bytes(b"")
    save_picture(picture, tmp_path / "dream.png", f'network = "{model}"\n[features]\na = 1')
    with (tmp_path / "dream.png").open("rb") as file:
        photograph = library.photographs.add(file, "dream.png")
    checked = library.looks.check(photograph.settings)
    assert checked.settings is None
    assert "evil.keras" in checked.problem.message
    assert checked.problem.message.startswith("these settings open the model")


@pytest.mark.parametrize("length", [photographs.LONGEST_SETTINGS + 1, 20_000_000])
def test_settings_that_are_much_too_long_are_left_out_and_it_is_said(library, picture, tmp_path, length):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("dreamscripts", "#" * length, zip=True)
    photograph = library.photographs.add(as_file(picture, pnginfo=chunks), "dream.png")
    assert photograph.settings is None
    assert "settings" in photograph.notes[-1]


SCRIPTS = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>',
    "svg with a head": b'<?xml version="1.0"?><!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg"/>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "html after spaces": b"\n\n   <html><body onload=alert(1)>",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "pdf": b"%PDF-1.7 ...",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run",
    "zip": b"PK\x03\x04" + bytes(100),
    "keras": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "film": b"\0\0\0\x18ftypmp42" + bytes(100),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "nothing": b"",
    "one byte": b"\x89",
    "zeros": bytes(10_000),
    "a list of films": b"#EXTM3U\nfile:///etc/passwd\n",
    "an image that Pillow reads with Python": b"SIMPLE  =                    T" + bytes(3000),
    "an icon": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\x68\4\0\0\x16\0\0\0" + bytes(2000),
    "xbm": b"#define im_width 4\n#define im_height 4\nstatic char im_bits[] = {0,0,0,0};",
}


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("name", ["photo.png", "photo.jpg"])
def test_what_is_no_picture_is_refused_whatever_it_is_called(library, kind, name):
    with pytest.raises(PictureError) as error:
        library.photographs.add(io.BytesIO(SCRIPTS[kind]), name)
    assert str(error.value).startswith(f"{name} ")
    assert str(library.base) not in str(error.value)
    assert files_in(library.store / "photographs") == []


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM"])
def test_a_script_with_the_first_bytes_of_a_picture_is_refused(library, start):
    with pytest.raises(PictureError):
        library.photographs.add(io.BytesIO(start + b"<script>alert(1)</script>" * 20), "photo.png")
    assert files_in(library.store / "photographs") == []


def test_what_follows_a_picture_or_hides_in_it_is_not_kept(library, corners):
    script = b"<script>alert(1)</script>"
    file = as_file(corners, "JPEG", comment=script)
    photograph = library.photographs.add(io.BytesIO(file.getvalue() + script), "photo.jpg")
    for path in (library.store / "photographs" / photograph.id).iterdir():
        assert b"<script>" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_picture_that_is_cut_off_is_refused_or_whole(library, rng, kind):
    content = as_file(rng.integers(0, 255, (60, 80, 3)), kind).getvalue()
    refused = 0
    for length in [*range(1, 200, 23), len(content) // 2, len(content) - 40]:
        try:
            photograph = library.photographs.add(io.BytesIO(content[:length]), "cut")
        except PictureError as error:
            refused += 1
            assert str(error).startswith("cut ")
            assert "\n" not in str(error)
        else:
            assert pixels_of(library, photograph).shape == (60, 80, 3)
    assert refused > 5


@given(st.data())
@examples(max_examples=40)
def test_damaged_bytes_never_do_anything_else_than_be_refused_or_read(tmp_path_factory, data):
    library = open_library(tmp_path_factory.mktemp("dreams"))
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]))
    content = bytearray(as_file(np.arange(20 * 30 * 3).reshape(20, 30, 3) % 251, kind).getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        photograph = library.photographs.add(io.BytesIO(bytes(content)), "x")
    except PictureError:
        assert files_in(library.store / "photographs") == []
    else:
        assert open_picture(library.photographs.path(photograph.id)).shape[2] == 3


def bomb(width, height):
    """Return a PNG of a few bytes that claims to be of this size, and is black."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (200_000_000, 1)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(library, size):
    began = time.monotonic()
    with pytest.raises(PictureError, match=r"pixels|memory|too large"):
        library.photographs.add(io.BytesIO(bomb(*size)), "bomb.png")
    assert time.monotonic() - began < 2
    assert files_in(library.store / "photographs") == []


def test_a_file_of_too_many_bytes_is_refused(library, monkeypatch, corners):
    content = as_file(corners).getvalue()
    monkeypatch.setattr(photographs, "MOST_BYTES", 2**20)
    library.photographs.add(io.BytesIO(content.ljust(2**20, b"\0")), "just.png")
    with pytest.raises(PictureError, match="larger than 1 MB"):
        library.photographs.add(io.BytesIO(content.ljust(2**20 + 1, b"\0")), "more.png")


def test_too_many_photographs_are_refused_until_some_are_deleted(library, monkeypatch, corners):
    monkeypatch.setattr(photographs, "MOST_PHOTOGRAPHS", 2)
    first = library.photographs.add(as_file(corners), "a.png")
    library.photographs.add(as_file(corners), "b.png")
    with pytest.raises(PictureError, match="2 photographs here already; delete"):
        library.photographs.add(as_file(corners), "c.png")
    library.photographs.remove(first.id)
    library.photographs.add(as_file(corners), "c.png")


def test_a_full_disk_is_said_and_leaves_nothing(library, monkeypatch, corners):
    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    before = library.photographs.add(as_file(corners), "before.png")
    monkeypatch.setattr(atomic_files, "_write", full)
    with pytest.raises(OutputError, match="disk is full"):
        library.photographs.add(as_file(corners), "a.png")
    assert files_in(library.store / "photographs") == [before.id]
    assert [photograph.id for photograph in library.photographs.all()] == [before.id]


NAMES = [
    ("../../etc/passwd", "passwd"),
    ("..\\..\\windows\\system.ini", "system.ini"),
    ("C:\\fakepath\\hills.jpg", "hills.jpg"),
    ("/absolute/hills.jpg", "hills.jpg"),
    ("a\0b.png", "ab.png"),
    ("photo\u202egnp.exe", "photognp.exe"),
    ("line\nbreak\r.png", "linebreak.png"),
    ("\x1b[31mred.png", "[31mred.png"),
    ("", "photograph"),
    ("...", "..."),
    ("   ", "photograph"),
    ("Ångström été.png", "Ångström été.png"),
    ("日本.jpg", "日本.jpg"),
    ("\ud800.png", ".png"),
    ("x" * 300 + ".png", "x" * 115 + "….png"),
    ("hills/", "photograph"),
]


@pytest.mark.parametrize(("given", "shown"), NAMES)
def test_a_name_is_shown_without_folders_and_hidden_characters_and_never_is_a_path(library, corners, given, shown):
    photograph = library.photographs.add(as_file(corners), given)
    assert photograph.name == shown
    path = library.photographs.path(photograph.id)
    assert path.parent == library.store / "photographs" / photograph.id
    assert open_picture(path).shape == (24, 36, 3)
    assert open_library(library.base).photographs.get(photograph.id) == photograph


@given(st.text())
@example("x" * 30 + "\U0001d400" * 24 + " \U0001d400")
def test_any_name_makes_a_stem_for_any_file_system(text):
    shown = shown_name(text)
    assert 0 < len(shown) <= photographs.LONGEST_NAME
    assert not re.search(r"[/\\\x00-\x1f\u202e]", shown)
    stem = stem_of(shown)
    assert 0 < len(os.fsencode(stem)) <= 2 * photographs.LONGEST_STEM
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', stem)
    assert stem.strip(". ") == stem


def test_photographs_are_listed_newest_first_and_survive_a_restart(library, corners):
    added = [library.photographs.add(as_file(corners), f"{number}.png") for number in range(3)]
    assert [photograph.id for photograph in library.photographs.all()] == [one.id for one in reversed(added)]
    again = open_library(library.base).photographs
    assert again.all() == library.photographs.all()


def test_photographs_that_others_delete_or_damage_are_not_listed(library, corners):
    one, two, three = (library.photographs.add(as_file(corners), name) for name in ("1", "2", "3"))
    folder = library.store / "photographs"
    (folder / two.id / "photograph.json").write_text("{}")
    (folder / "not-an-id").mkdir()
    (folder / ("f" * 16)).symlink_to(folder / one.id)
    again = open_library(library.base).photographs
    assert {photograph.id for photograph in again.all()} == {one.id, three.id}
    for id in (two.id, "f" * 16, "not-an-id", "", "../photographs/" + one.id, one.id.upper()):
        with pytest.raises(Missing):
            again.get(id)


def test_a_record_cannot_name_a_file_elsewhere(library, corners, tmp_path):
    (tmp_path / "secret.png").write_bytes(as_file(corners).getvalue())
    photograph = library.photographs.add(as_file(corners), "a.png")
    record = library.store / "photographs" / photograph.id / "photograph.json"
    for name in ("../../../../secret.png", str(tmp_path / "secret.png"), "link.png"):
        record.write_text(photograph.model_copy(update={"file": name}).model_dump_json())
        (record.parent / "link.png").unlink(missing_ok=True)
        (record.parent / "link.png").symlink_to(tmp_path / "secret.png")
        with pytest.raises(Missing):
            open_library(library.base).photographs.path(photograph.id)


def test_removing_deletes_the_previews_too_and_follows_no_link(library, corners, tmp_path):
    photograph = library.photographs.add(as_file(corners), "a.png")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    previews = library.photographs.previews_folder(photograph.id)
    (previews / "dreamy.png").write_bytes(b"x")
    (previews / ".dreamscripts-0.part").write_bytes(b"x")
    (previews / "outside").symlink_to(outside)
    assert library.photographs.previews(photograph.id) == ["dreamy"]
    library.photographs.remove(photograph.id)
    assert files_in(library.store / "previews") == files_in(library.store / "photographs") == []
    assert (outside / "file").read_text() == "stays"
    with pytest.raises(Missing):
        library.photographs.remove(photograph.id)


def test_a_run_finds_its_photograph_by_the_path_in_its_record_and_no_other(library, corners):
    photograph = library.photographs.add(as_file(corners), "a.png")
    path = str(library.photographs.path(photograph.id))
    assert library.photographs.named(path) == photograph
    for other in (path + "x", "/etc/passwd", "", "\0", str(library.base / "a.png"), path.replace("a.png", "b.png")):
        assert library.photographs.named(other) is None


def test_what_a_killed_process_has_left_is_deleted_when_it_is_old(library):
    old, new = (library.store / "photographs" / (digit * 16) for digit in "ab")
    for folder in (old, new):
        folder.mkdir()
        (folder / "upload").write_bytes(b"half")
    os.utime(old, (1, 1))
    open_library(library.base)
    assert not old.exists()
    assert new.exists()


def test_many_threads_add_photographs_at_once(library, corners):
    file = as_file(corners).getvalue()
    threads = [threading.Thread(target=library.photographs.add, args=(io.BytesIO(file), f"{n}.png")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {photograph.name for photograph in library.photographs.all()} == {f"{n}.png" for n in range(12)}


def test_previews_are_not_written_where_a_link_leads(library, tmp_path):
    photograph = library.photographs.add(as_file(np.zeros((8, 8, 3), np.uint8)), "a.png")
    outside = tmp_path / "outside"
    outside.mkdir()
    (library.folder.store / "previews" / photograph.id).symlink_to(outside)
    with pytest.raises(OutputError, match="link"):
        library.photographs.previews_folder(photograph.id)


def png_of(width, height, *inner):
    """Return a PNG file, with its chunks `inner` before the pixels, which are black."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((3 * width + 1) * height)))
    content = [head, *(chunk(*one) for one in inner), pixels, chunk(b"IEND", b"")]
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(content))


def test_a_picture_in_very_many_parts_is_refused(library):
    with pytest.raises(PictureError, match="parts"):
        library.photographs.add(png_of(8, 8, *[(b"prVt", b"")] * 60_000), "a.png")
    assert library.photographs.add(png_of(8, 8, *[(b"prVt", b"")] * 1000), "a.png").width == 8


def test_a_picture_that_pillow_has_no_memory_for_is_an_error_in_words(library, monkeypatch):
    def too_small(*arguments):
        raise MemoryError

    monkeypatch.setattr(files, "resize_height", too_small)
    with pytest.raises(PictureError, match="too large"):
        library.photographs.add(png_of(1, 5000), "a.png")
    assert library.photographs.all() == []


def test_the_same_picture_is_kept_once(library, corners):
    first = library.photographs.add(as_file(corners), "hills.png")
    assert library.photographs.add(as_file(corners), "hills.png") == first
    assert library.photographs.all() == [first]
    assert files_in(library.store / "photographs") == [first.id]


def test_the_same_name_or_the_same_pixels_alone_are_another_photograph(library, corners):
    library.photographs.add(as_file(corners), "hills.png")
    library.photographs.add(as_file(255 - corners), "hills.png")
    library.photographs.add(as_file(corners), "sea.png")
    assert len(library.photographs.all()) == 3
