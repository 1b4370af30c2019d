"""A picture of what each channel of a layer wants to see, many channels in one batch through the network."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from math import ceil
from pathlib import Path

import keras
import numpy as np
import tomli_w

from dreamscripts.dreams.dream import choose, computed, dream, open_network
from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.images.resizing import noise
from dreamscripts.losses.layers import LayerDirections
from dreamscripts.networks.layers import describe_layers, find_layer
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.pre_relu import name_before_relu
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.reports.gallery import GalleryFolder
from dreamscripts.settings.schema import Feature, Settings

# In a batch: enough to keep two cores busy with a small network, and few enough for the memory of a large one.
PIXELS = 16 * 96 * 96


def choose_layers(model: keras.Model, wanted: Sequence[str], name: str) -> dict[str, str]:
    """The layers wanted, by name or by pattern (`fire[5-9]`), each with the name of what it computes before its ReLU.

    That name will do as well. None wanted is every convolution. Raises NetworkError where `model`, called `name`, has
    no such layer.
    """
    facts = describe_layers(model)
    known = [one.name for one in facts]
    before = {one.name: name_before_relu(one.operation) for one in facts}
    chosen = [one.name for one in facts if not wanted and "Conv2D" in one.kind]
    for pattern in wanted:
        found = [pattern] if pattern in known else [layer for layer in known if before[layer] == pattern]
        if not found and (short := find_layer(facts, pattern)):  # of an inner model
            found = [short.name]
        found = found or [layer for layer in known if fnmatchcase(layer, pattern)]
        if not found:
            meant = did_you_mean(pattern, known)
            raise NetworkError(f"{name} has no layer '{pattern}'{meant}; `dreamscripts layers {name}` lists them")
        chosen += found
    return {layer: before[layer] for layer in chosen}


def open_folder(folder: Path, model: keras.Model, layers: Iterable[str], settings: Settings) -> GalleryFolder:
    """The folder of a gallery of these layers of `model`, new or to go on with. Raises OutputError."""
    channels = {facts.name: facts.channels for facts in describe_layers(model)}
    common = tomli_w.dumps(settings.model_dump(exclude_none=True, exclude={"features"}))
    counted = {layer: channels[layer] for layer in layers}
    return GalleryFolder.open(folder, settings.network, settings.weights, common, counted, settings.size)


def make_gallery(
    folder: GalleryFolder,
    layers: Mapping[str, str],
    settings: Settings,
    on_pictures: Callable[[str, int], None] = lambda layer, count: None,
) -> None:
    """Make every picture that the folder has not yet, and a contact sheet of each layer.

    `layers` are those in the folder, each with the name by which the network knows what is to be seen of it. The
    folder is whole after every batch, so that it may be interrupted; `on_pictures(layer, count)` is called after each.
    One that fails before the first leaves no folder.
    """

    def inside(layer: str, channel: int) -> str:
        return _of(settings, layers[layer], channel).to_toml()

    left = {layer: folder.todo(layer) for layer in layers}
    used = {layers[layer]: Feature(weight=1) for layer in layers if left[layer]}
    try:
        network = open_network(settings.model_copy(update={"features": used})) if used else None
        for layer, channels in left.items():
            try:
                for pictures in visualize_channels(network, _of(settings, layers[layer]), channels):
                    folder.save(layer, pictures, partial(inside, layer))
                    on_pictures(layer, len(pictures))
            finally:
                folder.finish(layer)
    finally:
        folder.discard_if_bare()


def visualize_channels(
    network: Network, settings: Settings, channels: Sequence[int], together: int | None = None
) -> Iterator[dict[int, np.ndarray]]:
    """Yield pictures (float32 (H, W, 3), 0..255) of these channels of the settings' one layer, batch by batch.

    `together` are the most in a batch; without it, as many as suit their size. What is compiled serves all batches.
    """
    if not channels:
        return
    (layer,) = settings.features
    depth = network.model.output[layer].shape[network.channel_axis]
    # Where a step or the end depends on the loss of the whole batch, pictures are made one by one.
    alone = settings.optimizer.name == "lbfgs" or settings.optimizer.max_score is not None
    most = 1 if alone else together or max(1, PIXELS // settings.size**2)
    batch = ceil(len(channels) / ceil(len(channels) / most))  # as even as can be
    directions = keras.Variable(np.zeros((batch, depth), np.float32), trainable=False)
    network = network.at(layer)
    choices = choose(network, settings, settings.size, settings.size, len(channels))
    evaluator = Evaluator(
        computed(network, settings, choices),
        LayerDirections(layer, directions),
        jitter=settings.jitter,
        tiles=settings.tiles,
        seed=settings.seed,
        xla=choices.xla,
    )
    start = np.repeat(noise(settings.size, settings.seed, 1), batch, axis=0)  # all begin with the same
    for first in range(0, len(channels), batch):
        chosen = channels[first : first + batch]
        one_each = np.zeros((batch, depth), np.float32)  # where fewer are left, the rest of the batch wants nothing
        one_each[range(len(chosen)), chosen] = 1
        directions.assign(one_each)
        *_, last = dream(start, settings, evaluator=evaluator)
        yield dict(zip(chosen, last.picture, strict=False))


def _of(settings: Settings, layer: str, channel: int | None = None) -> Settings:
    """The settings with that layer and no other to see more of, or that channel of it."""
    feature = Feature(weight=1, channels=None if channel is None else [channel])
    return settings.model_copy(update={"features": {layer: feature}})
