"""Estimate the memory of a run, and choose exact tiles and their size if they are needed."""

import logging
import math
from pathlib import Path

import keras

from dreamscripts.backends import host
from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.decoding import fitted_size
from dreamscripts.networks.layers import describe_layers
from dreamscripts.networks.local_response_norm import LocalResponseNorm
from dreamscripts.networks.network import Network
from dreamscripts.objective.exact_tiles import Axis, axes_of
from dreamscripts.objective.memory_budget import FLOAT32, need, of_run
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Guide, Tiles

log = logging.getLogger(__name__)

# These constants fit measurements with TensorFlow on a CPU: 1.6 kB per pixel for VGG16, 0.6 for pocket, 0.4 for
# SqueezeNet, 0.9 for ResNet50. The memory is 1.2 times the stored activations, plus 220 bytes per pixel for pixels,
# gradients and penalties. The estimate is 1.3 times this memory.
FEATURES, PIXELS, SAFETY = 1.2, 220, 1.3
SLOW = 2  # a warning is logged if all exact tiles together have more than twice the pixels of the picture
LINEAR = ("Add", "Subtract", "Concatenate", "GetItem", "Cast", "Reshape", "Transpose", "Pad", "Mean")  # operators
NONLINEAR = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU, keras.layers.MaxPooling2D)


def free_for_passes() -> int:
    """Return the free bytes on the device that computes the passes: GPU memory or main memory."""
    return host.free_on_gpu() if host.on_gpu() else free_memory()


def bytes_per_pixel(network: Network) -> float:
    """Return the memory of a pass at its peak, in bytes per pixel of the pictures in the pass.

    Most of this memory is activations stored for the gradient. Linear layers store no activations.
    """
    stored = sum(
        facts.channels / facts.stride**2 for facts in describe_layers(network.model) if _is_nonlinear(facts.operation)
    )
    return SAFETY * (FEATURES * FLOAT32 * stored + PIXELS)


def _is_nonlinear(layer: keras.Operation) -> bool:
    if not isinstance(layer, keras.Layer):
        return type(layer).__name__ not in LINEAR
    linear = keras.activations.linear
    return isinstance(layer, (*NONLINEAR, LocalResponseNorm)) or getattr(layer, "activation", linear) is not linear


def tiles_for(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Tiles | None:
    """Return the tiles to use for a batch of `pictures` pictures of this size.

    Random tiles of the settings are returned unchanged. If the settings have exact tiles without a size, the size is
    chosen from the free memory. If the settings have no tiles and the batch does not fit in memory, exact tiles are
    returned and a warning is logged. Without tiles in the settings, returns None if the batch fits, or if the network
    does not support exact tiles. With exact tiles in the settings, raises SettingsError if the network does not support
    them. Raises PictureError if exact tiles do not fit in memory.
    """
    tiles = settings.tiles
    if tiles and tiles.kind != "exact":
        return tiles
    free, per_pixel = free_for_passes(), pictures * bytes_per_pixel(network)
    separate = host.on_gpu() and not settings.optimizer.on_device  # the optimizer's vectors are in main memory
    of_optimizer = 0 if separate else height * width * pictures * of_run(settings.optimizer)
    if tiles is None and of_optimizer + height * width * per_pixel <= free:
        return None
    try:
        axes = axes_of(network, height, width)
    except SettingsError:
        if tiles:
            raise
        return None
    fixed = tiles.size if tiles else None
    needed = of_optimizer + per_pixel * math.prod(min(fixed or axis.minimum, axis.side) for axis in axes)
    if needed > free:
        how = f"in exact tiles of {fixed} pixels" if fixed else "even in the smallest exact tiles"
        advice = f", or --set {lighter}" if (lighter := settings.optimizer.lighter) else ""
        raise PictureError(
            f"{need(height, width, pictures)} {needed / 1e9:.1f} GB of memory with {network.name} {how}, "
            f"and {free / 1e9:.1f} GB are free: use a smaller --size{advice}"
        )
    minimum, recommended = (max(getattr(axis, side) for axis in axes) for side in ("minimum", "recommended"))
    largest = math.isqrt(int((free - of_optimizer) / per_pixel))
    size = fixed or max(minimum, min(recommended, largest))
    if tiles is None:
        log.warning("%d×%d does not fit in memory: using exact tiles of %d pixels", width, height, size)
    if fixed and fixed >= minimum:  # smaller tiles raise an error in exact_crops
        _warn_if_slow(axes, fixed, recommended)
    return Tiles(kind="exact", size=size)


def check_guide(network: Network, guide: Guide) -> None:
    """Raise PictureError if one pass of the guide picture does not fit in memory."""
    height, width = fitted_size(Path(guide.picture), guide.size)
    needed, free = height * width * bytes_per_pixel(network), free_for_passes()
    if needed > free:
        raise PictureError(
            f"{guide.picture}: as a guide of {width}×{height} it needs {needed / 1e9:.1f} GB of memory with "
            f"{network.name}, and {free / 1e9:.1f} GB are free: use a smaller guide.size"
        )


def _warn_if_slow(axes: list[Axis], size: int, recommended: int) -> None:
    work = math.prod(sum(end - start for start, end, *_ in axis.spans(size)) / axis.side for axis in axes)
    if work > SLOW:
        log.warning(
            "exact tiles of %d pixels overlap a lot, so a pass takes about %.0f times as long as without overlap: "
            "use tiles.size = %d",
            size,
            work,
            recommended,
        )
