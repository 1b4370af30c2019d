"""Adapt settings that were written for one network to another network."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from dreamscripts.errors import SettingsError
from dreamscripts.settings.layer_equivalents import equivalent
from dreamscripts.settings.network_names import is_model_file, short_name

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings
    from dreamscripts.settings.tables import Feature

log = logging.getLogger(__name__)

S = TypeVar("S", bound="Settings")


def refuse_other_channels(settings: "Settings", written_for: str, source: str, overrides: Mapping[str, Any]) -> None:
    """Raise SettingsError if channels in `source` were chosen for `written_for`, but the settings use another network.

    Two networks may have layers with the same name, but their channels with the same number are unrelated. Two model
    files may be copies of the same model, so their channels are accepted.
    """
    network = settings.network
    both_files = is_model_file(written_for) and is_model_file(network)
    if written_for == network or both_files or "features" in overrides:
        return
    table = f'[instead."{short_name(network)}"]' if is_model_file(network) else f"[instead.{network}]"
    keyframes = (settings.zoom and settings.zoom.keyframes) or []
    of_keyframes = [(layer, feature) for keyframe in keyframes for layer, feature in keyframe.features.items()]
    for layer, feature in [*settings.features.items(), *of_keyframes]:
        set_by = f"features.{layer}", f"features.{layer}.channels", "zoom.keyframes"
        if feature.channels and not any(key in overrides for key in set_by):
            raise SettingsError(
                f"{source}: the channels of {layer} were chosen for {written_for}, not for {short_name(network)}; "
                f"choose channels of {short_name(network)} in a table {table}, or with "
                f"--set 'features={{LAYER={{weight=1, channels=[N]}}}}'"
            )


def with_equivalent_layers(settings: S, overrides: Mapping[str, Any]) -> S:
    """Replace the layers of another network by the corresponding layers of this network, with a warning for each.

    The keyframes of a zoom are adapted, too. If several layers correspond to the same layer, their weights are added.
    If a layer was replaced, `optimizer.max_score` is removed, because scores of two networks differ. Instead,
    `optimizer.clip` is set, and the iterations are halved unless they are overridden. Raises SettingsError for a layer
    with channels.
    """
    features = _equivalent_features(settings.features, settings.network)
    optimizer = settings.optimizer
    if features.keys() != settings.features.keys() and getattr(optimizer, "max_score", None) is not None:
        # max_score ends an octave before the strongest spot is clipped. Half the iterations have about the same effect.
        instead: dict[str, Any] = {"max_score": None, "clip": True}
        if "optimizer.iterations" not in overrides:
            instead["iterations"] = max(1, optimizer.iterations // 2)
        optimizer = optimizer.model_copy(update=instead)
        log.warning(
            "optimizer.max_score is ignored, because scores of %s have a different scale; using optimizer.clip = true "
            "and optimizer.iterations = %d instead",
            settings.network,
            optimizer.iterations,
        )
    zoom = settings.zoom
    if zoom and zoom.keyframes:
        adapted = [
            keyframe.model_copy(update={"features": _equivalent_features(keyframe.features, settings.network)})
            for keyframe in zoom.keyframes
        ]
        zoom = zoom.model_copy(update={"keyframes": adapted})
    return settings.model_copy(update={"features": features, "optimizer": optimizer, "zoom": zoom, "instead": None})


def _equivalent_features(before: Mapping[str, "Feature"], network: str) -> dict[str, "Feature"]:
    """Return features for this network. Raises SettingsError for a layer with channels that must be replaced."""
    features: dict[str, Feature] = {}
    for layer, feature in before.items():
        if other := equivalent(layer, network):
            if feature.channels:
                raise SettingsError(
                    f"{layer} is not a layer of {network}; it corresponds to {other}, but the channel numbers "
                    "are different: choose channels again under [features]"
                )
            log.warning("%s is not a layer of %s; using %s instead", layer, network, other)
            layer = other
        if layer in features:
            feature = feature.model_copy(update={"weight": feature.weight + features[layer].weight})
        features[layer] = feature
    return features
