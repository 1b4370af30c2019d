import hashlib
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from small_films import decode, pictures

av = pytest.importorskip("av")
from dreamscripts.errors import OutputError  # noqa: E402
from dreamscripts.film_files.encoding import encode  # noqa: E402
from dreamscripts.film_files.frame import Frame  # noqa: E402
from dreamscripts.film_files.kinds import KINDS, Kind  # noqa: E402

ENCODERS = ("libx264", "libsvtav1", "libvpx-vp9")
PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255), (128, 128, 128)]
PATCHES += [(255, 255, 255), (0, 0, 0), (200, 100, 50), (30, 60, 90), (250, 240, 230), (3, 3, 3), (90, 20, 10)]
MP4 = KINDS[".mp4"]


@pytest.fixture(params=ENCODERS)
def kind(request):
    if request.param not in av.codecs_available:
        pytest.skip(f"PyAV was built without {request.param}")
    return Kind("some", "mp4", (request.param,))


def frames_at(times):
    return [Frame(pixels, pts) for pixels, pts in zip(pictures(len(times)), times, strict=True)]


def in_rgb(frame):
    """Convert a decoded frame according to the tags of the file."""
    tags = {"src_colorspace": frame.colorspace, "src_color_range": frame.color_range}
    return frame.to_ndarray(format="rgb24", interpolation=0x42004, **tags).astype(float)  # bicubic, exact


def times_in(path):
    """Return the times of all frames in seconds, and the duration of the last packet."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        times = [frame.pts * stream.time_base for frame in film.decode(stream)]
        return times, stream.duration * stream.time_base


@pytest.mark.parametrize(
    ("time_base", "times"),
    [
        (Fraction(1, 25), range(3)),
        (Fraction(1, 12800), range(7, 7 + 512 * 4, 512)),  # 25 frames per second, not from 0 on
        (Fraction(1, 1000), [0, 33, 67, 100, 5000, 5017]),  # a variable rate
        (Fraction(1001, 30000), [1, 2, 3, 5]),
        (Fraction(1, 90000), [129003, 132006, 135009]),
        (Fraction(1, 1_000_000_000), [3, 4, 2_000_000_007]),
        (Fraction(1, 1000), [86_400_001, 86_400_034]),  # a segment after a day
        (Fraction(2, 3), [1, 2, 4]),
    ],
)
def test_times_are_kept_exactly(kind, time_base, times, tmp_path):
    encode(tmp_path / "a.mp4", frames_at(times), time_base, Fraction(25), kind)
    found, _ = times_in(tmp_path / "a.mp4")
    assert found == [pts * time_base for pts in times]


@examples(max_examples=15)
@given(st.integers(1, 2**20), st.lists(st.integers(1, 10**5), min_size=1, max_size=5), st.integers(0, 10**6))
def test_any_times_are_kept_exactly(tmp_path_factory, ticks, gaps, first):
    path = tmp_path_factory.mktemp("times") / "a.mp4"
    times = [first + sum(gaps[:n]) for n in range(len(gaps) + 1)]
    encode(path, frames_at(times), Fraction(1, ticks), Fraction(25), MP4)
    assert times_in(path)[0] == [Fraction(pts, ticks) for pts in times]


def test_the_last_frame_is_shown_as_long_as_the_mean_frame(kind, tmp_path):
    encode(tmp_path / "a.mp4", frames_at([0, 400]), Fraction(1, 10000), Fraction(25, 2), kind)
    assert times_in(tmp_path / "a.mp4")[1] == Fraction(1200, 10000)


def test_colours_come_back_through_the_tags_of_the_file(kind, tmp_path):
    bars = np.concatenate([np.full((32, 32, 3), colour, np.uint8) for colour in PATCHES], axis=1)
    encode(tmp_path / "a.mp4", [Frame(bars, 0), Frame(bars, 1)], Fraction(1, 25), Fraction(25), kind)
    with av.open(str(tmp_path / "a.mp4")) as film:
        context = film.streams.video[0].codec_context
        tags = context.color_range, context.colorspace, context.color_primaries, context.color_trc
        assert (context.pix_fmt, tags) == ("yuv420p", (1, 1, 1, 1))  # limited range, BT.709
    for frame in decode(tmp_path / "a.mp4"):
        pixels = in_rgb(frame)
        for number, colour in enumerate(PATCHES):
            patch = pixels[8:-8, 32 * number + 8 : 32 * number + 24]
            assert np.abs(patch - colour).max() <= 3, colour


def test_pictures_come_back_without_a_visible_difference(kind, tmp_path):
    frames = frames_at(range(40))
    encode(tmp_path / "a.mp4", frames, Fraction(1, 25), Fraction(25), kind)
    for frame, decoded in zip(frames, decode(tmp_path / "a.mp4"), strict=True):
        error = in_rgb(decoded) - frame.pixels
        assert 10 * np.log10(255**2 / (error**2).mean()) > 35


PROGRAM = """
import hashlib, sys
from fractions import Fraction
from pathlib import Path
from small_films import pictures
from dreamscripts.film_files.encoding import encode
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import Kind

