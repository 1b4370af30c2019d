import pytest

from dreamscripts.batch.photographs import find_photographs
from dreamscripts.errors import PictureError


@pytest.fixture
def holiday(tmp_path):
    """Return a folder with pictures and other things."""
    folder = tmp_path / "holiday"
    (folder / "more.jpg").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.jpg", "c.webp", "[x].jpg"):
        (folder / name).write_bytes(b"x")
    return folder


def names(found):
    return [path.name for path in found]


def test_a_folder_means_the_pictures_in_it(holiday):
    found, left_out = find_photographs([str(holiday)])
    assert names(found) == ["[x].jpg", "a.PNG", "b.jpg", "c.webp"]
    assert left_out == []


def test_a_file_is_itself_whatever_it_is_called(holiday):
    assert names(find_photographs([str(holiday / "[x].jpg")])[0]) == ["[x].jpg"]


def test_a_pattern_means_what_it_matches(holiday):
    assert names(find_photographs([str(holiday / "?.*")])[0]) == ["a.PNG", "b.jpg", "c.webp"]
    assert names(find_photographs(["holiday/b.*"], holiday.parent)[0]) == ["b.jpg"]


def test_a_list_means_its_lines_beside_it(holiday):
    (holiday / "list.txt").write_text("﻿# mine\nb.jpg\n\n  a.PNG  \nb.jpg\ngone.jpg\n")
    found, left_out = find_photographs([str(holiday / "list.txt")])
    assert names(found) == ["b.jpg", "a.PNG"]
    assert [one.path for one in left_out] == ["gone.jpg"]


def test_a_photograph_that_is_named_twice_is_found_once(holiday):
    assert names(find_photographs([str(holiday / "b.jpg"), str(holiday)])[0]) == ["b.jpg", "[x].jpg", "a.PNG", "c.webp"]


def test_what_is_not_there_is_left_out_unless_it_is_all(holiday):
    found, (left_out,) = find_photographs([str(holiday / "b.jpg"), "nowhere/*.jpg"])
    assert names(found) == ["b.jpg"]
    assert (left_out.path, left_out.reason) == ("nowhere/*.jpg", "no file matches this pattern")
    with pytest.raises(PictureError, match="nowhere: there is no such file or folder"):
        find_photographs(["nowhere"])


def test_a_folder_without_pictures_is_said(holiday):
    with pytest.raises(PictureError, match="no picture in this folder; folders within it are not searched"):
        find_photographs([str(holiday.parent)])


def test_no_names_are_no_photographs():
    assert find_photographs([]) == ([], [])


def test_a_list_that_is_no_text_is_refused_in_words(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PictureError, match="cannot be read as a list of photographs"):
        find_photographs([str(tmp_path / "list.txt")])
