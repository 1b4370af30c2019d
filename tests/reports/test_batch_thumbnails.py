import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dreamscripts.errors import OutputError
from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_thumbnails import Thumbnails

CELL = Cell("it's #1 50%.png", "sky.jpg", {"seed": "0"}, "done")


def picture(folder: Path, name: str, size=(600, 300), colour="red") -> Path:
    path = folder / CELL.name / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_result_and_its_photograph_have_thumbnails(tmp_path):
    picture(tmp_path, "final.png")
    picture(tmp_path, "iteration_000.png", colour="blue")
    small = Thumbnails(tmp_path)
    small.update([CELL])
    assert small.made == {CELL.name}
    assert small.photographs == {"sky.jpg": CELL.name}
    assert small.shapes == {"sky.jpg": 0.5}
    for path, colour in (
        (small.paths()[CELL.name], (254, 0, 0)),
        (tmp_path / f"thumbnails/photographs/{CELL.name}.jpg", (0, 0, 254)),
    ):
        image = Image.open(path)
        assert (image.format, image.size, image.getpixel((9, 9))) == ("JPEG", (384, 192), colour)


def test_a_running_cell_has_only_its_photograph_and_noise_has_none(tmp_path):
    picture(tmp_path, "final.png")
    picture(tmp_path, "iteration_000.png")
    small = Thumbnails(tmp_path)
    small.update([replace(CELL, state="waiting"), replace(CELL, name="other", state="running")])
    assert not small.made
    assert not small.photographs
    small.update([replace(CELL, state="running")])
    assert not small.made
    assert small.photographs
    small = Thumbnails(tmp_path)
    small.update([replace(CELL, photo="")])
    assert small.made
    assert not small.photographs


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n damaged", "folder", "half"])
def test_a_picture_that_is_damaged_or_gone_has_no_thumbnail(tmp_path, content):
    path = picture(tmp_path, "final.png")
    whole = path.read_bytes()
    path.unlink()
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    small = Thumbnails(tmp_path)
    small.update([CELL])
    assert not small.made
    assert not small.paths()


def test_a_cell_is_looked_at_when_its_state_changes_and_made_when_the_picture_is_newer(tmp_path):
    path = picture(tmp_path, "final.png")
    small = Thumbnails(tmp_path)
    small.update([CELL])
    thumbnail = small.paths()[CELL.name]
    thumbnail.unlink()
    small.update([CELL])
    assert not thumbnail.exists()  # nobody looked
    Thumbnails(tmp_path).update([CELL])
    first = thumbnail.read_bytes()
    thumbnail.write_bytes(first + b" ")
    Thumbnails(tmp_path).update([CELL])
    assert thumbnail.read_bytes() == first + b" "  # it was current
    picture(tmp_path, "final.png", colour="green")
    later = thumbnail.stat().st_mtime_ns + 1
    os.utime(path, ns=(later, later))
    small.update([replace(CELL, state="running")])
    assert not small.made
    small.update([CELL])
    assert small.made
    assert thumbnail.read_bytes() != first + b" "


def test_after_some_seconds_the_rest_is_left_to_the_next_call(tmp_path):
    picture(tmp_path, "final.png")
    small = Thumbnails(tmp_path)
    small.update([CELL], seconds=-1)
    assert not small.made
    small.update([CELL], seconds=10)
    assert small.made


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    picture(tmp_path, "final.png")
    (tmp_path / "thumbnails").write_bytes(b"")
    with pytest.raises(OutputError, match="thumbnails"):
        Thumbnails(tmp_path).update([CELL])
