"""dream(picture, settings) -> Iterator[Iterate]: wires network, loss, octaves and optimizer, and nothing else."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

import numpy as np

from dreamscripts.backends import compiling, host
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.dreams.octaves import SCHEDULES, Plain
from dreamscripts.errors import Diverged, PictureError, SettingsError
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.images.resizing import as_picture, fit
from dreamscripts.losses.build import build_loss
from dreamscripts.networks import tuning
from dreamscripts.networks.layers import fixed_size
from dreamscripts.networks.network import Network, load_network
from dreamscripts.networks.rewrite.bfloat16 import in_bfloat16
from dreamscripts.networks.rewrite.winograd import with_winograd
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.choose_tiles import tiles_for
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.exact_tiles import exact_crops
from dreamscripts.objective.fourier import FourierEvaluator
from dreamscripts.objective.random_tiles import smallest_tile
from dreamscripts.optimizers.registry import OPTIMIZERS
from dreamscripts.optimizers.step import OptimizerResult
from dreamscripts.settings.schema import Optimizer, Settings

log = logging.getLogger(__name__)

OnPass = Callable[[int, float], None]
ADVICE = {
    "lbfgs": "lower the weights under [features] or raise penalties.dream_l2",
    "gradient_ascent": "lower optimizer.step",
    "adam": "lower optimizer.step",
}


def dream(
    picture: np.ndarray,
    settings: Settings,
    *,
    after: Iterate | None = None,
    on_pass: OnPass | None = None,
    evaluator: Evaluator | None = None,
    choices: Choices | None = None,
    on_choices: Callable[[Choices], None] = lambda choices: None,
) -> Iterator[Iterate]:
    """Turn a picture (an array (H, W, 3), RGB in 0..255) into iterates, from the picture itself to the last iteration.

    Out of noise (`images.noise`) several pictures may be made together: a batch (N, H, W, 3). Iterations are numbered
    through all octaves; where one ends early, or is left out because its pictures would be too small for the network
    (a warning is logged), its numbers are left out. `after` goes on from an iterate of an earlier run with the same
    picture and settings, to the same iterates as a run without a break. `on_pass(passes, loss)` is called after each
    pass through the network. `evaluator` is one to use again after other dreams of these settings; it has its own.
    `choices` are those of the earlier run, without which its bytes cannot be had again; None lets a trial decide, where
    the run is long enough. `on_choices` is called with what was chosen, before the first pass.

    Raises DreamError where the settings do not fit the network or the picture, and Diverged where the loss leaves
    the numbers.
    """
    picture = as_picture(picture, batch=settings.start == "noise")
    network = evaluator.network if evaluator else open_network(settings)
    preprocessing = network.preprocessing
    base = preprocessing.normalise(picture if settings.start == "noise" else fit(picture, settings.size))
    base = base.astype(np.float32)  # as evaluators see it: of a large picture a copy in float64 is much
    del picture
    schedule, left_out = _schedule(network, settings, base)
    octaves = left_out + len(schedule.sizes)
    if evaluator:
        evaluator.reset()
    else:
        size, pictures = schedule.sizes[-1], math.prod(base.shape[:-3])
        choices = choices or choose(network, settings, *size, pictures)
        on_choices(choices)
        evaluator = build_evaluator(network, settings, *size, pictures=pictures, choices=choices, on_pass=on_pass)
        network = evaluator.network  # the weights of the other need not be kept
    each = settings.optimizer.iterations
    started = time.perf_counter()

    def iterate(octave: int, iteration: int, step: OptimizerResult) -> Iterate:
        ends = iteration > 0 and (step.done or iteration == (octave + 1) * each)
        return Iterate(
            octave=octave,
            iteration=iteration,
            loss=step.loss,
            terms=step.terms,
            passes=evaluator.passes,
            seconds=time.perf_counter() - started,
            x=schedule.finish(octave - left_out, step.x) if ends else step.x,
            preprocessing=preprocessing.name,
            stretched=settings.start == "noise" and settings.optimizer.parameters == "pixels",
            drawn=evaluator.drawn,
            ends_octave=ends,
            state=step.state,
        )

    iteration = 0
    try:
        if after is None:
            octave, x, state = left_out, schedule.begin(0, None), {}
            yield iterate(octave, 0, OptimizerResult(x, evaluator.loss(x), evaluator.terms(x)))
        else:
            octave, iteration, x, state = after.octave, after.iteration, after.x, after.state
            started -= after.seconds
            evaluator.passes = after.passes
            if after.ends_octave:
                octave += 1
                if octave == octaves:
                    return
                x, state = schedule.begin(octave - left_out, x), {}
            else:  # ask the last question again, so that its answer is at hand, as it was
                evaluator.passes -= 1
                evaluator.draw(after.drawn)
                evaluator.loss(x)
        while True:
            iteration = max(iteration, octave * each)
            steps = _walk(evaluator, x, settings.optimizer, iteration, state)
            for step in islice(steps, (octave + 1) * each - iteration):
                iteration += 1
                last = iterate(octave, iteration, step)
                yield last
            octave += 1
            if octave == octaves:
                return
            x, state = schedule.begin(octave - left_out, last.x), {}
    except Diverged as error:
        raise Diverged(f"iteration {iteration + 1}: {error}; {ADVICE[settings.optimizer.name]}") from None


def _walk(
    evaluator: Evaluator, x: np.ndarray, optimizer: Optimizer, start: int, state: Mapping[str, np.ndarray]
) -> Iterator[OptimizerResult]:
    """The optimizer's steps from the picture x, in pixels or in the coefficients that it goes by."""
    optimize = OPTIMIZERS[optimizer.name]
    if optimizer.parameters == "pixels":
        yield from optimize(evaluator, x, optimizer, evaluator.network.preprocessing, start, state)
        return
    fourier = FourierEvaluator(evaluator, *x.shape[-3:-1])
    coefficients = state["coefficients"] if state else fourier.coefficients(x)
    within = optimizer.model_copy(update={"clip": False})  # as its pictures are by themselves
    for step in optimize(fourier, coefficients, within, PREPROCESSINGS["none"], start, state):
        yield replace(step, x=fourier.picture(step.x), state={**step.state, "coefficients": step.x})


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
        build_loss(settings, network),
        jitter=settings.jitter,
        tiles=tiles,
        seed=settings.seed,
        xla=choices.xla,
        on_pass=on_pass,
    )


