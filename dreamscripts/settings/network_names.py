"""Names of networks in settings: a registered network, or the file of a Keras model."""

import os
from pathlib import Path

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.registry import FAMILIES

MODEL_FILES = (".keras", ".h5", ".hdf5")


def is_model_file(network: str) -> bool:
    """Return whether `network` is the file of a Keras model."""
    return network.endswith(MODEL_FILES)


def short_name(network: str) -> str:
    """Return the name of a network for headings: of a model file, the name without its folder."""
    return Path(network).name if is_model_file(network) else network


def from_here(path: str) -> str:
    """Return a path relative to the current folder if the file is in this folder or below it, for messages."""
    try:
        here = Path.cwd()
    except OSError:  # somebody has deleted it
        return path
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def same_file_or_name(one: str | None, other: str | None) -> bool:
    """Return whether two names or paths mean the same. A relative path is relative to the current folder."""
    if one is None or other is None or one == other:
        return one == other
    try:
        return Path(one).resolve() == Path(other).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL in the name, or a loop of links
        return False


def registered_networks() -> list[str]:
    """Return the names of all registered networks, smallest downloads first."""
    sizes = {name: size for family in FAMILIES.values() for name, size in family.networks.items()}
    return sorted(sizes, key=lambda name: sizes[name])


def refuse_unknown_network(network: str, source: str | None) -> None:
    """Raise SettingsError if `network` is neither a registered network nor a file.

    The message names `source`, the settings that name the network, or None if the user named it.
    """
    known = registered_networks()
    if not (network in known or is_model_file(network) or os.path.isfile(network)):  # noqa: PTH113 - for any text, also a very long one
        where = f"{source}: " if source else ""
        raise SettingsError(
            f"{where}there is no network called '{network}'{did_you_mean(network, known)}; use one of "
            f"{', '.join(known[:6])}, …, or a model file ({', '.join(MODEL_FILES)})"
        )
