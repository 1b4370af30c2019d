import sys

import pytest

from dreamscripts.errors import OutputError
from dreamscripts.film_files.kinds import KINDS, kind_of


@pytest.mark.parametrize("ending", KINDS)
def test_an_ending_in_small_or_capital_letters_is_a_kind(ending):
    if not KINDS[ending].is_animation:
        pytest.importorskip("av")
    assert kind_of(f"folder.gif/a b{ending}") is KINDS[ending]
    assert kind_of(f"A{ending.upper()}") is KINDS[ending]


@pytest.mark.parametrize("name", ["film", "film.avi", "mp4", ".mp4", "film.mp4.part", "film.jpg"])
def test_another_ending_is_refused_with_those_that_work(name):
    with pytest.raises(OutputError) as caught:
        kind_of(name)
    assert str(caught.value) == (
        f"{name}: is not the name of a film; use a name that ends in .mp4, .mov, .mkv, .webm, .gif or .webp"
    )


def test_without_pyav_only_animations_can_be_written(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert kind_of("a.gif").is_animation
    assert kind_of("a.WebP").is_animation
    with pytest.raises(OutputError, match=r'^a\.webm: WebM films need PyAV; run pip install "dreamscripts\[video\]"'):
        kind_of("a.webm")