def _schedule(network: Network, settings: Settings, base: np.ndarray) -> tuple[Plain, int]:
    """The schedule of octaves for the photograph, and how many of the smallest had to be left out of it.

    Left out, with a warning, is an octave whose pictures are too small for the layers in use. Raises PictureError
    where all are, or where the tiles are, and SettingsError where exact ones are, or cannot serve the network.
    """
    tiles, table = settings.tiles, settings.octaves
    exact = tiles and tiles.kind == "exact"
    schedule = SCHEDULES[table.kind](base, table)
    network.check_size(*schedule.sizes[-1])
    if tiles and not exact and not network.fits(smallest_tile(tiles), smallest_tile(tiles)):
        if fixed_size(network.model):
            raise SettingsError(f"{network.name} takes pictures of one size only: leave tiles out of the settings")
        raise PictureError(
            f"tiles of {tiles.size} pixels are too small for {network.name} at {', '.join(settings.features)}, "
            f"which needs {network.least_side} pixels a side in every tile: raise tiles.size"
        )
    if table.kind == "grown":  # its smallest is the one to begin with
        network.check_size(*schedule.sizes[0])
    for left_out, (height, width) in enumerate(schedule.sizes):
        if network.fits(height, width):
            break
        if left_out < table.count - 1:
            log.warning(
                "octave %d of %d is left out: %d×%d is too small for %s at %s, which needs %d pixels a side",
                left_out + 1,
                table.count,
                width,
                height,
                network.name,
                ", ".join(settings.features),
                network.least_side,
            )
    if left_out:
        schedule = SCHEDULES[table.kind](base, table.model_copy(update={"count": table.count - left_out}))
    if exact:
        for height, width in schedule.sizes:
            exact_crops(network, height, width, tiles.size)
    return schedule, left_out
