"""Errors for the user. Every message is one line. Most messages say what to do."""

import difflib
import os
import re
import shlex
import subprocess
from collections.abc import Iterable

LONGEST = 1000  # characters of a message
SIMILAR = 0.6  # ratio (difflib) from which on a name is similar to another
SHORT = 200  # characters of a part of a message that a file or a library determines


class DreamError(Exception):
    """An error that a command prints as one line before it exits with code 2.

    The middle of a very long message is omitted: it is a name of thousands of characters, which nobody reads.
    """

    def __str__(self) -> str:
        message = super().__str__()
        half = LONGEST // 2 - 5
        return message if len(message) <= LONGEST else f"{message[:half]} [...] {message[-half:]}"


class PictureError(DreamError):
    """An unusable picture file, or a picture of the wrong size."""


class FilmError(DreamError):
    """An unusable film file, or a film that cannot be read without a package that is missing."""


class SettingsError(DreamError):
    """An invalid settings file or override."""


class NetworkError(DreamError):
    """A network, layer or weights file that does not exist or cannot be used."""


class OutputError(DreamError):
    """A file or folder that cannot be written, or a folder that is not empty."""


class Diverged(DreamError):
    """The loss or its gradient became infinite or NaN, or the loss became much larger than at the start."""


# Control characters, line separators, bidirectional controls, invisible spaces, and the surrogates with which Python
# represents the bytes of a file name that is not UTF-8.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def shown(text: str) -> str:
    r"""Return a text with visible escapes in place of characters that a terminal obeys or hides.

    `\x1b` replaces the escape character, and `\n` a newline, so the text is one line. A byte of a file name that is not
    UTF-8 becomes `\xff`. A text that was returned by this function is not changed again.
    """
    return _OBEYED.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def short(text: str) -> str:
    """Return a text from a file or a library in one line of at most SHORT characters."""
    line = " ".join(text[: 10 * SHORT].split())
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8, which a file name from other bytes cannot."""
    return not re.search("[\ud800-\udfff]", text)


def quoted(text: str) -> str:
    """Quote a word of a command for the shell of this system.

    Characters that `shown` replaces are written as bytes in the form `$'…'`, which bash and zsh read.
    """
    if os.name == "nt":
        return subprocess.list2cmdline([text])
    if shown(text) == text:
        return shlex.quote(text)
    return f"$'{''.join(map(_in_ansi_c_quotes, text))}'"


def _in_ansi_c_quotes(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if shown(character) == character:
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the most similar known name, or an empty text if no name is similar.

    If several are equally similar, it is the first.
    """
    by_lower = {word.lower(): word for word in known}
    wanted = name.lower()
    near = [word for word in by_lower if word == wanted]
    near = near or [word for word in by_lower if word.endswith(f".{wanted}")]  # the last part of a dotted key
    matcher = difflib.SequenceMatcher(b=wanted)

    def similarity(word: str) -> float:
        matcher.set_seq1(word)
        return matcher.ratio() if matcher.real_quick_ratio() >= SIMILAR else 0.0

    near = near or sorted((word for word in by_lower if similarity(word) >= SIMILAR), key=similarity, reverse=True)
    return f" (did you mean '{by_lower[near[0]]}'?)" if near else ""


PLAIN = {
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
    "a valid dictionary": "a table",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid string": "text",
    "a valid boolean": "true or false",
    "a valid list": "a list",
}
"""What pydantic says that something should be, and what a person would say."""


def plain_words(complaint: str) -> str:
    """Rephrase a message of pydantic or Typer without its jargon."""
    plain = re.sub("(^|: )(Value error, |(Input|Dictionary) (?=should))", r"\1", complaint)
    plain = re.sub(r"a valid dictionary or instance of \w+", "a table", plain)
    plain = re.sub(r"List (should have .* items?) after validation.*", r"\1", plain)
    for jargon, word in PLAIN.items():
        plain = plain.replace(f"should be {jargon}", f"should be {word}")
    return plain.partition(", unable to")[0]
