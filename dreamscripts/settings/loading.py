"""Settings files: find them by name or path, read them, override single values, check them."""

import codecs
import logging
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.film_files.kinds import KINDS as FILMS
from dreamscripts.regular_files import open_regular
from dreamscripts.settings.adapting import refuse_other_channels, with_equivalent_layers
from dreamscripts.settings.explaining import explain
from dreamscripts.settings.named_files import make_absolute, refuse_files
from dreamscripts.settings.network_names import refuse_unknown_network, short_name
from dreamscripts.settings.optimizer_keys import DEFAULT, RENAMED, modernised, refusal, switched

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings

log = logging.getLogger(__name__)

S = TypeVar("S", bound="Settings")

ALWAYS_STORED = {"seed", "convolutions", "precision", "measure", "penalties", "jitter", "octaves", "optimizer"}
MOST_BYTES = 1_000_000  # of a settings file
MOST_PARTS = 100  # of a dotted key: the time of the parser grows with their square
LONG_KEY = re.compile(rf"""(?<![\w"'-])(?:("[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){{{MOST_PARTS}}}""")


def load_settings(model: type[S], name: str | Path, overrides: Mapping[str, Any], allow_files: bool) -> S:
    """Read settings of the type `model` as `Settings.load` does. Raises SettingsError."""
    return _from_table(model, read_table(name), str(name), Path(name).parent, overrides, allow_files)


def parse_settings(model: type[S], text: str, source: str, overrides: Mapping[str, Any], allow_files: bool) -> S:
    """Parse settings of the type `model` as `Settings.from_toml` does. Raises SettingsError."""
    return _from_table(model, parse_table(text, source), source, None, overrides, allow_files)


def _from_table(
    model: type[S],
    table: dict[str, Any],
    source: str,
    folder: Path | None,
    overrides: Mapping[str, Any],
    allow_files: bool,
) -> S:
    """Make settings from a table. Relative paths in it are relative to `folder`. Raises SettingsError."""
    written = _by_user(table, source, overrides)
    written_for = choose_features(table, overrides.get("network"), model.model_fields["network"].default)
    if folder is not None:
        make_absolute(table, folder)
    _override_optimizer(table, overrides, source)
    for key, value in overrides.items():
        assign(table, key, value)
    try:
        settings = model.model_validate(table)
    except ValidationError as error:
        raise SettingsError(explain(error, source, overrides, model)) from None
    if not allow_files:
        refuse_files(settings, overrides, source)
    refuse_unknown_network(settings.network, None if "network" in overrides else source)
    refuse_other_channels(settings, written_for, source, overrides)
    _warn_without_effect(settings, written, source)
    return with_equivalent_layers(settings, overrides)


def _by_user(table: Mapping[str, Any], source: str, overrides: Mapping[str, Any]) -> set[str]:
    """Return the keys, with dots, that the user wrote: in overrides, and in a settings file of the user's own.

    Named settings were not written by the user, and a table with all keys in ALWAYS_STORED was written by dreamscripts.
    """
    keys = dict(overrides) if source in named_files() or table.keys() >= ALWAYS_STORED else {**table, **overrides}
    inner = (f"{key}.{part}" for key, value in keys.items() if isinstance(value, Mapping) for part in value)
    return {*keys, *inner}


def _warn_without_effect(settings: "Settings", written: set[str], source: str) -> None:
    for key, reason in settings.without_effect().items():
        if key in written:
            log.warning("%s: %s has no effect, because %s", source, key, reason)


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
            raise SettingsError(text)


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


def named_files(kind: str = "") -> dict[str, Path]:
    """Return {name: file} of the named settings, or of the files in their folder `kind`, such as "journeys"."""
    return {path.stem: path for path in sorted((folder() / kind).glob("*.toml"))}


def find_named(kind: str, name: str) -> Path:
    """Return the file called `name` in the folder `kind`, or the path `name`, if it has a suffix.

    Raises SettingsError.
    """
    known = named_files(kind)
    if name in known:
        return known[name]
    if not Path(name).suffix:
        raise SettingsError(
            f"there is no {kind.removesuffix('s')} called '{name}'{did_you_mean(name, known)}; there is "
            f"{', '.join(known)}"
        )
    return Path(name)


def named() -> dict[str, str]:
    """List the named settings, each with the first comment line of its file."""
    return {name: path.read_text("utf-8").splitlines()[0].lstrip("# ") for name, path in named_files().items()}


def read_text(name: str | Path) -> str:
    """Read the text of the settings called `name`, or in the file `name`: TOML, or what dreamscripts saved.

    This is a PNG or a film.
    """
    path, shipped = Path(name), named_files()
    if str(name) in shipped:
        path = shipped[str(name)]
    elif path.name.removesuffix(".toml") in shipped and not _exists(path):
        raise SettingsError(f"{name}: there is no such file; the settings are called {path.name.removesuffix('.toml')}")
    elif not path.suffix and not _exists(path):
        known = [*shipped, *map(str, Path().glob("*.toml"))]
        raise SettingsError(
            f"there are no settings called '{name}'{did_you_mean(str(name), known)}; `dreamscripts settings` lists them"
        )
    if path.suffix.lower() == ".png":
        from dreamscripts.images.files import read_settings

        return read_settings(path)
    if path.suffix.lower() in FILMS:
        from dreamscripts.film_files.metadata import read_metadata

        if (text := read_metadata(path)) is None:
            raise SettingsError(f"{path}: contains no settings; use a film that dreamscripts made")
        return text
    return read_file(path)


def read_file(path: Path, kind: str = "settings file") -> str:
    """Read a text file in UTF-8, which messages call a `kind`. Raises SettingsError."""
    with open_regular(path, SettingsError, kind) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{path}: is larger than 1 MB, so it is not a {kind}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SettingsError(f"{path}: is in UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}: is not a text file in UTF-8 (line {line} has other bytes); settings are TOML"
        ) from None


def _exists(path: Path) -> bool:
    """Return whether a path exists. Any text can be a path, even if it is too long for a name."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML. Raises SettingsError, which names `source` and the line."""
    try:
        return _toml(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not valid TOML: {error}{_hint(text, str(error))}") from None


def _toml(text: str) -> dict[str, Any]:
    """Parse TOML. Raises TOMLDecodeError, also for what the parser itself cannot read: deep tables and long numbers."""
    if LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"a key has more than {MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError("lists or tables are nested too deeply") from None
    except ValueError:  # Python limits the digits of an integer
        raise tomllib.TOMLDecodeError("a number has thousands of digits") from None


def _hint(text: str, message: str) -> str:
    """Explain a word without quotes, a decimal comma or typographic quotes in the line that the parser names."""
    position = re.search(r"at line (\d+)", message)
    line = text.split("\n")[int(position[1]) - 1] if position else ""
    if re.search("[“”„‘’]", line):
        return '; use straight quotes: "'
    if comma := re.match(r"\s*([\w.-]+)\s*=\s*(\d+),(\d+)\s*(#.*)?$", line):
        return f"; use a decimal point: {comma[1]} = {comma[2]}.{comma[3]}"
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
        table = _toml(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
    if len(table) > 1:
        raise SettingsError(f"--set {key.strip()}: write one value; repeat --set for another key")
    return key.strip(), table["value"]


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
