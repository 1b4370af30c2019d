import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import GifImagePlugin, Image
from small_films import pictures

from dreamscripts.errors import OutputError
from dreamscripts.film_files import animation
from dreamscripts.film_files.animation import FORMATS, write_animation
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import KINDS

ENDINGS = (".gif", ".webp")


def frames_at(times, height=48, width=64):
    return [Frame(pixels, pts) for pixels, pts in zip(pictures(len(times), height, width), times, strict=True)]


def write(path, frames, time_base=Fraction(1, 25), **settings):
    return write_animation(path, frames, time_base, KINDS[path.suffix], **settings)


def played(path):
    """Return the durations of the frames in milliseconds, and their pixels."""
    durations, pixels = [], []
    with Image.open(path) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            durations.append(image.info.get("duration", 0))
            pixels.append(np.asarray(image.convert("RGB")))
    return durations, pixels


PROGRAM = """
import sys
sys.modules["av"] = sys.modules["cv2"] = None
from fractions import Fraction
from pathlib import Path
from small_films import pictures
from dreamscripts.film_files.animation import write_animation
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.film_files.metadata import read_metadata

path = Path(sys.argv[1])
frames = (Frame(pixels, pts) for pts, pixels in enumerate(pictures(5)))
print(write_animation(path, frames, Fraction(1, 25), kind_of(path), metadata="a = 1"))
print(read_metadata(path))
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_animation_needs_no_pyav_and_is_the_same_bytes_in_another_process(ending, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / f"a{ending}")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("[]\na = 1\n", "")
    write(tmp_path / f"b{ending}", frames_at(range(5)), metadata="a = 1")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("time_base", "times"),
    [
        (Fraction(1, 25), range(5)),
        (Fraction(1, 30), range(31)),  # 3.33 hundredths of a second each
        (Fraction(1001, 24000), range(30)),
        (Fraction(1, 1000), [500, 533, 700, 5000, 5021]),
        (Fraction(1, 12800), range(7, 6000, 512)),
        (Fraction(1, 7), range(10)),
    ],
)
def test_no_frame_is_shown_at_another_time_than_its_own(ending, time_base, times, tmp_path):
    """More than by the rounding of the format, which does not add up."""
    assert write(tmp_path / f"a{ending}", frames_at(times), time_base) == []
    durations, _ = played(tmp_path / f"a{ending}")
    unit = FORMATS[KINDS[ending].name].unit
    begins = [Fraction(sum(durations[:number]), 1000) for number in range(len(times))]
    wanted = [(pts - times[0]) * time_base for pts in times]
    assert max(abs(a - b) for a, b in zip(begins, wanted, strict=True)) <= unit
    ends = (times[-1] + times[-1] - times[-2] - times[0]) * time_base
    assert abs(Fraction(sum(durations), 1000) - ends) <= unit


@examples(max_examples=30)
@given(st.integers(1, 500), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_the_length_is_right_at_any_rate(tmp_path_factory, ticks, gaps):
    path = tmp_path_factory.mktemp("length") / "a.gif"
    times = [sum(gaps[:number]) for number in range(len(gaps) + 1)]
    write(path, frames_at(times, 8, 8), Fraction(1, ticks))
    durations, _ = played(path)
    length = Fraction(times[-1] + gaps[-1], ticks)
    assert abs(Fraction(sum(durations), 1000) - length) <= Fraction(4, 100)
    assert min(durations) >= 20


@pytest.mark.parametrize(("ending", "rate", "fastest"), [(".gif", 60, 50), (".gif", 100, 50), (".webp", 120, 90)])
def test_frames_that_browsers_would_show_too_long_are_left_out_and_said(ending, rate, fastest, tmp_path):
    notes = write(tmp_path / f"a{ending}", frames_at(range(rate)), Fraction(1, rate))
    durations, _ = played(tmp_path / f"a{ending}")
    left_out = rate - len(durations)
    assert notes == [
        f"{left_out} of {rate} frames are left out, because browsers show a {KINDS[ending].name} at up to {fastest}"
        " frames a second"
    ]
    assert sum(durations) == 1000
    assert min(durations) >= 1000 / fastest - 1
    assert len(durations) >= fastest // 2


@pytest.mark.parametrize("ending", ENDINGS)
def test_pictures_come_back(ending, tmp_path):
    frames = frames_at(range(6), 96, 128)
    write(tmp_path / f"a{ending}", frames)
    _, found = played(tmp_path / f"a{ending}")
    for frame, pixels in zip(frames, found, strict=True):
        assert np.abs(pixels.astype(int) - frame.pixels).mean() < 8
        assert np.abs(pixels.mean((0, 1)) - frame.pixels.mean((0, 1))).max() < 1.5


@pytest.mark.parametrize("ending", ENDINGS)
def test_frames_that_stand_still_are_one_frame(ending, tmp_path):
    first, second = pictures(2)
    frames = [Frame(first if 3 <= pts < 20 else second, pts) for pts in range(25)]
    write(tmp_path / f"a{ending}", frames)
    durations, _ = played(tmp_path / f"a{ending}")
    assert durations == [120, 680, 200]


def test_what_stands_still_in_a_gif_does_not_flicker_and_takes_no_space(tmp_path):
    """A photograph beside its dream, for example."""
    sizes = {}
    for name, still in (("moving", False), ("half", True)):
        frames = [pixels.copy() for pixels in pictures(8, 96, 128)]
        if still:
            for pixels in frames:
                pixels[:, :64] = frames[0][:, :64]
        write(tmp_path / f"{name}.gif", [Frame(pixels, pts) for pts, pixels in enumerate(frames)])
        sizes[name] = (tmp_path / f"{name}.gif").stat().st_size
    _, found = played(tmp_path / "half.gif")
    assert all(np.array_equal(pixels[:, :64], found[0][:, :64]) for pixels in found)
    assert not np.array_equal(found[1][:, 64:], found[0][:, 64:])
    assert sizes["half"] < 0.65 * sizes["moving"]


def test_scattered_pixels_that_change_are_written_and_no_others(tmp_path, rng):
    first = next(pictures(1, 96, 128))
    second = first.copy()
    changed = rng.random((96, 128)) < 0.05
    second[changed] = 255 - second[changed]
    write(tmp_path / "a.gif", [Frame(first, 0), Frame(second, 1)])
    _, (before, after) = played(tmp_path / "a.gif")
    assert np.array_equal(before[~changed], after[~changed])
    assert np.abs(after[changed].astype(int) - second[changed]).mean() < 12


def test_the_colours_of_a_gif_follow_the_film(tmp_path, monkeypatch):
    """From grey noise to a picture, for example. As long as they fit, they are not chosen again."""
    grey = np.random.default_rng(0).integers(100, 140, (6, 48, 64, 1), np.uint8).repeat(3, axis=3)
    frames = [*grey, *pictures(6)]
    own_colours, palettes = [], set()

    def getdata(*args, getdata=GifImagePlugin.getdata, **settings):
        own_colours.append(settings["include_color_table"])
        palettes.add(bytes(args[0].getpalette()))
        return getdata(*args, **settings)

    monkeypatch.setattr(GifImagePlugin, "getdata", getdata)
    write(tmp_path / "a.gif", [Frame(pixels, pts) for pts, pixels in enumerate(frames)])
    _, found = played(tmp_path / "a.gif")
    assert own_colours == [False] * 6 + [True] * 6
    assert len(palettes) == 2
    for frame, pixels in zip(frames, found, strict=True):
        assert np.abs(pixels.astype(int) - frame).mean() < 8


def test_a_frame_may_be_shown_longer_than_a_gif_can_say(tmp_path):
    write(tmp_path / "a.gif", frames_at([0, 2000, 2001]), Fraction(1))
    durations, pixels = played(tmp_path / "a.gif")
    assert sum(durations) == 2_002_000
    assert durations[:4] == [655_350, 655_350, 655_350, 33_950]
    assert all(np.array_equal(pixels[0], same) for same in pixels[1:4])


@pytest.mark.parametrize(("loop", "found"), [(True, 0), (False, None)])
def test_a_gif_is_repeated_or_not(loop, found, tmp_path):
    write(tmp_path / "a.gif", frames_at(range(3)), loop=loop)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info.get("loop") == found


@pytest.mark.parametrize(("loop", "found"), [(True, 0), (False, 1)])
def test_a_webp_is_repeated_or_not(loop, found, tmp_path):
    write(tmp_path / "a.webp", frames_at(range(3)), loop=loop)
    with Image.open(tmp_path / "a.webp") as image:
        assert image.info["loop"] == found


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_frame_is_a_film(ending, tmp_path):
    write(tmp_path / f"a{ending}", frames_at([7]), metadata="a = 1")
    _, (pixels,) = played(tmp_path / f"a{ending}")
    assert pixels.shape == (48, 64, 3)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 90)])
def test_frames_of_one_colour_are_written(ending, colour, tmp_path):
    frames = [np.full((16, 16, 3), colour, np.uint8), np.full((16, 16, 3), 77, np.uint8)]
    write(tmp_path / f"a{ending}", [Frame(pixels, pts) for pts, pixels in enumerate(frames)])
    _, found = played(tmp_path / f"a{ending}")
    assert np.abs(np.asarray(found, int) - frames).max() <= 3


def test_a_gif_is_written_while_its_frames_are_made(tmp_path):
    """So that its frames need not all be in memory."""
    sizes = []

    def frames():
        for pixels, pts in zip(pictures(40), range(40), strict=True):
            yield Frame(pixels, pts)
            if sizes or pts:
                (part,) = tmp_path.iterdir()
                sizes.append(part.stat().st_size)

    write(tmp_path / "a.gif", frames())
    assert sizes[-1] > 0.8 * (tmp_path / "a.gif").stat().st_size
    assert len(set(sizes)) > 5


def test_a_webp_that_does_not_fit_in_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(animation, "free_memory", lambda: 20_000)
    with pytest.raises(OutputError, match=r"a\.webp: Pillow needs all frames"):
        write(tmp_path / "a.webp", frames_at(range(3)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("ending", "width"), [(".webp", 16384), (".gif", 65536)])
def test_a_side_that_is_too_long_for_the_format_is_refused(ending, width, tmp_path):
    with pytest.raises(OutputError, match=f"is at most {width - 1} pixels wide and high"):
        write(tmp_path / f"a{ending}", [Frame(np.zeros((2, width, 3), np.uint8), 0)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_frames_are_refused(ending, tmp_path):
    with pytest.raises(OutputError, match="there are no frames"):
        write(tmp_path / f"a{ending}", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_frames_of_different_sizes_are_refused(ending, tmp_path):
    frames = [*frames_at([0]), Frame(np.zeros((48, 66, 3), np.uint8), 1)]
    with pytest.raises(ValueError, match="has the shape"):
        write(tmp_path / f"a{ending}", frames)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("room", [0, 1000])
def test_a_full_disk_is_said_and_the_old_film_is_kept(ending, room, tmp_path, full_disk):
    (tmp_path / f"a{ending}").write_text("old")
    full_disk(room)
    with pytest.raises(OutputError, match=rf"a\{ending}: the disk is full"):
        write(tmp_path / f"a{ending}", frames_at(range(9)))
    assert (tmp_path / f"a{ending}").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_an_interruption_nothing_is_left(ending, tmp_path):
    def frames():
        yield from frames_at(range(3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"a{ending}", frames())
    assert list(tmp_path.iterdir()) == []
