"""Films that are damaged or cut off, strange times, and the places where decoding begins."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_films import LOSSLESS, decode, pictures, write_film

from dreamscripts.errors import FilmError
from dreamscripts.film_files import decoding
from dreamscripts.film_files.reading import open_film

av = pytest.importorskip("av")

FAST_START = {"movflags": "faststart"}
SHORT_GROUPS = {"options": {"g": "10", "bf": "2"}}


def read(path, first=0, **options):
    with open_film(path, **options) as source:
        return list(source.frames(first)), source


def cut(path, part):
    """Keep this part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mp4", {**SHORT_GROUPS, "container_options": FAST_START}),
        ("a.mkv", SHORT_GROUPS),
        ("b.mkv", {**SHORT_GROUPS, "sound": True}),
        ("a.webm", {"codec": "libvpx-vp9", "options": {"g": "10", "deadline": "realtime"}}),
        ("a.avi", {"codec": "mpeg4", "options": {"g": "10"}}),
        ("a.flv", SHORT_GROUPS),
        ("a.mov", {"codec": "png", "pix_fmt": "rgb24", "container_options": FAST_START}),
        ("lossless.mkv", LOSSLESS),
    ],
)
def test_a_film_that_is_cut_off_is_read_as_far_as_possible(name, settings, tmp_path, capfd):
    path = write_film(tmp_path / name, pictures(75), **settings)
    whole, _ = read(path)
    frames, source = read(cut(path, 0.6))
    assert 8 < len(frames) < 60
    end = len(frames) / 25 + float(whole[0].pts * source.time_base)  # FLV begins later
    assert any(note == f"it is cut off or damaged: its pictures end after {end:.1f} s" for note in source.notes) or (
        source.notes[0].startswith("it is cut off or damaged") and abs(float(source.notes[0].split()[-2]) - end) < 0.15
    )
    assert len(source.notes) == 1
    for found, expected in zip(frames[:-5], whole, strict=False):
        assert found.pts == expected.pts
        assert np.array_equal(found.pixels, expected.pixels)
    assert capfd.readouterr() == ("", "")


def test_the_part_before_the_cut_is_not_said_to_be_cut_off(tmp_path):
    path = cut(write_film(tmp_path / "a.mkv", pictures(75), **LOSSLESS), 0.6)
    assert len(read(path, end=1)[0]) == 25
    assert read(path, end=1)[1].notes == []
    assert read(path, end=2.5)[1].notes == ["it is cut off or damaged: its pictures end after 1.8 s"]
    with pytest.raises(FilmError, match=r"ends after 1\.8 s, so nothing is left from 2 s on"):
        read(path, start=2)


def damaged(path, start, length=400):
    """Overwrite bytes in the middle of a file. `start` is a part of its length."""
    content = bytearray(path.read_bytes())
    place = int(len(content) * start)
    content[place : place + length] = np.random.default_rng(0).bytes(length)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    [("a.mp4", SHORT_GROUPS), ("a.ts", SHORT_GROUPS), ("a.mov", {"codec": "png", "pix_fmt": "rgb24"})],
)
def test_damage_is_said_and_the_rest_is_read(name, settings, tmp_path, capfd):
    path = write_film(tmp_path / name, pictures(100), **settings)
    whole, _ = read(path)
    frames, source = read(damaged(path, 0.5))
    assert 80 < len(frames) <= 100
    assert np.array_equal(frames[-1].pixels, whole[-1].pixels)
    assert frames[-1].pts == whole[-1].pts
    (note,) = source.notes
    assert note.startswith("it is damaged: ")
    assert 1 < float(note.split("first after ")[1].split()[0]) < 3
    assert capfd.readouterr() == ("", "")


def test_decoding_begins_at_the_keyframe_before_a_part(tmp_path):
    """Damage long before the part is then not read, and damage in it is."""
    path = write_film(tmp_path / "a.mov", pictures(125), codec="png", pix_fmt="rgb24")
    expected, _ = read(path, start=4)
    frames, source = read(damaged(path, 0.2), start=4)
    assert source.notes == []
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, expected, strict=True))
    assert read(path, start=1.5)[1].notes == []  # the damage is after the keyframe, and before the part
    assert read(path, start=0.5)[1].notes != []


