"""The networks that a person can choose, and whether their weights are on this machine."""

import os
import re
from pathlib import Path
from typing import Any

from dreamscripts.registry import FAMILIES
from dreamscripts.settings.network_names import registered_networks, short_name


def networks(allowed: list[str]) -> list[dict[str, Any]]:
    """Describe the registered networks, smallest first, and the model files among those that are allowed."""
    sizes = {name: size for family in FAMILIES.values() for name, size in family.networks.items()}
    files = _downloaded()
    own = [
        {"name": path, "title": short_name(path), "about": "your own model", "ready": True}
        for path in allowed
        if path.endswith((".keras", ".h5", ".hdf5")) and not path.endswith(".weights.h5")
    ]
    return [_described(name, sizes[name], files) for name in registered_networks()] + own


def _described(name: str, size: int, files: list[str]) -> dict[str, Any]:
    if not size:
        return {"name": name, "title": name, "about": "part of dreamscripts", "ready": True}
    ready = any(re.match(rf"(weights)?{_plain(name)}(?!v\d)", file) for file in files)
    about = "on this machine" if ready else f"{size} MB are downloaded once"
    return {"name": name, "title": name, "about": about, "ready": ready}


def _downloaded() -> list[str]:
    """Return the names of the files that Keras has downloaded, without what separates their words."""
    try:
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
        return [_plain(path.name) for path in folder.iterdir()]
    except (OSError, RuntimeError):  # there is no such folder, or no home
        return []


def _plain(name: str) -> str:
    return re.sub("[-_]", "", name).lower()
