"""The record of a gallery, gallery.json: its layers, their folders, and which pictures are done."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from dreamscripts.atomic_files import fitting_name
from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.runs.records import Record, read_record
from dreamscripts.settings.loading import parse_table
from dreamscripts.settings.named_files import KINDS
from dreamscripts.settings.network_names import same_file_or_name

# Characters that some file systems do not allow in names, the % that escapes them, and the dot. Without a dot, the
# folder of a layer never has the name of a contact sheet or a data file.
REFUSED = re.compile(r'[<>:"/\\|?*%.\x00-\x1f\x7f\ud800-\udfff]|^ | $')
PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
TAKEN_BY_WINDOWS = {"aux", "con", "nul", "prn"} | PORTS

Channel = Annotated[int, Field(ge=0)]


class LayerRecord(Record):
    """A layer of a gallery."""

    channels: int = Field(ge=1, le=1_000_000)
    size: int = Field(ge=1, le=20_000)
    """The side of its pictures in pixels."""
    done: list[Channel]
    """The channels that have a picture, in order."""
    sheet: bool
    """Whether its contact sheet shows all of them."""
    folder: Annotated[str, StringConstraints(min_length=1)]
    """The name of its folder in the folder of the gallery."""

    @field_validator("done")
    @classmethod
    def _sort(cls, done: list[int]) -> list[int]:
        return sorted(set(done))

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if self.done and self.done[-1] >= self.channels:
            raise ValueError(f"channel {self.done[-1]} is listed, but the layer has {self.channels}")
        return self


class GalleryRecord(Record):
    """The content of gallery.json."""

    network: str
    weights: str | None
    settings: str
    """TOML: the settings that all pictures share."""
    layers: dict[str, LayerRecord]

    @field_validator("settings")
    @classmethod
    def _check_settings(cls, settings: str) -> str:
        try:
            parse_table(settings, "settings")
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return settings

    @field_validator("layers")
    @classmethod
    def _check_folders(cls, layers: dict[str, LayerRecord]) -> dict[str, LayerRecord]:
        taken = set(TAKEN_BY_WINDOWS)
        for layer, entry in layers.items():
            if not is_folder_of(layer, entry.folder) or entry.folder.casefold() in taken:
                raise ValueError(f"{entry.folder!r} cannot be the folder of {layer}")
            taken.add(entry.folder.casefold())
        return layers


def read_gallery(folder: Path) -> GalleryRecord:
    """Read the record of a gallery. Raises OutputError if it is damaged, or if a layer's folder is a link."""
    record = read_record(folder / "gallery.json", GalleryRecord, "its pictures are kept; choose another --output")
    for entry in record.layers.values():
        if (folder / entry.folder).is_symlink():
            raise OutputError(f"{folder / entry.folder}: is a link; replace it with the folder that it points to")
    return record


def free_name(layer: str, taken: set[str]) -> str:
    """Return a folder name for a layer. It is valid and unique on every file system, also on one that ignores case."""
    name = plain = _plain_name(layer)
    number = 2
    while name.casefold() in taken | TAKEN_BY_WINDOWS:
        name, number = f"{plain}~{number}", number + 1
    return name


def is_folder_of(layer: str, name: str) -> bool:
    """Return whether `free_name` could give this name to a layer."""
    return re.fullmatch(re.escape(_plain_name(layer)) + r"(~[1-9]\d{0,5})?", name, re.ASCII) is not None


def _plain_name(layer: str) -> str:
    return fitting_name(REFUSED.sub(lambda found: f"%{ord(found[0]):02X}", layer))


def differences(before: str, now: str) -> list[str]:
    """Return descriptions of at most three differences between two settings (TOML), and the number of others."""
    old, new = (dict(_values(parse_table(settings, "gallery.json"))) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) and not _is_same_file(key, old, new)]
    shown = [
        f"{key} = {_as_text(old[key])}" + (f", not {_as_text(new[key])}" if key in new else "")
        if key in old
        else f"no {key}"
        for key in keys[:3]
    ]
    return [*shown, f"and {len(keys) - 3} more"] if len(keys) > 3 else shown


def _is_same_file(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a key names the same file in both settings. An older version stored paths as they were typed."""
    return key in KINDS and same_file_or_name(*(str(settings.get(key, "")) for settings in (old, new)))


def _as_text(value: Any) -> str:
    return json.dumps(value, default=str)  # TOML has dates, JSON does not


def _values(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _values(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value
