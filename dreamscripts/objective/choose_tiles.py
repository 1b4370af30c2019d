"""How much memory there is, how much a run takes, and so whether it goes in exact tiles, and in how large ones."""

import logging
import math

import keras

from dreamscripts.backends import host
from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.local_response_norm import LocalResponseNorm
from dreamscripts.networks.network import Network
from dreamscripts.objective.exact_tiles import axes_of
from dreamscripts.objective.memory_budget import FLOAT32, of_run
from dreamscripts.settings.schema import Settings, Tiles

log = logging.getLogger(__name__)

# Measured with TensorFlow on a CPU (VGG16 1.6 kB per pixel, pocket 0.6, SqueezeNet 0.4, ResNet50 0.9): what is kept of
# the features 1.2 times and 220 bytes for pixels, gradients and penalties. A third more is to be on the safe side.
FEATURES, PIXELS, SAFE = 1.2, 220, 1.3
MUCH = 2  # times the pixels of the picture, in all tiles together
LINEAR = ("Add", "Subtract", "Concatenate", "GetItem", "Cast", "Reshape", "Transpose", "Pad", "Mean")  # operators
CURVED = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU, keras.layers.MaxPooling2D)


def available() -> int:
    """Bytes that this process may still take where passes run: on the GPU, or in main memory."""
    return host.free_on_gpu() if host.on_gpu() else free_memory()


def of_pass(network: Network) -> float:
    """Bytes that a pass takes at its peak, per pixel of what it is given at once.

    Most are features kept for the gradient: of linear layers it needs none.
    """
    kept = sum(
        facts.channels / facts.stride**2 for facts in describe_layers(network.model) if _is_curved(facts.operation)
    )
    return SAFE * (FEATURES * FLOAT32 * kept + PIXELS)


def _is_curved(layer: keras.Operation) -> bool:
    if not isinstance(layer, keras.Layer):
        return type(layer).__name__ not in LINEAR
    linear = keras.activations.linear
    return isinstance(layer, (*CURVED, LocalResponseNorm)) or getattr(layer, "activation", linear) is not linear


def tiles_for(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Tiles | None:
    """The settings' tiles, with a size where it is left to the memory at hand.

    Without any, exact ones where a batch of so many pictures of that size would not fit in memory at once, which is
    logged; none for a network that they cannot serve. Raises PictureError where there is no room for exact ones.
    """
    tiles = settings.tiles
    if tiles and tiles.kind != "exact":
        return tiles
    free, each = available(), pictures * of_pass(network)
    elsewhere = host.on_gpu() and not settings.optimizer.on_device  # in main memory
    kept = 0 if elsewhere else height * width * pictures * of_run(settings.optimizer)
    if tiles is None and kept + height * width * each <= free:
        return None
    try:
        axes = axes_of(network, height, width)
    except SettingsError:
        if tiles:
            raise
        return None
    asked = tiles.size if tiles else None
    needed = kept + each * math.prod(min(asked or axis.least, axis.side) for axis in axes)
    if needed > free:
        how = f"in exact tiles of {asked} pixels" if asked else "even in the smallest exact tiles"
        advice = f", or --set {lighter}" if (lighter := settings.optimizer.lighter) else ""
        what = f"a picture of {width}×{height} takes"
        if pictures > 1:
            what = f"{pictures} pictures of {width}×{height} take"
        raise PictureError(
            f"{what} {needed / 1e9:.1f} GB of memory with {network.name} {how}, and {free / 1e9:.1f} GB are free: "
            f"give a smaller --size{advice}"
        )
    ample, room = max(axis.ample for axis in axes), math.isqrt(int((free - kept) / each))
    size = asked or max(*(axis.least for axis in axes), min(ample, room))
    if tiles is None:
        log.warning(
            "%d×%d does not fit in memory at once: it is computed in exact tiles of %d pixels", width, height, size
        )
    if asked and asked >= max(axis.least for axis in axes):  # others are refused with their crops
        work = math.prod(sum(end - start for start, end, *_ in axis.spans(asked)) / axis.side for axis in axes)
        if work > MUCH:
            log.warning(
                "exact tiles of %d pixels overlap so far that a pass takes %.0f times as long: %d are quick",
                asked,
                work,
                ample,
            )
    return Tiles(kind="exact", size=size)
