"""Names of networks in settings: a registered network, or the file of a Keras model."""

from pathlib import Path

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.registry import FAMILIES

MODEL_FILES = (".keras", ".h5", ".hdf5")


def is_model_file(network: str) -> bool:
    """Return whether `network` is the file of a Keras model."""
    return network.endswith(MODEL_FILES)


def registered_networks() -> list[str]:
    """Return the names of all registered networks, smallest downloads first."""
    sizes = {name: size for family in FAMILIES.values() for name, size in family.networks.items()}
    return sorted(sizes, key=lambda name: sizes[name])


def refuse_unknown_network(network: str, source: str) -> None:
    """Raise SettingsError, which names `source`, if `network` is neither a registered network nor a file."""
    known = registered_networks()
    if not (network in known or is_model_file(network) or Path(network).is_file()):
        raise SettingsError(
            f"{source}: there is no network called '{network}'{did_you_mean(network, known)}; use one of "
            f"{', '.join(known[:6])}, …, or a model file ({', '.join(MODEL_FILES)})"
        )
