"""Pictures that activate the channels of a layer, many channels in one batch."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from math import ceil

import keras
import numpy as np

from dreamscripts.backends import host
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.prepare import build_evaluator, choose
from dreamscripts.errors import NetworkError, did_you_mean
from dreamscripts.images.resizing import noise
from dreamscripts.losses.layers import LayerDirections
from dreamscripts.networks.layers import describe_layers, find_layer
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.pre_relu import name_before_relu
from dreamscripts.objective.choose_tiles import bytes_per_pixel, free_for_passes
from dreamscripts.settings.schema import Settings

# The number of pixels in a batch on a CPU. It keeps two cores busy with a small network, and a large network fits in
# memory. On a GPU, a batch fills at most this share of the free memory.
PIXELS, SHARE = 16 * 96 * 96, 0.5


def choose_layers(model: keras.Model, wanted: Sequence[str], name: str) -> dict[str, str]:
    """Return {layer: name of its output before the ReLU} for the layers that match the names or patterns (`fire[5-9]`).

    `wanted` may also name outputs before the ReLU. If it is empty, all convolutions are chosen. Raises NetworkError if
    an entry of `wanted` matches no layer of `model`. The message calls the model `name`.
    """
    facts = describe_layers(model)
    known = [layer.name for layer in facts]
    before = {layer.name: name_before_relu(layer.operation) for layer in facts}
    chosen = [layer.name for layer in facts if not wanted and "Conv2D" in layer.kind]
    for pattern in wanted:
        found = [pattern] if pattern in known else [layer for layer in known if before[layer] == pattern]
        if not found and (short := find_layer(facts, pattern)):  # a layer of an inner model
            found = [short.name]
        found = found or [layer for layer in known if fnmatchcase(layer, pattern)]
        if not found:
            meant = did_you_mean(pattern, known)
            raise NetworkError(f"{name} has no layer '{pattern}'{meant}; `dreamscripts layers {name}` lists them")
        chosen += found
    return {layer: before[layer] for layer in chosen}


def _fitting(network: Network, side: int) -> int:
    """Return the number of pictures of this side in a batch."""
    pixels = int(SHARE * free_for_passes() / bytes_per_pixel(network)) if host.on_gpu() else PIXELS
    return max(1, pixels // side**2)


def visualize_channels(
    network: Network, settings: Settings, channels: Sequence[int], together: int | None = None
) -> Iterator[dict[int, np.ndarray]]:
    """Yield {channel: picture (float32 (H, W, 3), 0..255)} for channels of the settings' only layer, batch by batch.

    `together` is the largest number of pictures in a batch; None chooses it by their size. All batches use the same
    compiled pass.
    """
    if not channels:
        return
    (layer,) = settings.features
    depth = network.model.output[layer].shape[network.channel_axis]
    network = network.at(layer)
    # If the pictures of a batch influence each other, each picture gets its own batch.
    largest = 1 if settings.optimizer.couples_pictures else together or _fitting(network, settings.side)
    batch = ceil(len(channels) / ceil(len(channels) / largest))  # batches of similar size
    directions = keras.Variable(np.zeros((batch, depth), np.float32), trainable=False)
    side, directed = settings.side, LayerDirections(layer, directions)
    choices = choose(network, settings, side, side, len(channels))
    evaluator = build_evaluator(network, settings, side, side, pictures=batch, loss=directed, choices=choices)
    start = np.repeat(noise(side, settings.seed, 1), batch, axis=0)  # all pictures start from the same noise
    for first in range(0, len(channels), batch):
        chosen = channels[first : first + batch]
        weights = np.zeros((batch, depth), np.float32)  # the last batch may have unused rows
        weights[range(len(chosen)), chosen] = 1
        directions.assign(weights)
        *_, last = dream(start, settings, evaluator=evaluator)
        yield dict(zip(chosen, last.picture, strict=False))
