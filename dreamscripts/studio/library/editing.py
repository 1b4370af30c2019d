"""Change values in the text of settings, and keep its comments and its order."""

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any

import tomli_w
import tomlkit
from tomlkit.exceptions import TOMLKitError

from dreamscripts.errors import SettingsError, short, shown
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.settings.loading import parse_toml
from dreamscripts.settings.network_names import short_name
from dreamscripts.settings.optimizer_keys import DEFAULT, RENAMED, is_known

LONGEST = 100_000  # characters of settings that a page may send
MOST_WITH_COMMENTS = 20_000  # characters: the time to find the comments grows with their square
SOURCE = "settings"  # in messages


def changed(toml: str, changes: Mapping[str, Any]) -> str:
    """Return TOML with other values for some dotted keys. None removes a key. Comments stay where they are.

    Of very long settings, which no person writes, the comments are lost.

    The key of a layer is "features." and its name. With another optimizer, the keys that it does not have are removed.
    Raises SettingsError if the text is not TOML, or if a part of a key is a value.
    """
    table = parsed(toml)
    text = _changed_with_comments(toml, changes) if len(toml) <= MOST_WITH_COMMENTS else ""
    for key, value in changes.items():
        _change(table, key, copy.deepcopy(value))
    if text and _parses_to(text, table):
        return text
    try:
        return tomli_w.dumps(table)  # without comments, but with the right values
    except (ValueError, RecursionError):  # a number of thousands of digits, for example
        raise SettingsError(f"{SOURCE}: contain a value that no setting can have") from None


def _changed_with_comments(toml: str, changes: Mapping[str, Any]) -> str:
    """Return the text with the changes, or "" if the library that keeps comments cannot read it."""
    try:
        document = tomlkit.parse(toml)
        for key, value in changes.items():
            _change(document, key, value)
        return document.as_string()
    except (TOMLKitError, RecursionError):
        return ""


def parsed(toml: str) -> dict[str, Any]:
    """Parse TOML that a page sent. Raises SettingsError."""
    if len(toml) > LONGEST:
        raise SettingsError(f"{SOURCE}: are longer than {LONGEST} characters")
    return parse_toml(toml, SOURCE)


def _parses_to(text: str, table: dict[str, Any]) -> bool:
    try:
        return parse_toml(text, SOURCE) == table
    except SettingsError:
        return False


def _change(table: MutableMapping[str, Any], key: str, value: Any) -> None:
    *parents, last = _place(table, key)
    for parent in parents:
        if parent == "tiles" and isinstance(table.get(parent), str):
            table[parent] = {"kind": str(table[parent])}  # the table may be written as a word
        if parent not in table:
            if value is None:
                return
            table[parent] = {}
        table = table[parent]
        if not isinstance(table, MutableMapping):
            raise SettingsError(f"{SOURCE}: '{shown(short(parent))}' is a value, not a table")
    if parents == ["optimizer"]:
        _prepare_optimizer(table, last, value)
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value


def _place(table: Mapping[str, Any], key: str) -> list[str]:
    """Return the parts of a key. The name of a layer is one part, whatever it contains."""
    first, dot, rest = key.partition(".")
    if not (first and (rest or not dot)):
        raise SettingsError(f"{SOURCE}: there is no setting '{shown(short(key))}'")
    if first != "features" or not rest:
        return key.split(".")
    instead, network = table.get("instead"), table.get("network")
    if isinstance(instead, Mapping) and isinstance(network, str):  # features for this network replace the others
        for name in (network, short_name(network)):
            if isinstance(instead.get(name), Mapping):
                return ["instead", name, rest]
    return [first, rest]


def _prepare_optimizer(table: MutableMapping[str, Any], key: str, value: Any) -> None:
    """Remove what a new value of a key in [optimizer] replaces: an old name of this key, keys of another optimizer."""
    for old, new in RENAMED.items():
        if key == new:
            table.pop(old, None)
    name = DEFAULT if value is None else value
    if key == "name" and is_known(name):
        fields = OPTIMIZERS[name].settings.model_fields
        others = {field for entry in OPTIMIZERS.values() for field in entry.settings.model_fields} - fields.keys()
        for other in others:
            table.pop(other, None)
