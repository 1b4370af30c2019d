"""Photographs: which are found, which are held out, what happens to bad ones, and the crops of them."""

import shutil

import numpy as np
import pytest
from PIL import Image
from small_teachers import save_photographs

from dreamscripts.errors import PictureError
from dreamscripts.training import photographs as module
from dreamscripts.training.crops import crops, resized
from dreamscripts.training.photographs import Photographs, find_photographs, read_ahead


def test_photographs_are_found_in_folders_within_but_not_in_hidden_ones(tmp_path):
    save_photographs(tmp_path / "b", 2)
    save_photographs(tmp_path / "a" / "deeper", 1)
    save_photographs(tmp_path / ".thumbnails", 1)
    shutil.copy(tmp_path / "b" / "photo000.png", tmp_path / ".hidden.png")
    shutil.copy(tmp_path / "b" / "photo000.png", tmp_path / "LAST.PNG")
    (tmp_path / "notes.txt").write_text("not a photograph")
    found = [str(path.relative_to(tmp_path)) for path in find_photographs(tmp_path)]
    assert found == ["LAST.PNG", "a/deeper/photo000.png", "b/photo000.png", "b/photo001.png"]


def test_a_folder_without_photographs_is_refused(tmp_path):
    with pytest.raises(PictureError, match="nowhere: there is no such folder"):
        find_photographs(tmp_path / "nowhere")
    with pytest.raises(PictureError, match="there is no photograph in this folder; give a folder with at least two"):
        find_photographs(tmp_path)
    save_photographs(tmp_path, 1)
    with pytest.raises(PictureError, match="there is only one photograph in this folder"):
        find_photographs(tmp_path)
    with pytest.raises(PictureError, match=r"photo000\.png: is not a folder"):
        find_photographs(tmp_path / "photo000.png")


def test_every_25th_photograph_is_held_out_up_to_64(tmp_path):
    files = [tmp_path / f"{i:05}.jpg" for i in range(100)]
    both = Photographs(files)
    assert both.held_out == files[::25]
    assert both.files == [file for i, file in enumerate(files) if i % 25]
    many = Photographs([tmp_path / f"{i:05}.jpg" for i in range(5000)])
    assert (len(many.held_out), len(many.files)) == (64, 5000 - 64)
    assert not set(many.held_out) & set(many.files)


def test_a_bad_photograph_is_replaced_by_the_next_and_noted(tmp_path):
    save_photographs(tmp_path, 5)
    (tmp_path / "photo002.png").write_bytes(b"no picture")
    photographs = Photographs(find_photographs(tmp_path))
    expected = photographs.open(2)
    assert photographs.files[1].name == "photo002.png"
    assert np.array_equal(photographs.open(1), expected)
    (bad,) = photographs.bad.items()
    assert bad[0].name == "photo002.png"
    assert "is not a picture" in bad[1]
    assert photographs.good_held_out(2) == photographs.held_out


def test_without_any_good_photograph_the_first_is_named(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.jpg").write_bytes(b"no picture")
    photographs = Photographs(find_photographs(tmp_path))
    with pytest.raises(PictureError, match=r"none of the photographs can be opened; the first is .*1\.jpg"):
        photographs.open(0)
    with pytest.raises(PictureError, match=r"none of the photographs that are held out can be opened; .*0\.jpg"):
        photographs.held_out_pictures(32)
    assert photographs.good_held_out(2) == []


def test_decoded_photographs_are_kept_up_to_a_number_of_bytes(tmp_path, monkeypatch):
    save_photographs(tmp_path, 4)
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * 72 * 96 * 3)
    photographs = Photographs(find_photographs(tmp_path))
    first = [photographs.open(i) for i in range(3)]
    again = [photographs.open(i) for i in range(3)]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, False]
    assert np.array_equal(first[2], again[2])


def test_a_large_photograph_is_reduced(tmp_path):
    save_photographs(tmp_path, 2, height=300, width=1200)
    assert Photographs(find_photographs(tmp_path)).open(0).shape == (128, 512, 3)


def test_held_out_pictures_are_the_squares_in_the_middle(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 200
    for name in ("a", "b"):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (square,) = Photographs(find_photographs(tmp_path)).held_out_pictures(20)
    assert square.shape == (20, 20, 3)
    assert (square[:, 1:-1] == 200).all()


def test_pictures_are_made_ahead_and_in_order():
    made = read_ahead(lambda number: np.full(1, number), 5)
    assert [int(next(made)[0]) for _ in range(20)] == list(range(5, 25))
    made.close()


def test_crops_are_the_same_for_the_same_seed(tmp_path):
    photographs = Photographs(find_photographs(save_photographs(tmp_path, 6)))

    def draw(*seed):
        return crops(photographs.open, len(photographs.files), 40, 24, *seed)

    first = draw(3, 7)
    assert (first.shape, first.dtype) == ((40, 24, 24, 3), np.float32)
    assert 0 <= first.min() < first.max() <= 255
    assert np.array_equal(first, draw(3, 7))
    assert not np.array_equal(first, draw(3, 8))
    assert len(np.unique(first.reshape(40, -1)[:, :50], axis=0)) == 40


def test_a_crop_of_a_small_photograph_is_enlarged():
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert crops(lambda number: photo, 1, 3, 64, 0).shape == (3, 64, 64, 3)
    assert np.array_equal(resized(photo, 0, 0, 20, 20), photo[:20, :20])
