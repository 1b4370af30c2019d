"""Make the pictures of a gallery, batch by batch."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import tomli_w

from dreamscripts.backends.lazy_keras import keras
from dreamscripts.dreams.channels import visualize_channels
from dreamscripts.dreams.prepare import open_network
from dreamscripts.networks.layers import describe_layers
from dreamscripts.runs.gallery_folder import GalleryFolder
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Feature


def open_folder(folder: Path, model: keras.Model, layers: Iterable[str], settings: Settings) -> GalleryFolder:
    """Open the folder of a gallery of these layers of `model`, or create it. Raises OutputError."""
    channels = {facts.name: facts.channels for facts in describe_layers(model)}
    common = tomli_w.dumps(settings.model_dump(exclude_none=True, exclude={"features"}))
    counted = {layer: channels[layer] for layer in layers}
    return GalleryFolder.open(folder, settings.network, settings.weights, common, counted, settings.side)


def make_gallery(
    folder: GalleryFolder,
    layers: Mapping[str, str],
    settings: Settings,
    *,
    on_pictures: Callable[[str, int], None] = lambda layer, count: None,
    on_layer: Callable[[str], None] = lambda layer: None,
) -> None:
    """Make all pictures that are missing in the folder.

    `layers` maps the layers of the folder to the names of their outputs before the ReLU. The folder is complete after
    every batch, so a gallery can be interrupted. `on_pictures(layer, count)` is called after each batch,
    `on_layer(layer)` when a layer ends or is interrupted. If a gallery fails before its first picture, the folder is
    deleted.
    """

    def settings_of(layer: str, channel: int) -> str:
        return _only(settings, layers[layer], channel).to_toml()

    missing = {layer: channels for layer in layers if (channels := folder.todo(layer))}
    try:
        if missing:
            used = {layers[layer]: Feature(weight=1) for layer in missing}
            network = open_network(settings.model_copy(update={"features": used}))
        for layer in layers:
            try:
                if layer in missing:
                    for pictures in visualize_channels(network, _only(settings, layers[layer]), missing[layer]):
                        folder.save(layer, pictures, partial(settings_of, layer))
                        on_pictures(layer, len(pictures))
            finally:
                on_layer(layer)
    finally:
        folder.discard_if_empty()


def _only(settings: Settings, layer: str, channel: int | None = None) -> Settings:
    """Return the settings with this layer, or one channel of it, as the only feature."""
    feature = Feature(weight=1, channels=None if channel is None else {channel: 1.0})
    return settings.model_copy(update={"features": {layer: feature}})
