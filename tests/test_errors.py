"""Texts for the user."""

import os
import subprocess

from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dreamscripts.errors import did_you_mean, quoted, shown


def is_a_name(text: str) -> bool:
    """Return whether a file can have this name."""
    try:
        return os.fsdecode(os.fsencode(text)) == text
    except UnicodeEncodeError:
        return False


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


@examples(max_examples=20)
@given(st.lists(st.text(st.characters(codec=None, exclude_characters="\0")).filter(is_a_name), min_size=1))
@example(["it's", "$HOME", r"a\b", "two\nlines'", "\udcff'", r"\x1b" + "\x1b0", "-x", "~", "\u202e", "!!", ""])
def test_a_quoted_name_is_the_same_word_for_bash(names):
    command = f"printf '%s\\0' {' '.join(map(quoted, names))}"
    assert shown(command) == command
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode(errors="surrogateescape").split("\0")[:-1] == names


def test_a_word_is_quoted_for_windows_there(monkeypatch):
    monkeypatch.setattr("os.name", "nt")
    assert quoted("my photo.jpg") == '"my photo.jpg"'


def test_of_equally_similar_names_the_first_is_meant():
    assert did_you_mean("vgg", ["pocket", "vgg16", "vgg19"]) == " (did you mean 'vgg16'?)"
    assert did_you_mean("vgg", ["vgg19", "vgg16"]) == " (did you mean 'vgg19'?)"
    assert did_you_mean("vgg199", ["vgg16", "vgg19"]) == " (did you mean 'vgg19'?)"
    assert did_you_mean("x", []) == ""
