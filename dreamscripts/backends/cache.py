"""What was found out about this machine, kept from run to run: small JSON files under ~/.cache/dreamscripts."""

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
    """The folder of everything that is kept, which need not exist; XDG_CACHE_HOME moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dreamscripts"


def recall(key: Key) -> Any:
    """What was kept under a key; None where nothing was, or where the file is damaged or of another key."""
    try:
        kept = json.loads(_path(key).read_text("utf-8"))
        return kept["answer"] if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(key: Key, answer: Any) -> None:
    """Keep an answer under a key, both of JSON's types, in place of an older one.

    The file appears whole or not at all, however many processes write it. Where the home cannot be written, nothing is
    kept.
    """
    path = _path(key)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent)  # a name of its own for each writer
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
