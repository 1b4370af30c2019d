"""How much memory there is, how much a run takes, and so whether it goes in exact tiles, and in how large ones."""

import logging
import math
from pathlib import Path

import keras
import psutil

from dreamscripts import backends
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.exact_tiles import look
from dreamscripts.networks import Network
from dreamscripts.networks.anatomy import describe_layers
from dreamscripts.networks.googlenet import LocalResponseNorm
from dreamscripts.settings import Optimizer, Settings, Tiles

log = logging.getLogger(__name__)

FLOAT32 = 4
# Measured with TensorFlow on a CPU (VGG16 1.6 kB per pixel, pocket 0.6, SqueezeNet 0.4, ResNet50 0.9): what is kept of
# the features 1.2 times and 220 bytes for pixels, gradients and penalties. A third more is to be on the safe side.
FEATURES, PIXELS, SAFE = 1.2, 220, 1.3
CURVED = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU, keras.layers.MaxPooling2D)
CGROUPS = (  # limit, usage and its parts, of cgroup v2 and v1, as a container sees its own
    [Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current", "memory.stat")],
    [Path("/sys/fs/cgroup/memory") / f"memory.{name}" for name in ("limit_in_bytes", "usage_in_bytes", "stat")],
)


def available() -> int:
    """Bytes that this process may still take where passes run: on the GPU, or in main memory under its cgroup."""
    if backends.device().startswith("GPU"):
        return backends.free_on_gpu()
    free = psutil.virtual_memory().available
    for limit, usage, parts in CGROUPS:
        try:
            cached = dict(line.split() for line in parts.read_text().splitlines())["inactive_file"]  # given up at need
            free = min(free, int(limit.read_text()) - int(usage.read_text()) + int(cached))
        except (OSError, ValueError, KeyError):  # another version, no Linux, or "max": no limit
            continue
    return max(free, 0)


def of_pass(network: Network) -> float:
    """Bytes that a pass takes at its peak, per pixel of what it is given at once.

    Most are features kept for the gradient: of linear layers it needs none.
    """
    kept = sum(
        facts.channels / facts.stride**2
        for facts in describe_layers(network.model)
        if _is_curved(network.model.get_layer(facts.name))
    )
    return SAFE * (FEATURES * FLOAT32 * kept + PIXELS)


def _is_curved(layer: keras.Layer) -> bool:
    linear = keras.activations.linear
    return isinstance(layer, (*CURVED, LocalResponseNorm)) or getattr(layer, "activation", linear) is not linear


def of_run(optimizer: Optimizer) -> float:
    """Bytes that a run keeps, beside the pass, where passes run, per pixel of the whole picture."""
    if backends.device().startswith("GPU") and not optimizer.on_device:
        return 0  # all of it is in main memory
    # As many float32 pictures.
    vectors = 2 * optimizer.history + 6 if optimizer.on_device else 2 * 25 if optimizer.by_scipy else 12
    return (vectors + 4) * 3 * FLOAT32  # and the evaluator's picture, noise and gradients


def tiles_for(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Tiles | None:
    """The settings' tiles, with a size where it is left to the memory at hand.

    Without any, exact ones where a batch of so many pictures of that size would not fit in memory at once, which is
    logged; none for a network that they cannot serve. Raises PictureError where there is no room for exact ones.
    """
    tiles = settings.tiles
    if tiles and tiles.kind != "exact":
        return tiles
    free, each = available(), pictures * of_pass(network)
    kept = height * width * pictures * of_run(settings.optimizer)
    if tiles is None and kept + height * width * each <= free:
        return None
    try:
        axes = look(network, height, width)
    except SettingsError:
        if tiles:
            raise
        return None
    asked = tiles.size if tiles else None
    needed = kept + each * math.prod(min(asked or axis.least, axis.side) for axis in axes)
    if needed > free:
        how = f"in exact tiles of {asked} pixels" if asked else "even in the smallest exact tiles"
        advice = ", or --set optimizer.where=device" if settings.optimizer.by_scipy else ""
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
    return Tiles(kind="exact", size=size)
