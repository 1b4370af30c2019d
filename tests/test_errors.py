"""Texts for the user."""

from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import shown


def test_what_a_terminal_obeys_or_hides_becomes_visible():
    assert shown("red\x1b[31m.png") == r"red\x1b[31m.png"
    assert shown("two\nlines\t\r\x00\x9b") == r"two\nlines\t\r\x00\x9b"
    assert shown("gnp.\u202eexe\u2066\u200b\ufeff") == r"gnp.\u202eexe\u2066\u200b\ufeff"
    assert shown(b"caf\xe9.png".decode(errors="surrogateescape")) == r"caf\xe9.png"
    assert shown("\ud800") == r"\ud800"


def test_names_in_any_alphabet_stay_as_they_are():
    for name in (
        "夕焼け.jpg",
        "غروب.png",
        "👨\u200d👩\u200d👧.png",
        r"C:\new\photo.jpg",
        "my [bold]$x_1$ 'cat' 100%.png",
    ):
        assert shown(name) == name


@given(st.text(st.characters(codec=None)))
def test_a_shown_text_is_one_printable_line_and_is_not_changed_again(text):
    seen = shown(text)
    assert seen.splitlines() == ([seen] if seen else [])
    assert shown(seen) == seen
    seen.encode()
