"""Errors for the user. Every message is one line. Most messages say what to do."""

import difflib
import re
from collections.abc import Iterable


class DreamError(Exception):
    """An error that a command prints as one line before it exits with code 2."""


class PictureError(DreamError):
    """An unusable picture file, or a picture of the wrong size."""


class SettingsError(DreamError):
    """An invalid settings file or override."""


class NetworkError(DreamError):
    """A network, layer or weights file that does not exist or cannot be used."""


class OutputError(DreamError):
    """A file or folder that cannot be written, or a folder that is not empty."""


class Diverged(DreamError):
    """The loss or its gradient became infinite or NaN, or the loss became much larger than at the start."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the most similar known name, or an empty text if no name is similar."""
    by_lower = {word.lower(): word for word in known}
    wanted = name.lower()
    near = [word for word in by_lower if word == wanted]
    near = near or [word for word in by_lower if word.endswith(f".{wanted}")]  # the last part of a dotted key
    near = near or difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return f" (did you mean '{by_lower[near[0]]}'?)" if near else ""


def plain_words(complaint: str) -> str:
    """Rephrase a message of pydantic or Typer without its jargon."""
    plain = re.sub("(^|: )(Value error, |(Input|Dictionary) (?=should))", r"\1", complaint)
    plain = re.sub(r"a valid dictionary or instance of \w+", "a table", plain)
    return plain.replace("a valid dictionary", "a table").partition(", unable to")[0]
