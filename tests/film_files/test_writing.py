"""A whole film of frames, by the ending of its name."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from dreamscripts.errors import OutputError
from dreamscripts.film_files.writing import write_film

SETTINGS = 'network = "pocket"\n'


def frames(count=6):
    for number in range(count):
        yield np.full((32, 48, 3), 40 * number, np.uint8)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_a_film_has_all_frames_and_the_settings(ending, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / f"film.{ending}"
    assert write_film(path, frames(), Fraction(25), metadata=SETTINGS) == []
    with av.open(str(path)) as film:
        metadata = {key.lower(): value for key, value in film.metadata.items()}
        seen = [(float(frame.time), frame.to_ndarray(format="rgb24").mean()) for frame in film.decode(video=0)]
    assert metadata["comment"] == SETTINGS
    assert [time for time, _ in seen] == pytest.approx([number / 25 for number in range(6)], abs=0.001)
    assert [mean for _, mean in seen] == pytest.approx([40 * number for number in range(6)], abs=3)
    assert [path.name for path in tmp_path.iterdir()] == [f"film.{ending}"]


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_needs_no_other_library(ending, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    path = tmp_path / f"film.{ending}"
    write_film(path, frames(), Fraction(10), metadata=SETTINGS)
    with Image.open(path) as animation:
        assert animation.n_frames == 6
        animation.seek(5)
        assert np.asarray(animation.convert("RGB")).mean() == pytest.approx(200, abs=3)


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, OutputError("iteration_003.png: is damaged")])
def test_nothing_is_left_of_a_film_whose_frames_end_in_an_error(ending, stop, tmp_path):
    pytest.importorskip("av")

    def broken():
        yield from frames(3)
        raise stop

    with pytest.raises(type(stop) if isinstance(stop, Exception) else stop):
        write_film(tmp_path / f"film.{ending}", broken(), Fraction(10))
    assert list(tmp_path.iterdir()) == []