@pytest.mark.parametrize("format_name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_fewer_frames_are_decoded_before_a_part(format_name, tmp_path, monkeypatch):
    codec = "mpeg4" if format_name == "a.avi" else "libx264"
    path = write_film(tmp_path / format_name, pictures(250), codec=codec, options={"g": "10"})
    decoded = []
    real = decoding.Decoded
    monkeypatch.setattr(decoding, "Decoded", lambda *values: decoded.append(1) or real(*values))
    frames, _ = read(path, start=9)
    assert len(frames) == 25
    assert len(decoded) < 150  # open_film decodes them once, and frames() again


def test_a_keyframe_that_comes_too_late_is_not_used(tmp_path, monkeypatch):
    """A film whose only keyframe is its first frame is decoded from the beginning."""
    path = write_film(tmp_path / "a.ts", pictures(250), options={"g": "1000", "bf": "0", "sc_threshold": "0"})
    whole, _ = read(path)
    part, _ = read(path, start=6)
    assert len(part) == 100
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(part, whole[150:], strict=True))


def test_a_keyframe_from_which_decoding_takes_too_long_is_not_used(tmp_path):
    """A film whose pictures are refreshed column by column gives its first picture seconds after a keyframe."""
    options = {"bf": "0", "x264-params": "intra-refresh=1:keyint=60:scenecut=0"}
    path = write_film(tmp_path / "a.mkv", pictures(250, 64, 256), options=options)
    whole, _ = read(path)
    part, _ = read(path, start=6)
    assert [frame.pts for frame in part] == [frame.pts - 6000 for frame in whole[150:]]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(part, whole[150:], strict=True))


def test_times_that_do_not_increase_are_changed_and_this_is_said(tmp_path):
    path = write_film(tmp_path / "a.mov", pictures(8), codec="png", pix_fmt="rgb24", times=[0, 1, 2, 4, 5, 6, 7, 8])
    content = path.read_bytes()
    durations = struct.pack(">6I", 2, 512, 1, 1024, 5, 512)
    assert content.count(durations) == 1
    path.write_bytes(content.replace(durations, struct.pack(">6I", 2, 512, 1, 0, 5, 512)))
    assert [frame.pts for frame in decode(path)] == [0, 512, 1024, 1024, 1536, 2048, 2560, 3072]
    frames, source = read(path)
    assert [frame.pts for frame in frames] == [0, 512, 1024, 1025, 1536, 2048, 2560, 3072]
    assert source.notes == ["the times of some of its frames did not increase; they were changed"]


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    kinds = {
        "a.mp4": {**SHORT_GROUPS, "container_options": FAST_START},
        "a.mkv": {**SHORT_GROUPS, "sound": True},
        "a.avi": {"codec": "mpeg4"},
        "a.ts": SHORT_GROUPS,
        "a.h264": SHORT_GROUPS,
        "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
        "a.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}},
    }
    return {name: write_film(folder / name, pictures(8), **settings).read_bytes() for name, settings in kinds.items()}


def test_whatever_is_damaged_there_is_one_line_or_a_film(contents, tmp_path, capfd):
    @settings(max_examples=60)
    @given(
        st.sampled_from(sorted(contents)),
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6),
        st.floats(0.02, 1),
    )
    def check(name, changes, part):
        content = bytearray(contents[name])
        for place, new in changes:
            start = int(place * len(content))
            content[start : start + len(new)] = new
        path = tmp_path / name
        path.write_bytes(content[: int(part * len(content))])
        try:
            with open_film(path, size=64) as source:
                for frame in source.frames():
                    assert frame.pixels.shape == (*source.size, 3)
                assert all("\n" not in note for note in source.notes)
        except FilmError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)

    check()
    assert capfd.readouterr() == ("", "")
