from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from small_films import pictures, write_film

from dreamscripts.errors import FilmError
from dreamscripts.film_files.animation import write_animation
from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import KINDS
from dreamscripts.film_files.metadata import as_xmp, from_xmp, read_metadata

ANIMATIONS = (".gif", ".webp")


def animation(path, text=""):
    frames = (Frame(pixels, pts) for pts, pixels in enumerate(pictures(3)))
    write_animation(path, frames, Fraction(1, 10), KINDS[path.suffix], metadata=text)
    return path


@examples(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_xmp(text):
    assert from_xmp(as_xmp(text)) == text


@pytest.mark.parametrize("xmp", [b"", b"<x/>", b'<rdf:li xml:lang="x-default">', b"\xff\0" * 100])
def test_xmp_without_a_description_is_nothing(xmp):
    assert from_xmp(xmp) is None


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_an_animation_without_a_text_has_none(ending, tmp_path):
    assert read_metadata(animation(tmp_path / f"a{ending}")) is None


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_the_beginning_of_an_animation_is_enough(ending, tmp_path):
    """Or the damage is said."""
    path = animation(tmp_path / f"a{ending}", "a = 1\n" * 100)
    whole = path.read_bytes()
    for length in range(1, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            assert read_metadata(path) in (None, "a = 1\n" * 100)
        except FilmError as error:
            assert "\n" not in str(error)
            assert str(error).startswith(f"{path}: ")


@pytest.fixture(scope="module", params=[*ANIMATIONS, ".mp4", ".mkv"])
def film(request, tmp_path_factory):
    """Return the path of a small film, and its content."""
    path = tmp_path_factory.mktemp("film") / f"a{request.param}"
    if request.param in ANIMATIONS:
        animation(path, "a = 1")
    else:
        pytest.importorskip("av")
        write_film(path, pictures(3))
    return path, path.read_bytes()


@examples(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_film_is_read_or_said_in_one_line(film, changes):
    path, content = film
    content = bytearray(content)
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path.write_bytes(content)
    try:
        read_metadata(path)
    except FilmError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"GIF89a", b"RIFF\x10\0\0\0WEBPVP8X", b"\0\0\0\x20ftypisom", b"#EXTM3U\n"]
)
def test_what_is_not_a_film_is_said(content, tmp_path):
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(FilmError, match=r"^\S*a\.mp4: "):
        read_metadata(tmp_path / "a.mp4")


def test_a_missing_film_is_said(tmp_path):
    with pytest.raises(FilmError, match="there is no such film"):
        read_metadata(tmp_path / "a.mp4")


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".avi"])
def test_the_comment_of_another_program_is_read(ending, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / f"a{ending}"), "w") as film:
        film.metadata.update(title="Film", comment="by hand")
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for pixels in pictures(2):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        film.mux(stream.encode())
    assert read_metadata(tmp_path / f"a{ending}") == "by hand"


@pytest.mark.parametrize("ending", ANIMATIONS)
def test_a_text_that_is_too_long_is_refused(ending, tmp_path, monkeypatch):
    path = animation(tmp_path / f"a{ending}", "ä" * 1000)
    assert read_metadata(path) == "ä" * 1000
    monkeypatch.setattr("dreamscripts.film_files.metadata.LONGEST", 999)
    with pytest.raises(FilmError, match="the text inside it is too long"):
        read_metadata(path)


def test_a_gif_that_unpacks_to_much_is_not_unpacked(tmp_path):
    """The size in the header is 4 gigapixels."""
    content = animation(tmp_path / "a.gif", "a = 1").read_bytes()
    (tmp_path / "b.gif").write_bytes(content[:6] + b"\xff\xff\xff\xff" + content[10:])
    with pytest.raises(FilmError, match=r"b\.gif: is too large"):
        read_metadata(tmp_path / "b.gif")
