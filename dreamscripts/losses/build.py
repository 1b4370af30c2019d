"""Build the loss that settings describe: measures of layers, and penalties."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dreamscripts.backends.lazy_keras import ops
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.losses.named import selection
from dreamscripts.losses.term import Loss, Term
from dreamscripts.registry import MEASURES, PENALTIES

if TYPE_CHECKING:
    import numpy as np

    from dreamscripts.networks.network import Network
    from dreamscripts.settings.schema import Settings


log = logging.getLogger(__name__)


def build_loss(settings: Settings, network: Network) -> Loss:
    """Return the loss of the settings for the features of `network`, without the terms of weight 0.

    For each layer, its measure comes first, then the penalties on layers. The penalties on the picture come last.
    Raises SettingsError if a layer does not have a requested channel, and PictureError if the guide cannot be used.
    """
    penalties = dict(settings.penalties)
    on_layers, on_picture = ([p for p in PENALTIES.values() if p.on == target] for target in ("layer", "picture"))
    guide: dict[str, np.ndarray] = {}
    weighted: list[tuple[float, Term]] = []
    for layer, feature in settings.features.items():
        depth = network.model.output[layer].shape[network.channel_axis]
        if feature.channels and max(feature.channels) >= depth:
            raise SettingsError(
                f"{network.name}: {layer} has channels 0 to {depth - 1}; channel {max(feature.channels)} does not exist"
            )
        entry = MEASURES[feature.measure or settings.measure]
        if entry.guided:
            guide = guide or _guide_features(settings, network)
            chosen = guide[layer] @ selection(feature.channels, depth) if feature.channels else guide[layer]
            term = entry.make(layer, feature.channels, chosen)
        else:
            term = entry.make(layer, feature.channels)
        weighted.append((feature.weight, term))
        weighted += [(feature.weight * penalties.get(p.name, 0), p.make(term)) for p in on_layers]
    weighted += [(penalties.get(p.name, 0), p.make()) for p in on_picture]
    return Loss(tuple((weight, term) for weight, term in weighted if weight))


def _guide_features(settings: Settings, network: Network) -> dict[str, np.ndarray]:
    """Return {layer: (positions, c)} for the guide picture."""
    from dreamscripts.images.files import open_photo  # imports Pillow, which is not needed to load settings

    guide = settings.guide
    assert guide is not None  # Settings has a guide if a measure needs it
    photo = open_photo(guide.picture, guide.size)
    for note in photo.notes:
        log.warning("%s: %s", guide.picture, note)
    picture = photo.pixels
    if (only := network.only_size) and only != picture.shape[:2]:
        height, width = only
        raise PictureError(
            f"{guide.picture}: {network.name} takes pictures of {width}×{height} only: "
            f"crop the guide to {width}:{height} and set guide.size = {max(only)}"
        )
    if not network.fits(*picture.shape[:2]):
        raise PictureError(
            f"{guide.picture}: at guide.size = {guide.size} the guide is too small for "
            f"{network.name}, which needs {network.least_side} pixels per side: use a larger guide.size"
        )
    x = network.preprocessing.normalise(picture).astype("float32")
    features = network.features(ops.convert_to_tensor(x[None]))
    return {name: ops.convert_to_numpy(f).reshape(-1, f.shape[-1]) for name, f in features.items()}
