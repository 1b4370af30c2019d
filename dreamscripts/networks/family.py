"""Families of networks, each in a module of zoo/, and the names of their networks. Keras is not imported here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.networks.file_checks import ZIPPED, check_plain_file, open_zip
from dreamscripts.registry import FAMILIES
from dreamscripts.settings.network_names import is_model_file, registered_networks

Place = tuple[int, int]

FILES = "a .keras or .h5 file"


@dataclass(frozen=True)
class Family:
    """Networks that are built in the same way. A module in zoo/ registers its family with `FAMILIES.add`.

    `networks` maps the name of each network to the size in MB of the download of its weights (0 if they are in the
    package). `preprocessing` is a name in images/preprocessing.py.

    `build(name)` makes a network without its top, for pictures (N, H, W, 3) of any size, with Keras's initial
    weights. `trained(name)` makes it with trained weights. `imagenet` is True if settings may also call these weights
    "imagenet". `from_weights(name, weights)` makes a network whose structure comes from the file of its
    weights. Without it, a file is loaded into the network that `build` makes.

    `equivalents` maps places to layers, so that settings for another family can use these networks. A place is
    (stride, number). The numbers at a stride grow with the depth of the layer. They follow the layers of VGG, but at
    stride 16 they go from 1 to 8, because other networks have more layers there. A layer can have several places.
    """

    name: str
    networks: Mapping[str, int]
    preprocessing: str
    build: Callable[[str], keras.Model]
    trained: Callable[[str], keras.Model]
    from_weights: Callable[[str, str], keras.Model] | None = None
    imagenet: bool = True
    equivalents: Mapping[Place, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module that defines the family."""
        return self.build.__module__


def names() -> tuple[str, ...]:
    """Return the names of all networks, smallest downloads first."""
    return tuple(_by_name())


def family_of(name: str) -> Family:
    """Return the family of the network called `name`. Raises NetworkError if there is no such network."""
    known = _by_name()
    if name not in known:
        raise NetworkError(
            f"there is no network called '{name}'{did_you_mean(name, known)}; "
            f"use one of {', '.join(list(known)[:6])}, …, or a model saved as {FILES}"
        )
    return known[name]


def check_name(name: str) -> None:
    """Raise NetworkError if `name` is neither the name of a network nor the path of a model file."""
    if is_model_file(name):
        check_plain_file(Path(name), "model")
        if name.endswith(".keras"):
            with open_zip(Path(name), ZIPPED):
                pass  # a damaged file is refused before Keras is imported
    elif os.path.isfile(name):  # noqa: PTH113 - for any text, also a very long one
        raise NetworkError(f"{name}: your own network must be {FILES}; for a weights file use --weights")
    else:
        family_of(name)


def unreachable_weights(name: str) -> str:
    """Return the message for weights that cannot be downloaded."""
    known = _by_name()
    packaged = " or ".join(other for other, family in known.items() if not family.networks[other])
    size = known[name].networks[name] if name in known else 0
    return (
        f"the weights of {name} ({size} MB) are not on this machine and cannot be downloaded: connect to the internet "
        f"and try again, use --weights FILE, or use --network {packaged} (no download)"
    )


def _by_name() -> dict[str, Family]:
    """Return {network: family}, smallest downloads first."""
    found: dict[str, Family] = {}
    for family in FAMILIES.values():
        for name in family.networks:
            if name in found:
                raise ValueError(f"both {found[name].module} and {family.module} have a network called '{name}'")
            found[name] = family
    return {name: found[name] for name in registered_networks()}
