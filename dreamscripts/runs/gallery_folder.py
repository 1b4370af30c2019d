"""The folder of a gallery: a picture for each channel, a contact sheet for each layer, and a record of both."""

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import lock, make_folder, output_errors, remove_left_overs, write_atomically
from dreamscripts.errors import OutputError
from dreamscripts.images.files import save_picture
from dreamscripts.runs.gallery_record import GalleryRecord, LayerRecord, differences, free_name, read_gallery
from dreamscripts.runs.records import is_plain_file
from dreamscripts.settings.network_names import same_file_or_name

OTHER = "choose another --output"


def picture_path(folder: Path, channel: int) -> Path:
    """Return the path of a channel's picture in the folder of its layer."""
    return folder / f"{channel:04d}.png"


class GalleryFolder:
    """The files of one gallery. No file is ever half-written.

    Pictures are written before the record that lists them, so a gallery can be killed at any moment. Pictures that are
    listed but missing or damaged are made again.
    """

    def __init__(self, folder: Path, record: GalleryRecord):
        self.folder = folder
        self.record = record
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

        Raises OutputError if the folder contains other files or pictures with other settings, if its record is
        damaged, or if another process is writing to it.
        """
        folder = Path(folder)
        with output_errors(folder):
            exists = (folder / "gallery.json").exists()
        if not exists:
            make_folder(folder)
        gallery = cls(folder, GalleryRecord(network=network, weights=weights, settings=settings, layers={}))
        try:
            if exists:
                gallery._read_record()
            gallery._remove_left_overs()
            gallery._add(layers, size)
            gallery._write_record()
        except BaseException:
            gallery.release()
            raise
        return gallery

    def todo(self, layer: str) -> list[int]:
        """Return the channels of a layer that have no picture yet."""
        entry = self.record.layers[layer]
        done = set(entry.done)
        return [channel for channel in range(entry.channels) if channel not in done]

    def picture(self, layer: str, channel: int) -> Path:
        """Return the path of a channel's picture, whether it exists or not."""
        return picture_path(self.folder / self.record.layers[layer].folder, channel)

    def sheet(self, layer: str) -> Path:
        """Return the path of a layer's contact sheet, whether it exists or not."""
        return self.folder / f"{self.record.layers[layer].folder}.png"

    def save(self, layer: str, pictures: Mapping[int, np.ndarray], settings: str | Callable[[int], str]) -> None:
        """Write pictures {channel: float32 (H, W, 3), 0..255}, and then list them in the record.

        `settings` is the TOML text to embed, or a function that returns it for a channel. Raises OutputError.
        """
        entry = self.record.layers[layer]
        with output_errors(self.folder):
            (self.folder / entry.folder).mkdir(exist_ok=True)
        for channel, picture in pictures.items():
            text = settings if isinstance(settings, str) else settings(channel)
            save_picture(picture, self.picture(layer, channel), text)
        entry.done = sorted({*entry.done, *map(int, pictures)})
        entry.sheet = False
        self._write_record()

    def has_sheet(self, layer: str) -> bool:
        """Return whether the contact sheet of a layer exists and shows all finished pictures."""
        return self.record.layers[layer].sheet and self.sheet(layer).exists()

    def pictures(self, layer: str) -> Iterator[Image.Image | None]:
        """Yield the picture of every channel of a layer, or None if it is missing.

        If a picture cannot be read, it is removed from the record, so that it is made again.
        """
        entry = self.record.layers[layer]
        done = set(entry.done)
        for channel in range(entry.channels):
            picture = _opened(self.picture(layer, channel), entry.size) if channel in done else None
            if channel in done and picture is None:
                entry.done.remove(channel)
            yield picture

    def save_sheet(self, layer: str, sheet: bytes) -> None:
        """Write the contact sheet of a layer, a PNG. Raises OutputError."""
        write_atomically(self.sheet(layer), sheet)
        self.record.layers[layer].sheet = True
        self._write_record()

    def discard_if_empty(self) -> None:
        """Delete a gallery that has no picture yet."""
        if not any((self.folder / entry.folder).exists() for entry in self.record.layers.values()):
            with suppress(OSError):  # the folder contains other files, or cannot be written any more
                for name in ("gallery.json", "gallery.js", "index.html"):
                    (self.folder / name).unlink(missing_ok=True)
                self.folder.rmdir()

    def _read_record(self) -> None:
        """Read the record, and remove pictures that are missing or damaged. Raises OutputError if others are wanted."""
        wanted, folder = self.record, self.folder
        self.record = found = read_gallery(folder)
        if not same_file_or_name(found.network, wanted.network):
            raise OutputError(f"{folder}: is a gallery of {found.network}, not of {wanted.network}; {OTHER}")
        if not same_file_or_name(found.weights, wanted.weights):
            before, now = (
                f"the weights {name}" if name else "its own weights" for name in (found.weights, wanted.weights)
            )
            advice = f"use --weights {found.weights} or another --output" if found.weights else OTHER
            raise OutputError(f"{folder}: is a gallery of {found.network} with {before}, not {now}; {advice}")
        if changed := differences(found.settings, wanted.settings):
            raise OutputError(
                f"{folder}: its pictures were made with {', '.join(changed)}; use the same settings or another --output"
            )
        for layer, entry in found.layers.items():
            whole = [channel for channel in entry.done if _is_whole(self.picture(layer, channel), entry.size)]
            entry.sheet = entry.sheet and whole == entry.done
            entry.done = whole

    def _remove_left_overs(self) -> None:
        for folder in (self.folder, *(self.folder / entry.folder for entry in self.record.layers.values())):
            if folder.is_dir():
                remove_left_overs(folder)

    def _add(self, layers: Mapping[str, int], size: int) -> None:
        known = self.record.layers
        for layer, channels in layers.items():
            entry = known.get(layer)
            if entry is None:
                name = free_name(layer, {entry.folder.casefold() for entry in known.values()})
                known[layer] = LayerRecord(channels=channels, size=size, done=[], sheet=False, folder=name)
            elif entry.channels != channels:
                raise OutputError(
                    f"{self.folder}: {layer} has {entry.channels} channels in the gallery, but {channels} now; {OTHER}"
                )
            elif entry.size != size:
                raise OutputError(
                    f"{self.folder}: the pictures of {layer} have {entry.size} pixels per side, not {size}; "
                    f"use --size {entry.size} or another --output"
                )
        if set(known) <= set(layers):  # keep the order of the network
            self.record.layers = {layer: known[layer] for layer in layers}

    def _write_record(self) -> None:
        text = self.record.model_dump_json()
        write_atomically(self.folder / "gallery.json", text.encode())
        write_atomically(self.folder / "gallery.js", f"window.gallery = {text};\n".encode())


