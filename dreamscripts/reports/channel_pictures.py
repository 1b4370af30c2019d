"""The pictures of channels in a gallery's folder, for pages that show them beside a network's layers."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dreamscripts.errors import OutputError
from dreamscripts.images.files import open_picture

CELL, COLUMNS = 48, 16  # pixels a side; pictures to a row


@dataclass(frozen=True)
class Gallery:
    """A folder with pictures of channels: by layer, the picture of each channel that is there."""

    folder: Path
    weights: str | None
    pictures: Mapping[str, Mapping[int, Path]]


def picture_path(folder: Path, channel: int) -> Path:
    """Where in a layer's folder the picture of a channel is."""
    return folder / f"{channel:04d}.png"


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


def join_pictures(pictures: Sequence[Path]) -> bytes:
    """All of them in one JPEG, row by row. Raises PictureError where one is damaged."""
    sheet = Image.new("RGB", (COLUMNS * CELL, math.ceil(len(pictures) / COLUMNS) * CELL), "white")
    for i, path in enumerate(pictures):
        cell = Image.fromarray(open_picture(path).astype(np.uint8)).resize((CELL, CELL), Image.Resampling.LANCZOS)
        sheet.paste(cell, (i % COLUMNS * CELL, i // COLUMNS * CELL))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
