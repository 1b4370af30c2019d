"""The folder of a gallery: a picture of each channel, a contact sheet of each layer, and the record of both."""

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

# What some file system or other refuses in a name, the % that stands in for it, and the dot, so that no layer's
# folder is called as a sheet or a data file is.
REFUSED = re.compile(r'[<>:"/\\|?*%.\x00-\x1f\x7f]|^ | $')
TAKEN_BY_WINDOWS = frozenset({"aux", "con", "nul", "prn"})


def picture_path(folder: Path, channel: int) -> Path:
    """Where in a layer's folder the picture of a channel is."""
    return folder / f"{channel:04d}.png"


class GalleryFolder:
    """The files of one gallery, each of them whole at every moment.

    Pictures are written before the record that calls them done, so that a gallery can be killed between any two
    files. What the record calls done and is not there is to be done again.
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
        """Begin a gallery in a folder that is new or empty, or go on with one; `layers` are added to what it has.

        `settings` (TOML) are what all of its pictures have in common, `layers` the channels of each, and `size` the
        pixels a side. Raises OutputError where the folder holds something else, or pictures made otherwise, or where
        another process is at work in it.
        """
        folder = Path(folder)
        with output_errors(folder):
            begun = (folder / "gallery.json").exists()
        if not begun:
            make_folder(folder)
        gallery = cls(folder)
        try:
            if begun:
                gallery._go_on(network, weights, settings)
            else:
                gallery.record = {"network": network, "weights": weights, "settings": settings, "layers": {}}
            gallery._add(layers, size)
            gallery._write_record()
        except BaseException:
            gallery.release()
            raise
        return gallery

    def todo(self, layer: str) -> list[int]:
        """The channels of a layer that have no picture yet."""
        entry = self.record["layers"][layer]
        done = set(entry["done"])
        return [channel for channel in range(entry["channels"]) if channel not in done]

    def picture(self, layer: str, channel: int) -> Path:
        """Where the picture of a channel is, or will be."""
        return picture_path(self.folder / self.record["layers"][layer]["folder"], channel)

    def sheet(self, layer: str) -> Path:
        """Where the contact sheet of a layer is, or will be."""
        return self.folder / f"{self.record['layers'][layer]['folder']}.png"

    def save(self, layer: str, pictures: Mapping[int, np.ndarray], settings: str | Callable[[int], str]) -> None:
        """Write the pictures (float32 (H, W, 3), 0..255) of some channels, and then that they are done.

        `settings` are the TOML inside each of them, or what gives it for a channel. Raises OutputError.
        """
        entry = self.record["layers"][layer]
        with output_errors(self.folder):
            (self.folder / entry["folder"]).mkdir(exist_ok=True)
        for channel, picture in pictures.items():
            inside = settings if isinstance(settings, str) else settings(channel)
            save_picture(picture, self.picture(layer, channel), inside)
        entry["done"] = sorted({*entry["done"], *map(int, pictures)})
        entry["sheet"] = False
        self._write_record()

    def has_sheet(self, layer: str) -> bool:
        """Whether the contact sheet of a layer is there and shows all pictures that are done."""
        return self.record["layers"][layer]["sheet"] and self.sheet(layer).exists()

    def pictures(self, layer: str) -> Iterator[Image.Image | None]:
        """The pictures of a layer by channel, None for one that is not done.

        A picture that can no longer be read is to be done again.
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

    def discard_if_bare(self) -> None:
        """Take back a gallery that has no picture yet, so that the next try finds its place free."""
        if not any((self.folder / entry["folder"]).exists() for entry in self.record["layers"].values()):
            for name in ("gallery.json", "gallery.js", "index.html"):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # someone else's files are in it
                self.folder.rmdir()

    def _go_on(self, network: str, weights: str | None, settings: str) -> None:
        """Read the record, and whether what it calls done is there. Raises OutputError if it is of another gallery."""
        folder = self.folder
        try:
            self.record = json.loads((folder / "gallery.json").read_text("utf-8"))
            made_by, made_with, made_as = (self.record[key] for key in ("network", "weights", "settings"))
            differences = _differences(made_as, settings)
            for layer, entry in self.record["layers"].items():
                there = [channel for channel in entry["done"] if _holds_something(self.picture(layer, channel))]
                entry["sheet"] = entry["sheet"] and len(there) == len(entry["done"])
                entry["done"] = there
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SettingsError):
            raise OutputError(f"{folder}: its gallery.json is not a gallery's; choose another --output") from None
        if made_by != network:
            raise OutputError(f"{folder}: is a gallery of {made_by}, not of {network}; choose another --output")
        if made_with != weights:
            before, now = (f"the weights {name}" if name else "its own weights" for name in (made_with, weights))
            ways = f"--weights {made_with} goes on with it, " if made_with else ""
            raise OutputError(
                f"{folder}: is a gallery of {network} with {before}, not {now}; {ways}another --output begins anew"
            )
        if differences:
            raise OutputError(
                f"{folder}: its pictures were made with {', '.join(differences)}; "
                "the same settings go on with it, another --output begins anew"
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
                    "sheet": False,  # whether there is one, and up to date
                    "folder": _free_name(layer, {entry["folder"].casefold() for entry in known.values()}),
                }
            elif entry["channels"] != channels:
                raise OutputError(
                    f"{self.folder}: {layer} had {entry['channels']} channels there, and has {channels} now; "
                    "choose another --output"
                )
            elif entry["size"] != size:
                raise OutputError(
                    f"{self.folder}: the pictures of {layer} there have {entry['size']} pixels a side, not {size}; "
                    f"--size {entry['size']} goes on with them, another --output begins anew"
                )
        if set(known) <= set(layers):  # then they come as in the network, whatever was asked for first
            self.record["layers"] = {layer: known[layer] for layer in layers}

    def _write_record(self) -> None:
        # On one line: with an indent, Python's slower encoder would write it, after every batch.
        text = json.dumps(self.record)
        write_atomically(self.folder / "gallery.json", text.encode())
        write_atomically(self.folder / "gallery.js", f"window.gallery = {text};\n".encode())


