"""What a person can cause: every message is one line for that person, and says what to do."""

import difflib
import re
from collections.abc import Iterable


class DreamError(Exception):
    """A mistake or a misfortune that the person at the keyboard can mend; a script ends with exit code 2."""


class PictureError(DreamError):
    """A file that is no usable picture."""


class SettingsError(DreamError):
    """A settings file, or an override of it, that says something it cannot say."""


class NetworkError(DreamError):
    """A network, a layer of it or its weights that cannot be had."""


class OutputError(DreamError):
    """Files that cannot be written, or that would overwrite another run."""


class Diverged(DreamError):
    """The loss or its gradient left the numbers."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known name, in whatever case, or nothing where none is near."""
    by_lower = {word.lower(): word for word in known}
    wanted = name.lower()
    near = [word for word in by_lower if word == wanted]
    near = near or [word for word in by_lower if word.endswith(f".{wanted}")]  # a dotted key named by its last part
    near = near or difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return f" (did you mean '{by_lower[near[0]]}'?)" if near else ""


def plain_words(complaint: str) -> str:
    """What pydantic says of a value, on a settings file's behalf or on Typer's, without its own jargon."""
    plain = re.sub("(^|: )(Value error, |(Input|Dictionary) (?=should))", r"\1", complaint)
    plain = re.sub(r"a valid dictionary or instance of \w+", "a table with keys of its own", plain)
    return plain.replace("a valid dictionary", "a table").partition(", unable to")[0]
