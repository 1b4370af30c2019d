"""Prepare a dream: load the network, build the evaluator of the loss, and plan the octaves."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

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
from dreamscripts.objective.choose_tiles import check_guide, tiles_for
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.exact_tiles import exact_crops
from dreamscripts.objective.protocol import OnPass
from dreamscripts.objective.random_tiles import smallest_tile
from dreamscripts.registry import MEASURES, SCHEDULES
from dreamscripts.settings.built_from import BUILT_FROM
from dreamscripts.settings.schema import Precision, Settings, check_type
from dreamscripts.settings.tables import Tiles

if TYPE_CHECKING:
    from dreamscripts.dreams.kept_evaluators import KeptEvaluators

log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """The parts of a dream.

    `skipped` is the number of octaves at the beginning that are skipped because they are too small. If `start` is None,
    the dream starts from the photograph.
    """

    evaluator: Evaluator
    schedule: Plain
    skipped: int
    start: np.ndarray | None  # float32, preprocessed, at the size of the first octave


def prepare(
    picture: np.ndarray,
    settings: Settings,
    loss: Loss | Term | TermFunction | None,
    start: np.ndarray | None,
    evaluator: Evaluator | None,
    choices: Choices | None,
    on_choices: Callable[[Choices], None],
    kept: "KeptEvaluators | None" = None,
) -> Prepared:
    """Prepare a dream. The arguments are those of `dream`. Raises DreamError."""
    check_type(settings)
    picture = as_picture(picture, batch=settings.start == "noise")
    loss = None if loss is None else as_loss(loss)
    if evaluator:
        if loss is not None or choices is not None:
            raise SettingsError(
                "`loss` and `choices` cannot be given together with `evaluator`; give them to build_evaluator"
            )
        refuse_other_settings(evaluator, settings)
        evaluator.reset()
    if kept and (evaluator or loss is not None):
        raise SettingsError("`kept` cannot be given together with `evaluator` or `loss`")
    network = evaluator.network if evaluator else kept.open_network(settings) if kept else open_network(settings, loss)
    base = network.preprocessing.normalise(picture if settings.start == "noise" else fit(picture, settings.size))
    base = base.astype(np.float32)  # half the memory of float64
    schedule, skipped = plan_octaves(network, settings, base)
    if start is not None:
        start = as_picture(start, batch=base.ndim == 4)
        if start.shape[:-3] != base.shape[:-3]:
            given, needed = math.prod(start.shape[:-3]), math.prod(base.shape[:-3])
            raise PictureError(f"`start` and `picture` need the same number of pictures, not {given} and {needed}")
        start = bilinear(network.preprocessing.normalise(start).astype(np.float32), schedule.sizes[0])
    if evaluator is None:
        (height, width), pictures = schedule.sizes[-1], math.prod(base.shape[:-3])
        choices = choices or choose(network, settings, height, width, pictures)
        on_choices(choices)
        size = height, width
        if kept:
            evaluator = kept.build_evaluator(network, settings, *size, pictures=pictures, choices=choices)
        else:
            evaluator = build_evaluator(network, settings, *size, pictures=pictures, loss=loss, choices=choices)
    return Prepared(evaluator, schedule, skipped, start)


def open_network(settings: Settings, loss: Loss | None = None) -> Network:
    """Load the network that the settings name, up to the deepest layer that the loss reads.

    Without `loss`, these are the layers of the settings' features. Raises NetworkError.
    """
    network = load_network(
        settings.network,
        settings.weights,
        (loss.layers if loss else ()) or settings.features,
        preprocessing=settings.preprocessing,
        seed=settings.seed,
    )
    if settings.precision in ("tf32", "mixed_bfloat16") and not host.on_gpu():
        instead = "computes in float32" if settings.precision == "tf32" else "is slower with it"
        log.warning('precision = "%s" is for GPUs: a CPU %s', settings.precision, instead)
    edges = [MEASURES[feature.measure or settings.measure].edge for feature in settings.features.values()]
    return replace(network, edge=loss.edge if loss else max(edges))


def choose_precision(settings: Settings) -> Precision:
    """Return the precision of the network: of the settings, or with "auto" the one for this machine.

    On a GPU, this is bfloat16. Dreams in bfloat16 differ from those in float32 as much as if the photograph had been
    rounded to whole pixel values. A GPU without bfloat16 uses TF32 if it has it. Winograd's algorithm needs float32.
    """
    if settings.precision != "auto":
        return settings.precision
    if not host.on_gpu() or settings.convolutions == "winograd":
        return "float32"
    return "mixed_bfloat16" if host.backend().has_bfloat16() else "tf32"


def choose(network: Network, settings: Settings, height: int, width: int, pictures: int = 1) -> Choices:
    """Choose how a run computes `pictures` pictures of up to height × width. A long run measures for some seconds."""
    if choose_precision(settings) == "mixed_bfloat16":
        return override_choices(settings, Choices())
    passes = settings.optimizer.iterations * settings.optimizer.passes
    return override_choices(settings, tuning.choose(network, height, width, pictures * passes))


def override_choices(settings: Settings, choices: Choices) -> Choices:
    """Return the choices, with the precision, and with the kind of convolutions that the settings prescribe, if any."""
    winograd_from = {"auto": choices.winograd_from, "direct": None, "winograd": 0}
    precision = choose_precision(settings)
    return replace(choices, winograd_from=winograd_from[settings.convolutions], precision=precision)


def rewrite_network(network: Network, settings: Settings, choices: Choices) -> Network:
    """Compute the network as the settings and the choices require: its precision, and Winograd's algorithm."""
    precision = choices.precision or choose_precision(settings)
    if precision == "mixed_bfloat16":
        return replace(network, model=in_bfloat16(network.model))
    network = replace(network, tf32=precision == "tf32")
    if choices.winograd_from is None:
        return network
    model = with_winograd(network.model, choices.winograd_from)
    if model is network.model and settings.convolutions == "winograd":
        log.warning('convolutions = "winograd" has no effect, because it can compute no layer in use')
    return replace(network, model=model)


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
    tiles, with a warning. Raises PictureError if even the smallest tiles do not fit. Raises SettingsError if a penalty
    compares several pictures, but `pictures` is 1.
    """
    if loss is None:
        settings.check_pictures(pictures)
    tiles = tiles_for(network, settings, height, width, pictures)
    if settings.guide and loss is None:
        check_guide(network, settings.guide)
    choices = choices or choose(network, settings, height, width, pictures)
    network = rewrite_network(network, settings, choices)
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


def refuse_other_settings(evaluator: Evaluator, settings: Settings) -> None:
    """Raise SettingsError if the evaluator was built from other values of BUILT_FROM than those of `settings`.

    The evaluator would ignore the difference.
    """
    if evaluator.settings is None:
        raise SettingsError("this evaluator was not built from settings; use build_evaluator(network, settings, …)")
    for key in BUILT_FROM:
        built_with, requested = getattr(evaluator.settings, key), getattr(settings, key)
        if built_with != requested:
            raise SettingsError(
                f"the evaluator was built with {key} = {built_with}, not {requested}; build another evaluator"
            )


def plan_octaves(network: Network, settings: Settings, base: np.ndarray) -> tuple[Plain, int]:
    """Return the schedule of octaves for the preprocessed photograph `base`, and the number of skipped octaves.

    Octaves that are too small for the layers in use are skipped with a warning. Raises PictureError if all octaves or
    the tiles are too small. Raises SettingsError if exact tiles are too small or the network does not support them.
    """
    table, tiles = settings.octaves, settings.tiles
    schedule = SCHEDULES[table.kind].schedule(base, table)
    network.check_size(*schedule.sizes[-1])
    if tiles and tiles.kind != "exact":
        _check_tiles(network, tiles)
    if not SCHEDULES[table.kind].returns:  # the first octave is the picture itself and cannot be skipped
        network.check_size(*schedule.sizes[0])
    skipped = next(number for number, size in enumerate(schedule.sizes) if network.fits(*size))
    for number, (height, width) in enumerate(schedule.sizes[:skipped], 1):
        log.warning(
            "octave %d of %d is skipped, because %d×%d is too small: %s needs at least %d pixels per side for %s",
            *(number, table.count, width, height, network.name, network.least_side, ", ".join(network.model.output)),
        )
    if skipped:
        schedule = SCHEDULES[table.kind].schedule(base, table.model_copy(update={"count": table.count - skipped}))
    if tiles and tiles.kind == "exact":
        for height, width in schedule.sizes:
            exact_crops(network, height, width, tiles.size)
    return schedule, skipped


def _check_tiles(network: Network, tiles: Tiles) -> None:
    """Raise PictureError or SettingsError if the smallest of these tiles is too small for the network."""
    side = smallest_tile(tiles)
    if network.fits(side, side):
        return
    if network.only_size:
        raise SettingsError(
            f"{network.name} accepts pictures of one size only, so it cannot use tiles; remove tiles from the settings"
        )
    raise PictureError(
        f"tiles of {tiles.size} pixels are too small: {network.name} needs at least {network.least_side} pixels per "
        f"side in every tile for {', '.join(network.model.output)}; raise tiles.size"
    )