frames = [Frame(pixels, pts) for pts, pixels in enumerate(pictures(30))]
encode(sys.argv[1], frames, Fraction(1, 25), Fraction(25), Kind("some", "mp4", (sys.argv[2],)))
print(hashlib.sha256(Path(sys.argv[1]).read_bytes()).hexdigest())
"""


def test_the_same_frames_are_the_same_bytes_here_and_in_another_process(kind, tmp_path):
    hashes = set()
    for name in ("a", "b"):
        encode(tmp_path / name, frames_at(range(30)), Fraction(1, 25), Fraction(25), kind)
        hashes.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "SVT_LOG": "1"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "c"), *kind.encoders]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert {found.stdout.strip()} == hashes
    assert found.stderr == ""


def test_no_frame_is_shown_later_than_it_is_decoded(kind, tmp_path):
    """Segments can only be put one after the other if each is complete in itself, in the order of the frames."""
    encode(tmp_path / "a.mp4", frames_at(range(40)), Fraction(1, 25), Fraction(25), kind)
    with av.open(str(tmp_path / "a.mp4")) as film:
        packets = [packet for packet in film.demux(video=0) if packet.size]
    assert [(packet.pts, packet.dts) for packet in packets] == [(number, number) for number in range(40)]
    assert packets[0].is_keyframe


def test_players_find_what_they_need(tmp_path):
    encode(tmp_path / "a.mp4", frames_at(range(3)), Fraction(1, 25), Fraction(25), MP4)
    content = (tmp_path / "a.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")  # the index before the pictures
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.streams.video[0].codec_context.codec_tag == "avc1"


def test_the_memory_does_not_grow_with_the_film(tmp_path, monkeypatch):
    """The encoder is never more than some frames behind the generator that makes them."""
    made, muxed = [], []
    mux = av.container.OutputContainer.mux

    def frames():
        for pixels, pts in zip(pictures(400, 32, 32), range(400), strict=True):
            made.append(pts)
            yield Frame(pixels, pts)

    class Output:
        def __init__(self, output):
            self._output = output

        def __getattr__(self, name):
            return getattr(self._output, name)

        def mux(self, packet):
            muxed.append(len(made) - packet.pts)
            mux(self._output, packet)

    monkeypatch.setattr(av, "open", lambda *args, open=av.open, **keys: Output(open(*args, **keys)))
    encode(tmp_path / "a.mp4", frames(), Fraction(1, 25), Fraction(25), MP4)
    assert len(muxed) == 400
    assert max(muxed) < 80


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_after_an_interruption_nothing_is_left(error, tmp_path):
    (tmp_path / "a.mp4").write_text("old")

    def frames():
        yield from frames_at(range(60))
        raise error

    with pytest.raises(error):
        encode(tmp_path / "a.mp4", frames(), Fraction(1, 25), Fraction(25), MP4)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "old"


@pytest.mark.parametrize("written", [0, 1000])
def test_a_full_disk_is_said_and_nothing_is_left(written, tmp_path, full_disk):
    full_disk(written)
    with pytest.raises(OutputError, match=r"^\S*a\.mp4: the disk is full"):
        encode(tmp_path / "a.mp4", frames_at(range(90)), Fraction(1, 25), Fraction(25), MP4)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(OutputError, match=r"a\.mp4: cannot be written: No such file"):
        encode(tmp_path / "none" / "a.mp4", frames_at([0]), Fraction(1, 25), Fraction(25), MP4)


def test_no_frames_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"a\.mp4: there are no frames"):
        encode(tmp_path / "a.mp4", [], Fraction(1, 25), Fraction(25), MP4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("times", [[0, 0], [5, 4], [-1, 0]])
def test_times_that_do_not_increase_are_refused(times, tmp_path):
    with pytest.raises(ValueError, match="has the time"):
        encode(tmp_path / "a.mp4", frames_at(times), Fraction(1, 25), Fraction(25), MP4)


def test_a_frame_of_another_size_is_refused(tmp_path):
    frames = [Frame(np.zeros((48, 64, 3), np.uint8), 0), Frame(np.zeros((48, 66, 3), np.uint8), 1)]
    with pytest.raises(ValueError, match="66×48, not 64×48"):
        encode(tmp_path / "a.mp4", frames, Fraction(1, 25), Fraction(25), MP4)


def test_a_pyav_without_the_encoder_is_said(tmp_path):
    with pytest.raises(OutputError, match="PyAV was built without libnothing"):
        encode(tmp_path / "a.mp4", frames_at([0]), Fraction(1, 25), Fraction(25), Kind("x", "mp4", ("libnothing",)))


def test_the_second_encoder_is_used_without_the_first(tmp_path):
    kind = Kind("x", "mp4", ("libnothing", "libvpx-vp9"))
    encode(tmp_path / "a.mp4", frames_at([0, 1]), Fraction(1, 25), Fraction(25), kind)
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.streams.video[0].codec_context.codec.canonical_name == "vp9"
