"""From settings to what a dream needs: the network, the evaluator of its loss, and the sizes that it goes through."""

import logging
from dataclasses import replace

import numpy as np

from dreamscripts.backends import compiling, host
from dreamscripts.dreams.octaves import SCHEDULES, Plain
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.losses.build import Loss, build_loss
from dreamscripts.networks import tuning
from dreamscripts.networks.layers import fixed_size
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.bfloat16 import in_bfloat16
from dreamscripts.networks.rewrite.winograd import with_winograd
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.choose_tiles import tiles_for
from dreamscripts.objective.evaluator import Evaluator, OnPass
from dreamscripts.objective.exact_tiles import exact_crops
from dreamscripts.objective.random_tiles import smallest_tile
from dreamscripts.settings.schema import Settings, Tiles

log = logging.getLogger(__name__)


def open_network(settings: Settings) -> Network:
    """The network that the settings name, cut at their layers."""
    network = load_network(
        settings.network,
        settings.weights,
        settings.features,
        preprocessing=settings.preprocessing,
        seed=settings.seed,
    )
    compiling.allow_tf32(settings.precision == "tf32")
    if settings.precision != "float32" and not host.on_gpu():
        instead = "computes in float32" if settings.precision == "tf32" else "takes longer with it"
        log.warning('precision = "%s" is for GPUs: a CPU %s', settings.precision, instead)
    with_edge = any((feature.measure or settings.measure) == "l2" for feature in settings.features.values())
    return network if with_edge else replace(network, edge=0)


def choose(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Choices:
    """How a run of these settings computes, for so many pictures at once of up to that size; it may take a trial."""
    if settings.precision == "mixed_bfloat16":
        return Choices()
    passes = settings.optimizer.iterations * settings.optimizer.passes
    return as_said(settings, tuning.choose(network, height, width, pictures * passes))


def as_said(settings: Settings, choices: Choices) -> Choices:
    """The choices, as far as the settings leave them open."""
    said = {"auto": choices.winograd_from, "direct": None, "winograd": 0}
    return replace(choices, winograd_from=said[settings.convolutions])


def computed(network: Network, settings: Settings, choices: Choices) -> Network:
    """The network with layers that compute as the settings say, or as was chosen."""
    if settings.precision == "mixed_bfloat16":
        return replace(network, model=in_bfloat16(network.model))
    if choices.winograd_from is None:
        return network
    return replace(network, model=with_winograd(network.model, choices.winograd_from))


def build_evaluator(
    network: Network,
    settings: Settings,
    height: int,
    width: int,
    *,
    pictures: int = 1,
    loss: Loss | None = None,
    choices: Choices | None = None,
    on_pass: OnPass | None = None,
) -> Evaluator:
    """The evaluator of the settings' loss, for so many pictures at once of up to that size.

    Those that would not fit in memory at once are computed in exact tiles, which is logged; PictureError where not
    even the smallest of them fits. How it computes are the `choices`, or those for a run of the settings.
    """
    tiles = tiles_for(network, settings, height, width, pictures)
    choices = choices or choose(network, settings, height, width, pictures)
    network = computed(network, settings, choices)
    return Evaluator(
        network,
        build_loss(settings, network) if loss is None else loss,
        jitter=settings.jitter,
        tiles=tiles,
        seed=settings.seed,
        xla=choices.xla,
        on_pass=on_pass,
        settings=settings,
    )


# What an evaluator is built from; the rest of the settings is for the optimizer and the octaves.
BUILT_FROM = (
    *("network", "weights", "preprocessing", "seed", "convolutions", "precision"),
    *("measure", "features", "guide", "penalties", "jitter", "tiles"),
)


def refuse_other_settings(evaluator: Evaluator, settings: Settings) -> None:
    """Raise SettingsError if an evaluator was built from other settings than these, which it would ignore."""
    if evaluator.settings is None:
        raise SettingsError("this evaluator was not built from settings; use build_evaluator(network, settings, …)")
    for key in BUILT_FROM:
        theirs, ours = getattr(evaluator.settings, key), getattr(settings, key)
        if theirs != ours:
            raise SettingsError(f"the evaluator was built with {key} = {theirs}, not {ours}; build another for these")


def plan_octaves(network: Network, settings: Settings, base: np.ndarray) -> tuple[Plain, int]:
    """The schedule of octaves for the normalised photograph `base`, and the number of octaves that are skipped.

    Octaves whose pictures are too small for the layers in use are skipped with a warning. Raises PictureError if all
    are, or if the tiles are too small, and SettingsError if exact tiles are too small or cannot serve the network.
    """
    table, tiles = settings.octaves, settings.tiles
    schedule = SCHEDULES[table.kind](base, table)
    network.check_size(*schedule.sizes[-1])
    if tiles and tiles.kind != "exact":
        _check_tiles(network, settings, tiles)
    if table.kind == "grown":  # its first octave is the picture itself, which cannot be skipped
        network.check_size(*schedule.sizes[0])
    skipped = next(number for number, size in enumerate(schedule.sizes) if network.fits(*size))
    for number, (height, width) in enumerate(schedule.sizes[:skipped], 1):
        log.warning(
            "octave %d of %d is skipped: %d×%d is too small for %s at %s, which needs %d pixels a side",
            *(number, table.count, width, height, network.name, ", ".join(settings.features), network.least_side),
        )
    if skipped:
        schedule = SCHEDULES[table.kind](base, table.model_copy(update={"count": table.count - skipped}))
    if tiles and tiles.kind == "exact":
        for height, width in schedule.sizes:
            exact_crops(network, height, width, tiles.size)
    return schedule, skipped


def _check_tiles(network: Network, settings: Settings, tiles: Tiles) -> None:
    """Raise an error if the network cannot compute the smallest of these tiles by itself."""
    side = smallest_tile(tiles)
    if network.fits(side, side):
        return
    if fixed_size(network.model):
        raise SettingsError(f"{network.name} takes pictures of one size only: remove tiles from the settings")
    raise PictureError(
        f"tiles of {tiles.size} pixels are too small for {network.name} at {', '.join(settings.features)}, "
        f"which needs {network.least_side} pixels a side in every tile: raise tiles.size"
    )
