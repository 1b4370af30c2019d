"""Measurements of this machine, kept from run to run: small JSON files under ~/.cache/dreamscripts."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Key = Mapping[str, Any]


def cache_folder() -> Path:
    """The folder of the cache, in XDG_CACHE_HOME or ~/.cache. It may not exist. Raises OSError if there is no home."""
    if place := os.environ.get("XDG_CACHE_HOME"):
        return Path(place) / "dreamscripts"
    try:
        return Path.home() / ".cache" / "dreamscripts"
    except RuntimeError as error:
        raise OSError(str(error)) from None


def recall(key: Key) -> Any:
    """Return the answer that was kept under a key; None if there is none, or if its file is damaged."""
    try:
        kept = json.loads(_path(key).read_text("utf-8"))
        return kept["answer"] if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(key: Key, answer: Any) -> None:
    """Keep an answer under a key, both of JSON's types, and replace an older answer.

    Several processes can write at once, because the file is written beside its final name. If the home cannot be
    written, nothing is kept.
    """
    with contextlib.suppress(OSError):
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent)  # a separate name for each writer
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"key": key, "answer": answer}, file, indent=1)
            Path(beside).replace(path)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise


def _path(key: Key) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "measured" / f"{digest[:16]}.json"
