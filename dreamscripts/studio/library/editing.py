"""Change values in the text of settings, and keep its comments and its order."""

from collections.abc import Mapping
from typing import Any


def changed(toml: str, changes: Mapping[str, Any]) -> str:
    """Return TOML with other values for some dotted keys. None removes a key. Comments stay where they are.

    Raises SettingsError if the text is not TOML, or if a part of a key is a value.
    """
    return toml
