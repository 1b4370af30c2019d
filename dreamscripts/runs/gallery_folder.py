"""The folder of a gallery: a picture for each channel, a contact sheet for each layer, and a record of both."""

import json
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import lock, make_folder, output_errors, write_atomically
from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.settings.loading import parse_table

# Characters that some file systems do not allow in names, the % that escapes them, and the dot. Without a dot, the
# folder of a layer never has the name of a contact sheet or a data file.
REFUSED = re.compile(r'[<>:"/\\|?*%.\x00-\x1f\x7f]|^ | $')
TAKEN_BY_WINDOWS = frozenset({"aux", "con", "nul", "prn"})


def picture_path(folder: Path, channel: int) -> Path:
    """Return the path of a channel's picture in the folder of its layer."""
    return folder / f"{channel:04d}.png"


class GalleryFolder:
    """The files of one gallery. No file is ever half-written.

    Pictures are written before the record that lists them, so a gallery can be killed at any moment. Pictures that are
    listed but missing are made again.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.record: dict[str, Any] = {}
        self.release = weakref.finalize(self, lock(folder))

    @classmethod
    def open(
        cls,
        folder: str | Path,
        network: str,
        weights: str | None,
        settings: str,
        layers: Mapping[str, int],
        size: int,
    ) -> Self:
        """Create a gallery in a new or empty folder, or open an existing one and add `layers` to it.

        settings: TOML, common to all pictures.
        layers: the number of channels of each layer.
        size: the side of the pictures in pixels.

        Raises OutputError if the folder contains other files or pictures with other settings, or if another process is
        writing to it.
        """
        folder = Path(folder)
        with output_errors(folder):
            exists = (folder / "gallery.json").exists()
        if not exists:
            make_folder(folder)
        gallery = cls(folder)
        try:
            if exists:
                gallery._read_record(network, weights, settings)
            else:
                gallery.record = {"network": network, "weights": weights, "settings": settings, "layers": {}}
            gallery._add(layers, size)
            gallery._write_record()
        except BaseException:
            gallery.release()
            raise
        return gallery

    def todo(self, layer: str) -> list[int]:
        """Return the channels of a layer that have no picture yet."""
        entry = self.record["layers"][layer]
        done = set(entry["done"])
        return [channel for channel in range(entry["channels"]) if channel not in done]

    def picture(self, layer: str, channel: int) -> Path:
        """Return the path of a channel's picture, whether it exists or not."""
        return picture_path(self.folder / self.record["layers"][layer]["folder"], channel)

    def sheet(self, layer: str) -> Path:
        """Return the path of a layer's contact sheet, whether it exists or not."""
        return self.folder / f"{self.record['layers'][layer]['folder']}.png"

    def save(self, layer: str, pictures: Mapping[int, np.ndarray], settings: str | Callable[[int], str]) -> None:
        """Write pictures {channel: float32 (H, W, 3), 0..255}, and then list them in the record.

        `settings` is the TOML text to embed, or a function that returns it for a channel. Raises OutputError.
        """
        entry = self.record["layers"][layer]
        with output_errors(self.folder):
            (self.folder / entry["folder"]).mkdir(exist_ok=True)
        for channel, picture in pictures.items():
            text = settings if isinstance(settings, str) else settings(channel)
            save_picture(picture, self.picture(layer, channel), text)
        entry["done"] = sorted({*entry["done"], *map(int, pictures)})
        entry["sheet"] = False
        self._write_record()

    def has_sheet(self, layer: str) -> bool:
        """Return whether the contact sheet of a layer exists and shows all finished pictures."""
        return self.record["layers"][layer]["sheet"] and self.sheet(layer).exists()

    def pictures(self, layer: str) -> Iterator[Image.Image | None]:
        """Yield the picture of every channel of a layer, or None if it is missing.

        If a picture cannot be read, it is removed from the record, so that it is made again.
        """
        entry = self.record["layers"][layer]
        done = set(entry["done"])
        for channel in range(entry["channels"]):
            picture = _opened(self.picture(layer, channel)) if channel in done else None
            if channel in done and picture is None:
                entry["done"].remove(channel)
            yield picture

    def save_sheet(self, layer: str, sheet: bytes) -> None:
        """Write the contact sheet of a layer, a PNG. Raises OutputError."""
        write_atomically(self.sheet(layer), sheet)
        self.record["layers"][layer]["sheet"] = True
        self._write_record()

    def discard_if_empty(self) -> None:
        """Delete a gallery that has no picture yet."""
        if not any((self.folder / entry["folder"]).exists() for entry in self.record["layers"].values()):
            for name in ("gallery.json", "gallery.js", "index.html"):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # the folder contains other files
                self.folder.rmdir()

    def _read_record(self, network: str, weights: str | None, settings: str) -> None:
        """Read the record and remove missing pictures from it. Raises OutputError if it belongs to another gallery."""
        folder = self.folder
        try:
            self.record = json.loads((folder / "gallery.json").read_text("utf-8"))
            made_by, made_with, made_as = (self.record[key] for key in ("network", "weights", "settings"))
            differences = _differences(made_as, settings)
            for layer, entry in self.record["layers"].items():
                existing = [channel for channel in entry["done"] if _has_content(self.picture(layer, channel))]
                entry["sheet"] = entry["sheet"] and len(existing) == len(entry["done"])
                entry["done"] = existing
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SettingsError):
            raise OutputError(
                f"{folder}: its gallery.json was not written by dreamscripts; choose another --output"
            ) from None
        if made_by != network:
            raise OutputError(f"{folder}: is a gallery of {made_by}, not of {network}; choose another --output")
        if made_with != weights:
            before, now = (f"the weights {name}" if name else "its own weights" for name in (made_with, weights))
            advice = f"use --weights {made_with} or another --output" if made_with else "choose another --output"
            raise OutputError(f"{folder}: is a gallery of {network} with {before}, not {now}; {advice}")
        if differences:
            raise OutputError(
                f"{folder}: its pictures were made with {', '.join(differences)}; "
                "use the same settings or another --output"
            )

    def _add(self, layers: Mapping[str, int], size: int) -> None:
        known = self.record["layers"]
        for layer, channels in layers.items():
            entry = known.get(layer)
            if entry is None:
                known[layer] = {
                    "channels": channels,
                    "size": size,
                    "done": [],
                    "sheet": False,  # whether it exists and is up to date
                    "folder": _free_name(layer, {entry["folder"].casefold() for entry in known.values()}),
                }
            elif entry["channels"] != channels:
                raise OutputError(
                    f"{self.folder}: {layer} has {entry['channels']} channels in the gallery, but {channels} now; "
                    "choose another --output"
                )
            elif entry["size"] != size:
                raise OutputError(
                    f"{self.folder}: the pictures of {layer} have {entry['size']} pixels per side, not {size}; "
                    f"use --size {entry['size']} or another --output"
                )
        if set(known) <= set(layers):  # keep the order of the network
            self.record["layers"] = {layer: known[layer] for layer in layers}

    def _write_record(self) -> None:
        # No indent: with an indent, Python uses a slow encoder, and this runs after every batch.
        text = json.dumps(self.record)
        write_atomically(self.folder / "gallery.json", text.encode())
        write_atomically(self.folder / "gallery.js", f"window.gallery = {text};\n".encode())


