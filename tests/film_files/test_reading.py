"""Times, parts and frames of films that are in order."""

from fractions import Fraction

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_films import LOSSLESS, decode, pictures, write_film

from dreamscripts.errors import FilmError
from dreamscripts.film_files.reading import open_film

av = pytest.importorskip("av")

# Encoders whose keyframes are followed by frames that refer to frames before the keyframe, or that are hidden.
KINDS = {
    "h264.mp4": {"codec": "libx264", "options": {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}},
    "h264.mkv": {"codec": "libx264", "options": {"g": "250", "x264-params": "intra-refresh=1:keyint=15"}},
    "h264.ts": {"codec": "libx264", "options": {"g": "12", "bf": "3"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "12", "bf": "2"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "vp9.webm": {
        "codec": "libvpx-vp9",
        "options": {"g": "12", "deadline": "good", "cpu-used": "5", "auto-alt-ref": "1"},
    },
    "gif.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "lossless.mkv": LOSSLESS,
}


@pytest.fixture(scope="module", params=KINDS)
def film(request, tmp_path_factory):
    """A film of 4 seconds at 25 frames a second."""
    return write_film(tmp_path_factory.mktemp("films") / request.param, pictures(100), **KINDS[request.param])


def read(path, first=0, **options):
    with open_film(path, **options) as source:
        return list(source.frames(first)), source


def assert_same(found, expected):
    assert [frame.pts for frame in found] == [frame.pts for frame in expected]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, expected, strict=True))


def test_a_film_keeps_its_times_and_its_number_of_frames(film):
    frames, source = read(film)
    expected = decode(film)
    assert [frame.pts for frame in frames] == [frame.pts for frame in expected]
    assert source.time_base == expected[0].time_base
    assert len(frames) == 100
    assert abs(source.count - 100) <= 6
    assert abs(source.seconds - 4) < 0.3
    assert abs(source.rate - 25) < 0.5
    assert source.size == (48, 64)
    assert not source.has_sound
    assert source.notes == []


def test_frames_are_the_pictures_of_the_film(film):
    for frame, picture in zip(read(film)[0], pictures(100), strict=True):
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape == picture.shape
        assert np.abs(frame.pixels - picture.astype(float)).mean() < 20  # gif has 256 colours


def test_without_loss_frames_are_exactly_those_that_were_written(tmp_path):
    frames, _ = read(write_film(tmp_path / "a.mkv", pictures(5), **LOSSLESS))
    assert all(np.array_equal(f.pixels, p) for f, p in zip(frames, pictures(5), strict=True))


@pytest.mark.parametrize("first", [0, 1, 7, 99, 100, 120])
def test_reading_from_a_number_gives_the_same_frames(film, first):
    whole, _ = read(film)
    assert_same(read(film, first)[0], whole[first:])


@pytest.mark.parametrize(("start", "end"), [(2.5, None), (0, 1.2), (1.2, 2.4), (3.1, 60)])
def test_a_part_has_the_frames_of_the_whole_film(film, start, end):
    whole, source = read(film)
    origin = min(frame.pts for frame in whole) if film.suffix in (".ts", ".mpg") else 0
    part, of_part = read(film, start=start, end=end)
    times = [float((frame.pts - origin) * source.time_base) for frame in whole]
    inside = [frame for frame, time in zip(whole, times, strict=True) if start <= time < (end or 99)]
    shift = int(Fraction(str(start)) // source.time_base)
    assert_same(part, [frame._replace(pts=frame.pts - shift) for frame in inside])
    assert part[0].pts >= 0
    assert abs(of_part.count - len(inside)) <= 6
    assert_same(read(film, 3, start=start, end=end)[0], part[3:])
    assert of_part.notes == []


def test_times_may_be_uneven(tmp_path):
    @settings(max_examples=15)
    @given(st.lists(st.integers(1, 900), min_size=1, max_size=6), st.sampled_from(["a.mkv", "a.mp4"]))
    def check(steps, name):
        times = np.cumsum([0, *steps]).tolist()
        path = write_film(tmp_path / name, pictures(len(times)), times=times, time_base=Fraction(1, 1000))
        frames, source = read(path)
        assert [round(frame.pts * source.time_base * 1000) for frame in frames] == times
        assert [frame.pts for frame in frames] == [frame.pts for frame in decode(path)]
        assert source.notes == []

    check()


def test_a_tenth_of_a_second_is_meant_exactly(tmp_path):
    path = write_film(tmp_path / "a.mkv", pictures(10), rate=10, **LOSSLESS)
    frames, source = read(path, start=0.1, end=0.3)
    assert [frame.pts for frame in frames] == [0, 100]
    assert source.count == 2
    assert source.seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"start": 2.0}, "ends after 1.0 s, so nothing is left from 2 s on"),
        ({"start": 0.5, "end": 0.5}, "there is no part from 0.5 s to 0.5 s"),
        ({"start": 0.5, "end": 0.1}, "there is no part from 0.5 s to 0.1 s"),
        ({"start": -1}, "there is no part from -1 s to its end"),
        ({"start": float("nan")}, "there is no part from nan s"),
        ({"end": float("inf")}, "there is no part from 0 s to inf s"),
        ({"start": 0.95}, "has no frame that begins between 0.95 s and its end"),
        ({"start": 0.61, "end": 0.62}, "has no frame that begins between 0.61 s and 0.62 s; give a longer part"),
    ],
)
def test_a_part_without_frames_is_refused(part, reason, tmp_path):
    path = write_film(tmp_path / "a.mkv", pictures(10), rate=10, **LOSSLESS)
    with pytest.raises(FilmError, match=reason), open_film(path, **part):
        pass


