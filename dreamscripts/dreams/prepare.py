"""From settings to what a dream needs: the network, the evaluator of its loss, and the sizes that it goes through."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dreamscripts.backends import host
from dreamscripts.dreams.octaves import Plain
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.resizing import as_picture, bilinear, fit
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.term import Loss, Term, TermFunction, as_loss
from dreamscripts.networks import tuning
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.network import Network
from dreamscripts.networks.rewrite.bfloat16 import in_bfloat16
from dreamscripts.networks.rewrite.winograd import with_winograd
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.choose_tiles import tiles_for
from dreamscripts.objective.evaluator import Evaluator, OnPass
from dreamscripts.objective.exact_tiles import exact_crops
from dreamscripts.objective.random_tiles import smallest_tile
from dreamscripts.registry import MEASURES, SCHEDULES
from dreamscripts.settings.schema import Settings, Tiles

log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """What a dream needs. `skipped` octaves are too small for the network; `start` is None for the photograph."""

    evaluator: Evaluator
    schedule: Plain
    skipped: int
    start: np.ndarray | None  # float32, normalised, of the size of the first octave


def prepare(
    picture: np.ndarray,
    settings: Settings,
    loss: Loss | Term | TermFunction | None,
    start: np.ndarray | None,
    evaluator: Evaluator | None,
    choices: Choices | None,
    on_choices: Callable[[Choices], None],
) -> Prepared:
    """Prepare a dream; the arguments are those of `dream`. Raises DreamError."""
    picture = as_picture(picture, batch=settings.start == "noise")
    loss = None if loss is None else as_loss(loss)
    if evaluator:
        if loss is not None or choices is not None:
            raise SettingsError("an evaluator has a loss and choices of its own: give them to build_evaluator")
        refuse_other_settings(evaluator, settings)
        evaluator.reset()
    network = evaluator.network if evaluator else open_network(settings, loss)
    base = network.preprocessing.normalise(picture if settings.start == "noise" else fit(picture, settings.size))
    base = base.astype(np.float32)  # half the memory of float64
    schedule, skipped = plan_octaves(network, settings, base)
    if start is not None:
        start = as_picture(start, batch=base.ndim == 4)
        if start.shape[:-3] != base.shape[:-3]:
            given, needed = math.prod(start.shape[:-3]), math.prod(base.shape[:-3])
            raise PictureError(f"`start` needs as many pictures as `picture`: {given} is not {needed}")
        start = bilinear(network.preprocessing.normalise(start).astype(np.float32), schedule.sizes[0])
    if evaluator is None:
        (height, width), pictures = schedule.sizes[-1], math.prod(base.shape[:-3])
        choices = choices or choose(network, settings, height, width, pictures)
        on_choices(choices)
        evaluator = build_evaluator(network, settings, height, width, pictures=pictures, loss=loss, choices=choices)
    return Prepared(evaluator, schedule, skipped, start)


def open_network(settings: Settings, loss: Loss | None = None) -> Network:
    """Load the network that the settings name, up to the layers that the loss reads; without `loss`, the settings' own.

    Raises NetworkError.
    """
    network = load_network(
        settings.network,
        settings.weights,
        (loss.layers if loss else ()) or settings.features,
        preprocessing=settings.preprocessing,
        seed=settings.seed,
    )
    if settings.precision != "float32" and not host.on_gpu():
        instead = "computes in float32" if settings.precision == "tf32" else "takes longer with it"
        log.warning('precision = "%s" is for GPUs: a CPU %s', settings.precision, instead)
    edges = [MEASURES[feature.measure or settings.measure].edge for feature in settings.features.values()]
    return replace(network, edge=loss.edge if loss else max(edges), tf32=settings.precision == "tf32")


def choose(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Choices:
    """Choose how a run computes `pictures` pictures of up to height × width; a long run makes a trial of seconds."""
    if settings.precision == "mixed_bfloat16":
        return Choices()
    passes = settings.optimizer.iterations * settings.optimizer.passes
    return as_said(settings, tuning.choose(network, height, width, pictures * passes))


def as_said(settings: Settings, choices: Choices) -> Choices:
    """The choices, with what the settings prescribe."""
    said = {"auto": choices.winograd_from, "direct": None, "winograd": 0}
    return replace(choices, winograd_from=said[settings.convolutions])


def computed(network: Network, settings: Settings, choices: Choices) -> Network:
    """The network with the layers that the settings or the choices ask for."""
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
    loss: Loss | Term | TermFunction | None = None,
    choices: Choices | None = None,
    on_pass: OnPass | None = None,
) -> Evaluator:
    """Build the evaluator for `pictures` pictures of up to height × width, in one batch.

    `loss` replaces the features and penalties of the settings. A batch that does not fit in memory is computed in exact
    tiles, with a warning. Raises PictureError if even the smallest tiles do not fit.
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
    schedule = SCHEDULES[table.kind].schedule(base, table)
    network.check_size(*schedule.sizes[-1])
    if tiles and tiles.kind != "exact":
        _check_tiles(network, tiles)
    if not SCHEDULES[table.kind].returns:  # its first octave is the picture itself, which cannot be skipped
        network.check_size(*schedule.sizes[0])
    skipped = next(number for number, size in enumerate(schedule.sizes) if network.fits(*size))
    for number, (height, width) in enumerate(schedule.sizes[:skipped], 1):
        log.warning(
            "octave %d of %d is skipped: %d×%d is too small for %s at %s, which needs %d pixels a side",
            *(number, table.count, width, height, network.name, ", ".join(network.model.output), network.least_side),
        )
    if skipped:
        schedule = SCHEDULES[table.kind].schedule(base, table.model_copy(update={"count": table.count - skipped}))
    if tiles and tiles.kind == "exact":
        for height, width in schedule.sizes:
            exact_crops(network, height, width, tiles.size)
    return schedule, skipped


def _check_tiles(network: Network, tiles: Tiles) -> None:
    """Raise an error if the network cannot compute the smallest of these tiles by itself."""
    side = smallest_tile(tiles)
    if network.fits(side, side):
        return
    if network.only_size:
        raise SettingsError(f"{network.name} takes pictures of one size only: remove tiles from the settings")
    raise PictureError(
        f"tiles of {tiles.size} pixels are too small for {network.name} at {', '.join(network.model.output)}, "
        f"which needs {network.least_side} pixels a side in every tile: raise tiles.size"
    )