def _free_name(layer: str, taken: set[str]) -> str:
    """Return a folder name for a layer. It is valid and unique on every file system, also on one that ignores case."""
    name = plain = REFUSED.sub(lambda found: f"%{ord(found[0]):02X}", layer)
    number = 2
    while name.casefold() in taken | TAKEN_BY_WINDOWS:
        name, number = f"{plain}~{number}", number + 1
    return name


def _has_content(path: Path) -> bool:
    """Return whether a file exists and is not empty. (A power cut can leave an empty file.)"""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _opened(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError):
        return None


def _differences(before: str, now: str) -> list[str]:
    """Return descriptions of at most three differences between two settings (TOML), and the number of others."""
    old, new = (dict(_values(parse_table(settings, "gallery.json"))) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = [
        f"{key} = {json.dumps(old[key])}" + (f", not {json.dumps(new[key])}" if key in new else "")
        if key in old
        else f"no {key}"
        for key in keys[:3]
    ]
    return [*shown, f"and {len(keys) - 3} more"] if len(keys) > 3 else shown


def _values(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _values(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


@dataclass(frozen=True)
class Gallery:
    """A gallery that was read from its folder, with {layer: {channel: path}} for all existing pictures."""

    folder: Path
    weights: str | None
    pictures: Mapping[str, Mapping[int, Path]]


def open_gallery(folder: Path, network: str) -> Gallery:
    """Open a gallery. Raises OutputError if the folder is not a gallery of this network."""
    try:
        record = json.loads((folder / "gallery.json").read_text("utf-8"))
        made_by, weights = record["network"], record["weights"]
        pictures = {
            layer: {i: picture_path(folder / about.get("folder", layer), i) for i in about["done"]}
            for layer, about in record["layers"].items()
        }
    except OSError:
        raise OutputError(f"{folder}: is not a gallery, because it has no readable gallery.json") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OutputError(f"{folder}/gallery.json: is damaged; make the gallery again") from None
    if made_by != network:
        raise OutputError(f"{folder}: is a gallery of {made_by}, not of {network}; use another --gallery")
    existing = {layer: {i: path for i, path in found.items() if path.is_file()} for layer, found in pictures.items()}
    return Gallery(folder, weights, {layer: found for layer, found in existing.items() if found})