def _is_whole(path: Path, size: int) -> bool:
    """Return whether a file is a PNG of this size whose checksums are right. Nothing is decoded."""
    if not is_plain_file(path):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                sides = image.size
                image.verify()
    except Exception:  # Pillow raises errors of many kinds for damaged files
        return False
    return sides == (size, size)


def _opened(path: Path, size: int) -> Image.Image | None:
    if not _is_whole(path, size):
        return None
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.convert("RGB")
    except Exception:  # as above: the checksums can be those of damaged data
        return None


@dataclass(frozen=True)
class Gallery:
    """A gallery that was read from its folder, with {layer: {channel: path}} for all existing pictures."""

    folder: Path
    weights: str | None
    pictures: Mapping[str, Mapping[int, Path]]


def open_gallery(folder: Path, network: str) -> Gallery:
    """Open a gallery to look at. Pictures that are missing or damaged are left out.

    Raises OutputError if the folder is not a gallery of this network.
    """
    if not (folder / "gallery.json").exists():
        raise OutputError(f"{folder}: is not a gallery, because it has no gallery.json")
    record = read_gallery(folder)
    if not same_file_or_name(record.network, network):
        raise OutputError(f"{folder}: is a gallery of {record.network}, not of {network}; use another --gallery")
    pictures = {}
    for layer, entry in record.layers.items():
        paths = {channel: picture_path(folder / entry.folder, channel) for channel in entry.done}
        pictures[layer] = {channel: path for channel, path in paths.items() if _is_whole(path, entry.size)}
    return Gallery(folder, record.weights, {layer: found for layer, found in pictures.items() if found})
