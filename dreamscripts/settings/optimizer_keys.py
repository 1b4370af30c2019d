"""The keys of the table [optimizer]. Each optimizer has its own keys.

In older versions, all optimizers had the same keys.
"""

import logging
from collections.abc import Mapping
from typing import Any

from dreamscripts.registry import OPTIMIZERS

log = logging.getLogger(__name__)

DEFAULT = "lbfgs"
"""The optimizer if the settings name no optimizer."""

RENAMED = {"evaluations": "passes"}

SHARED = {"where": "scipy", "history": 5, "step": 1.5, "laplacian": 0, "normalise": "mean", "max_score": None}
"""The keys, with their defaults, that every optimizer accepted in older versions, even if it did not use them."""

_WRITTEN = {"name", "iterations", "clip", "step", "normalise"}
_COMPLETE = (  # a table that an older version wrote itself has all of these keys
    _WRITTEN | {"evaluations"},
    _WRITTEN | {"passes", "parameters", "laplacian", "where", "history"},
)


def modernised(table: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a table [optimizer] of an older version to the current keys.

    Keys in SHARED that the optimizer does not have had no effect. They are removed if they have the default value, or
    if an older version wrote the table itself. Such a table has all keys.
    """
    new = dict(table)
    for old, key in RENAMED.items():
        if old in new and key not in new:
            new[key] = new.pop(old)
    name = table.get("name", DEFAULT)
    if not is_known(name):
        return new
    complete = any(keys <= table.keys() for keys in _COMPLETE)
    fields = OPTIMIZERS[name].settings.model_fields

    def had_no_effect(key: str, value: Any) -> bool:
        return key in SHARED and key not in fields and (complete or value == SHARED[key])

    return {key: value for key, value in new.items() if not had_no_effect(key, value)}


def switched(table: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    """Remove the keys of the table's optimizer that the optimizer `name` does not have.

    Logs a warning for keys that several optimizers have, because they describe the dream. A key of one optimizer only
    says how this optimizer works.
    """
    before = table.get("name", DEFAULT)
    if before == name or not is_known(before) or not is_known(name):
        return dict(table)
    old_keys, new_keys = (OPTIMIZERS[optimizer].settings.model_fields for optimizer in (before, name))
    lost = [key for key in table if key in old_keys and key not in new_keys]
    if shared := [key for key in lost if len(_owners(key)) > 1]:
        listed, verb = ", ".join(shared), "is" if len(shared) == 1 else "are"
        log.warning("%s: %s of %s %s ignored, because %s has no such setting", source, listed, before, verb, name)
    return {key: value for key, value in table.items() if key not in lost}


def refusal(key: str, name: Any) -> str:
    """Return a message if other optimizers have the key but the optimizer `name` does not, otherwise ""."""
    owners = _owners(key)
    if not owners or name in owners or not is_known(name):
        return ""
    keys = [key for key in OPTIMIZERS[name].settings.model_fields if key != "name"]
    return (
        f"{name} has no setting 'optimizer.{key}'; {' and '.join(owners)} "
        f"{'has' if len(owners) == 1 else 'have'} it, and {name} has {', '.join(keys)}"
    )


def _owners(key: str) -> list[str]:
    return [entry.name for entry in OPTIMIZERS.values() if key in entry.settings.model_fields]


def is_known(name: Any) -> bool:
    """Return whether a value of `optimizer.name` is the name of an optimizer."""
    return isinstance(name, str) and name in OPTIMIZERS
