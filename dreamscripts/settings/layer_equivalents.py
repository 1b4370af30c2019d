"""Corresponding layers of different networks, for settings that are used with another network.

Layers correspond by their stride first, then by their depth in the network. Corresponding layers make patterns of about
the same size, but not the same patterns. Each family of networks lists its own layers (networks/zoo/).
"""

from dreamscripts.registry import FAMILIES


def equivalent(layer: str, network: str) -> str | None:
    """Look up the layer of `network` that corresponds to `layer`, a layer of another family.

    Returns None if `network` itself has the layer, or if no layer corresponds.
    """
    families = FAMILIES.values()
    no_layers: dict[tuple[int, int], str] = {}
    layers = next((family.equivalents for family in families if network in family.networks), no_layers)
    if layer in layers.values():
        return None
    places = [place for family in families for place, other in family.equivalents.items() if other == layer]
    return layers.get(min(places)) if places else None
