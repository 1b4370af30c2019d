"""Settings files: find them by name or path, read them, override single values, check them."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.settings.adapting import refuse_other_channels, with_equivalent_layers
from dreamscripts.settings.explaining import explain
from dreamscripts.settings.named_files import make_absolute, refuse_files
from dreamscripts.settings.network_names import refuse_unknown_network, short_name
from dreamscripts.settings.optimizer_keys import DEFAULT, RENAMED, modernised, refusal, switched

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings

S = TypeVar("S", bound="Settings")


def load_settings(model: type[S], name: str | Path, overrides: Mapping[str, Any], allow_files: bool) -> S:
    """Read settings of the type `model` as `Settings.load` does. Raises SettingsError."""
    table, source = read_table(name), str(name)
    written_for = choose_features(table, overrides.get("network"), model.model_fields["network"].default)
    make_absolute(table, Path(name).parent)
    _override_optimizer(table, overrides, source)
    for key, value in overrides.items():
        assign(table, key, value)
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(explain(error, source, overrides, model)) from None
    if not allow_files:
        refuse_files(settings, overrides, source)
    refuse_unknown_network(settings.network, source)
    refuse_other_channels(settings, written_for, source, overrides)
    return with_equivalent_layers(settings, overrides)


def _override_optimizer(table: dict[str, Any], overrides: Mapping[str, Any], source: str) -> None:
    """Prepare the table [optimizer] for the overrides, which may name another optimizer.

    Raises SettingsError for an override of a key that the optimizer does not have.
    """
    written = table.get("optimizer", {})
    if not isinstance(written, dict):
        return
    name = overrides.get("optimizer.name", written.get("name", DEFAULT))
    if written:
        table["optimizer"] = switched(written, name, source)
    for key in overrides:
        parent, _, last = key.rpartition(".")
        if parent == "optimizer" and "optimizer" not in overrides and (text := refusal(RENAMED.get(last, last), name)):
            raise SettingsError(f"{source} with {key} overridden: {text}")


def read_table(name: str | Path) -> dict[str, Any]:
    """Read the table of the settings called `name`, or in the file `name`, with current keys. It is not checked."""
    return parse_table(read_text(name), str(name))


def parse_table(text: str, source: str) -> dict[str, Any]:
    """Parse the text of settings into a table with current keys. Raises SettingsError if it is not TOML."""
    table = parse_toml(text, source)
    if isinstance(optimizer := table.get("optimizer"), dict):
        table["optimizer"] = modernised(optimizer)
    return table


def choose_features(table: dict[str, Any], network: str | None, default: str) -> str:
    """If the table [instead] has features for the network of the settings, use them.

    `network` is an override of this network, or None. `default` is used if the settings name no network. A model file
    is found in [instead] by its path, or by its name without the folder. Returns the network for which the features
    were written.
    """
    written_for = str(table.get("network", default))
    instead, network = table.get("instead"), network or written_for
    if isinstance(instead, dict) and isinstance(network, str):
        for name in (network, short_name(network)):
            if name in instead:
                table["features"] = instead[name]
                return network
    return written_for


def folder() -> Path:
    """Find the folder of the named settings: in the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "named_settings"
    return installed if installed.is_dir() else package.parent / "settings"


def named() -> dict[str, str]:
    """List the named settings, each with the first comment line of its file."""
    return {path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ") for path in sorted(folder().glob("*.toml"))}


def read_text(name: str | Path) -> str:
    """Read the text of the settings called `name`, or in the file `name`: TOML, or a PNG that dreamscripts saved."""
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
        return path.read_bytes().decode()  # with the newlines of the file
    except FileNotFoundError:
        raise SettingsError(f"{name}: there is no such settings file") from None
    except IsADirectoryError:
        raise SettingsError(f"{name}: is a folder, not a settings file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: is not a text file; settings are TOML") from None
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read: {error.strerror}") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML. Raises SettingsError, which names `source` and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not valid TOML: {error}{_hint(text, str(error))}") from None


def _hint(text: str, message: str) -> str:
    """Suggest quotes if the line that the parser names has a word without quotes."""
    position = re.search(r"at line (\d+)", message)
    line = text.splitlines()[int(position[1]) - 1] if position else ""
    word = re.match(r"\s*([\w.-]+)\s*=\s*([A-Za-z][\w./-]*)\s*(#.*)?$", line)
    if not word:
        return ""
    if word[2].lower() in ("true", "false"):
        return f"; use small letters: {word[1]} = {word[2].lower()}"
    return f'; words need quotes: {word[1]} = "{word[2]}"'


def parse_override(text: str) -> tuple[str, Any]:
    """Parse `key=value` into a dotted key and a value. A value that is not valid TOML is a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set {text}: write it as key=value, such as optimizer.iterations=5")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def assign(table: dict[str, Any], key: str, value: Any) -> None:
    """Set the value of a dotted key. Raises SettingsError if a part of the key is a value and not a table."""
    *parents, last = key.split(".")
    if parents == ["optimizer"]:
        last = RENAMED.get(last, last)
    for parent in parents:
        if parent == "tiles" and isinstance(table.get(parent), str):
            table[parent] = {"kind": table[parent]}  # the table may be written as a word
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SettingsError(f"--set {key}: '{parent}' is a value, not a table")
    table[last] = value