def test_one_frame_is_a_film(tmp_path):
    frames, source = read(write_film(tmp_path / "a.mp4", pictures(1)))
    assert len(frames) == source.count == 1
    Image.fromarray(next(pictures(1))).save(tmp_path / "a.gif")
    assert len(read(tmp_path / "a.gif")[0]) == 1


def test_a_gif_is_a_film_with_the_durations_of_its_frames(tmp_path):
    first, *others = map(Image.fromarray, pictures(4))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[100, 250, 50, 3000])
    frames, source = read(tmp_path / "a.gif")
    assert [frame.pts * source.time_base for frame in frames] == [0, Fraction(1, 10), Fraction(35, 100), Fraction(2, 5)]
    assert source.count == 4
    assert source.notes == []  # its last frame lasts until the end


def test_an_animated_png_is_a_film(tmp_path):
    first, *others = map(Image.fromarray, pictures(3))
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=200)
    assert all(np.array_equal(f.pixels, p) for f, p in zip(read(tmp_path / "a.png")[0], pictures(3), strict=True))


def test_sound_is_reported(tmp_path):
    assert read(write_film(tmp_path / "a.mp4", pictures(12), sound=True))[1].has_sound


def test_frames_without_times_follow_each_other_at_the_rate_of_the_film(tmp_path):
    frames, source = read(write_film(tmp_path / "a.h264", pictures(20), options={"bf": "2"}))
    assert [frame.pts * source.time_base for frame in frames] == [Fraction(number, 25) for number in range(20)]
    assert source.count == 20


def test_several_iterators_do_not_disturb_each_other_and_end_with_the_film(film):
    with open_film(film) as source:
        one, two = source.frames(), source.frames(2)
        expected = [frame.pixels for frame in source.frames()]
        for number in range(2, 6):
            assert np.array_equal(next(two).pixels, expected[number])
            assert np.array_equal(next(one).pixels, expected[number - 2])
    assert list(one) == []
    open_files = [file.path for file in psutil.Process().open_files()]
    assert str(film) not in open_files


def test_frames_may_be_changed_and_kept(film):
    with open_film(film) as source:
        frames = source.frames()
        first, copy = next(frames).pixels, next(source.frames()).pixels
        for _ in frames:
            pass
        assert np.array_equal(first, copy)
        first[:] = 0


def test_memory_does_not_grow_with_the_film(tmp_path):
    picture = next(pictures(1, 270, 480))
    path = write_film(tmp_path / "a.avi", (picture for _ in range(150)), codec="mpeg4")  # 58 MB in RGB
    with open_film(path) as source:
        frames = source.frames()
        for _ in range(20):
            next(frames)
        before = psutil.Process().memory_info().rss
        for _ in frames:
            pass
        assert psutil.Process().memory_info().rss - before < 10_000_000