def _free_name(layer: str, taken: set[str]) -> str:
    """A name for a layer's folder that any file system takes, also one that does not tell a from A."""
    name = plain = REFUSED.sub(lambda found: f"%{ord(found[0]):02X}", layer)
    number = 2
    while name.casefold() in taken | TAKEN_BY_WINDOWS:
        name, number = f"{plain}~{number}", number + 1
    return name


def _holds_something(path: Path) -> bool:
    """Whether a file is there and not empty, as a power cut may leave one."""
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
    """Where two settings (TOML) differ, in words; of many the first three."""
    old, new = (dict(_values(parse_table(settings, "gallery.json"))) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    said = [
        f"{key} = {json.dumps(old[key])}" + (f", not {json.dumps(new[key])}" if key in new else "")
        if key in old
        else f"no {key}"
        for key in keys[:3]
    ]
    return [*said, f"and {len(keys) - 3} more"] if len(keys) > 3 else said


def _values(table: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _values(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


@dataclass(frozen=True)
class Gallery:
    """A folder with pictures of channels: by layer, the picture of each channel that is there."""

    folder: Path
    weights: str | None
    pictures: Mapping[str, Mapping[int, Path]]


def open_gallery(folder: Path, network: str) -> Gallery:
    """Read what a gallery says of itself. Raises OutputError where it is none, or one of another network."""
    try:
        record = json.loads((folder / "gallery.json").read_text("utf-8"))
        pictured, weights = record["network"], record["weights"]
        pictures = {
            layer: {i: picture_path(folder / about.get("folder", layer), i) for i in about["done"]}
            for layer, about in record["layers"].items()
        }
    except OSError:
        raise OutputError(f"{folder}: is no gallery: there is no gallery.json in it that can be read") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OutputError(f"{folder}/gallery.json: is damaged; make the gallery again") from None
    if pictured != network:
        raise OutputError(f"{folder}: is a gallery of {pictured}, not of {network}; name another --gallery")
    there = {layer: {i: path for i, path in found.items() if path.is_file()} for layer, found in pictures.items()}
    return Gallery(folder, weights, {layer: found for layer, found in there.items() if found})
