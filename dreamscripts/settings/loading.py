"""Settings files: found by name or path, read, overridden."""

import tomllib
from pathlib import Path
from typing import Any

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.settings.schema import Settings

RENAMED = {"optimizer.evaluations": "optimizer.passes"}  # keys of older versions


def choose_features(table: dict[str, Any], network: str | None) -> str:
    """Put those features in place that the table has for the network that is to be used, where it has any.

    Returns the network that the features in place were written for.
    """
    own = str(table.get("network", Settings.model_fields["network"].default))
    instead, network = table.get("instead"), network or own
    if isinstance(instead, dict) and isinstance(network, str) and network in instead:
        table["features"] = instead[network]
        return network
    return own


def folder() -> Path:
    """Where the named settings are: beside this module once installed, at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "named_settings"
    return installed if installed.is_dir() else package.parent / "settings"


def named() -> dict[str, str]:
    """The named settings, each with the first line of comment in its file."""
    return {path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ") for path in sorted(folder().glob("*.toml"))}


def read_text(name: str | Path) -> str:
    """The text of the settings called `name`, or in the file `name` (TOML, or the PNG of a dream)."""
    path = folder() / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
        if not path.suffix and not path.exists():
            known = [*named(), *map(str, Path().glob("*.toml"))]
            raise SettingsError(
                f"there are no settings called '{name}'{did_you_mean(str(name), known)}; "
                "`dreamscripts settings` lists them"
            )
    if path.suffix.lower() == ".png":
        from dreamscripts.images.files import read_settings

        return read_settings(path)
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{name}: there is no such settings file") from None
    except IsADirectoryError:
        raise SettingsError(f"{name}: is a folder, not a settings file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: is not a text file; settings are TOML") from None
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read: {error.strerror}") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The table that `text` says, or a SettingsError that names `source` and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not valid TOML: {error}") from None


def parse_override(text: str) -> tuple[str, Any]:
    """`key=value` as a dotted key and a TOML value; what is no TOML value is taken as a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set {text}: write it as key=value, such as optimizer.iterations=5")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def rename_old_keys(table: dict[str, Any]) -> None:
    """Give the keys of a file that an older version wrote their names of today."""
    for old, new in RENAMED.items():
        (parent, key), name = old.split("."), new.rpartition(".")[2]
        within = table.get(parent)
        if isinstance(within, dict) and key in within and name not in within:
            within[name] = within.pop(key)


def assign(table: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = RENAMED.get(key, key).split(".")
    for parent in parents:
        if parent == "tiles" and isinstance(table.get(parent), str):
            table[parent] = {"kind": table[parent]}  # which may be written as a bare word
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SettingsError(f"--set {key}: '{parent}' is a value, not a table")
    table[last] = value
