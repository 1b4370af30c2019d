"""A picture of what each channel of a layer wants to see, many channels in one batch through the network."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from math import ceil

import keras
import numpy as np

from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.prepare import build_evaluator, choose
from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.images.resizing import noise
from dreamscripts.losses.layers import LayerDirections
from dreamscripts.networks.layers import describe_layers, find_layer
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.pre_relu import name_before_relu
from dreamscripts.settings.schema import Settings

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
    most = 1 if settings.optimizer.couples_pictures else together or max(1, PIXELS // settings.side**2)
    batch = ceil(len(channels) / ceil(len(channels) / most))  # as even as can be
    directions = keras.Variable(np.zeros((batch, depth), np.float32), trainable=False)
    network = network.at(layer)
    side, directed = settings.side, LayerDirections(layer, directions)
    choices = choose(network, settings, side, side, len(channels))
    evaluator = build_evaluator(network, settings, side, side, pictures=batch, loss=directed, choices=choices)
    start = np.repeat(noise(side, settings.seed, 1), batch, axis=0)  # all begin with the same
    for first in range(0, len(channels), batch):
        chosen = channels[first : first + batch]
        one_each = np.zeros((batch, depth), np.float32)  # where fewer are left, the rest of the batch wants nothing
        one_each[range(len(chosen)), chosen] = 1
        directions.assign(one_each)
        *_, last = dream(start, settings, evaluator=evaluator)
        yield dict(zip(chosen, last.picture, strict=False))
