"""What a person can cause: every message is one line for that person, and says what to do."""

import difflib
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
    """` (did you mean 'x'?)` for the nearest known name, or nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""
