"""The files that settings name: a model, weights and a guide picture.

Settings may come from a stranger, for example inside a picture. So a file that only the settings name is opened only if
the user allows it.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamscripts.errors import SettingsError, shown
from dreamscripts.settings.network_names import is_model_file

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings

KINDS = {"network": "model", "weights": "weights", "guide.picture": "guide picture"}
"""The keys that can name a file, and what the file contains."""
OPTIONS = {"network": "--network", "weights": "--weights", "guide.picture": "--guide"}
WEIGHTS_WITHOUT_A_FILE = ("imagenet", "random", "none")


def is_file(key: str, value: str) -> bool:
    """Return whether this value of a key in KINDS is a file, not the name of a network or of weights."""
    return is_model_file(value) if key == "network" else key != "weights" or value not in WEIGHTS_WITHOUT_A_FILE


def absolute(path: str, folder: Path | None = None) -> str:
    """Return an absolute path, so that a run can be resumed from another folder. `~` is the home folder.

    A relative path is relative to `folder` if the file exists there, and otherwise to the current folder.
    """
    expanded = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser fails without a home folder
    if folder is not None and os.path.isfile(folder / expanded):  # noqa: PTH113 - for any text, also with NUL
        return str((folder / expanded).absolute())
    try:
        return str(Path(expanded).absolute())
    except OSError:  # somebody has deleted the current folder, so there is no such file
        return expanded


def make_absolute(table: dict[str, Any], folder: Path) -> None:
    """Make the paths absolute in a table that was read from a settings file in `folder`."""
    for key in KINDS:
        *parent, last = key.split(".")
        within = table.get(parent[0]) if parent else table
        value = within.get(last) if isinstance(within, dict) else None
        if isinstance(within, dict) and isinstance(value, str) and is_file(key, value):
            within[last] = absolute(value, folder)


def files_of(settings: "Settings", named_by_user: Iterable[str] = ()) -> dict[str, str]:
    """Return {key: path} of the files that a run with these settings opens, without the keys that the user gave."""
    given = set(named_by_user)
    values = {key: settings.value(key) for key in KINDS if not {key, key.partition(".")[0]} & given}
    return {key: value for key, value in values.items() if value is not None and is_file(key, value)}


def described(files: Mapping[str, str]) -> str:
    """Describe {key: path} in words: "the model /a/b.keras and the guide picture /a/c.png"."""
    return " and ".join(f"the {KINDS[key]} {path}" for key, path in files.items())


def refuse_files(settings: "Settings", overrides: Mapping[str, Any], source: str) -> None:
    """Raise SettingsError if the settings in `source` name a file that no override names."""
    if files := files_of(settings, overrides):
        options = " and ".join(f"{OPTIONS[key]} FILE" for key in files)
        raise SettingsError(
            f"{source}: these settings open {described(files)}: if you trust the author of the settings, add "
            f"--allow-files (in Python: allow_files=True); or choose the file yourself with {options}"
        )


def refuse_other_files(settings: "Settings", allowed: Collection[str], source: str) -> None:
    """Raise SettingsError if the settings in `source` name a file that is not among the paths in `allowed`."""
    files = {key: path for key, path in files_of(settings).items() if path not in allowed}
    if files:
        raise SettingsError(
            f"{source}: these settings open {shown(described(files))}; if you trust their author, start the studio "
            "with --allow FILE"
        )
