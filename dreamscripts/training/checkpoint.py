"""The checkpoint of an interrupted training: everything that the next step depends on, in one file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamscripts.atomic_files import open_atomically
from dreamscripts.errors import NetworkError
from dreamscripts.networks.file_checks import check_plain_file, open_zip
from dreamscripts.settings.recipe import Recipe
from dreamscripts.training.photographs import Photographs

KIND = "a checkpoint of dreamscripts distil"
RECORD = "record"
CHANGEABLE = {"minutes", "steps", "rate"}  # keys of a recipe that may change when a training is continued


@dataclass(frozen=True)
class Checkpoint:
    """Named arrays, and a record of JSON types."""

    arrays: Mapping[str, np.ndarray]
    record: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Write the checkpoint in place of an older one. Raises OutputError."""
        record = np.frombuffer(json.dumps(self.record).encode(), np.uint8)
        with open_atomically(path) as file:
            np.savez(file, **self.arrays, **{RECORD: record})  # type: ignore[arg-type]

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint. Raises NetworkError if there is none, or if it is damaged."""
        check_plain_file(path, "checkpoint")
        with open_zip(path, KIND), np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file}
        try:
            record = json.loads(arrays.pop(RECORD).tobytes())
        except (KeyError, ValueError):
            raise NetworkError(f"{path}: is not {KIND}, or is damaged") from None
        return cls(arrays, record)


def place_of(output: Path) -> Path:
    """Return the file of the checkpoint of a training that writes `output`."""
    return output.with_suffix(".checkpoint.npz")


def check_same(checkpoint: Checkpoint, recipe: Recipe, photographs: Photographs) -> None:
    """Raise NetworkError if a training was started with another recipe or other photographs."""
    before = checkpoint.record["recipe"]
    for key, value in recipe.model_dump().items():
        if key not in CHANGEABLE and before.get(key) != value:
            raise NetworkError(f"this training was started with {key} = {before.get(key)}, not {value}")
    if checkpoint.record["photographs"] != digest(photographs):
        raise NetworkError("this training was started with other photographs; give the same folder")


def digest(photographs: Photographs) -> str:
    """Return a hash of the names of all photographs."""
    names = "\0".join(path.name for path in (*photographs.held_out, *photographs.files))
    return hashlib.sha256(names.encode(errors="surrogateescape")).hexdigest()
