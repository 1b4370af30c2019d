"""The origin of a distilled network, in the metadata of its `.keras` file: how it was made, and its preprocessing.

Keras writes `metadata.json` into the archive, and reads nothing from it that we add.
"""

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import NetworkError, short
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.networks.file_checks import ZIPPED, open_zip

METADATA = "metadata.json"
KEY = "dreamscripts"
LARGEST = 2**20  # bytes of metadata
SHOWN = ("width", "steps", "minutes", "photographs", "seed", "preprocessing")  # facts in a line about an origin


def save_with_origin(model: keras.Model, path: Path, origin: Mapping[str, Any]) -> None:
    """Save a model as `.keras`, with its origin, of JSON types. Raises OutputError."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.keras"
        model.save(plain)
        content = io.BytesIO()
        with zipfile.ZipFile(plain) as before, zipfile.ZipFile(content, "w") as after:
            for entry in before.infolist():
                data = before.read(entry)
                if entry.filename == METADATA:
                    data = json.dumps(json.loads(data) | {KEY: origin}).encode()
                after.writestr(entry, data)
    write_atomically(path, content.getvalue())


def read_origin(path: Path) -> dict[str, Any] | None:
    """Return the origin in a model file, or None if the file has none. Raises NetworkError if it is damaged.

    The file may come from a stranger: all values but `preprocessing`, which is the name of a preprocessing, can be of
    any JSON type.
    """
    if path.suffix != ".keras":
        return None
    with open_zip(path, ZIPPED) as archive:
        if METADATA not in archive.namelist() or archive.getinfo(METADATA).file_size > LARGEST:
            return None
        try:
            metadata = json.loads(archive.read(METADATA))
        except (ValueError, RecursionError):
            return None
    origin = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(origin, dict):
        return None
    if not isinstance(origin.get("preprocessing"), str) or origin["preprocessing"] not in PREPROCESSINGS:
        raise NetworkError(f"{path}: its metadata is damaged: it names no preprocessing of dreamscripts")
    return origin


def origin_in_words(origin: Mapping[str, Any]) -> str:
    """Return a line about an origin from any file: "distilled from vgg16: width 0.25, 900 steps, …"."""
    facts = {key: origin[key] for key in SHOWN if origin.get(key) is not None}
    listed = ", ".join(f"{key} {short(str(value))}" for key, value in facts.items())
    return f"distilled from {short(str(origin.get('teacher')))}: {listed}"
