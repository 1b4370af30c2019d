"""dream(picture, settings) -> Iterator[Iterate]: wires network, loss, evaluator and optimizer, nothing else."""

import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from dreamscripts.backends import choose_xla
from dreamscripts.errors import Diverged
from dreamscripts.evaluator import Evaluator
from dreamscripts.images import fit
from dreamscripts.iterates import Iterate
from dreamscripts.losses import build_loss
from dreamscripts.networks import load_network
from dreamscripts.optimizers.lbfgs import lbfgs
from dreamscripts.settings import Settings


def dream(
    picture: np.ndarray | None,
    settings: Settings,
    *,
    after: Iterate | None = None,
    on_pass: Callable[[int, float], None] | None = None,
) -> Iterator[Iterate]:
    """Turn a picture (float32 (H, W, 3) RGB in 0..255) into iterates, from the picture itself to the last iteration.

    `after` goes on from an iterate of an earlier run with the same settings, to the same pictures as a run without
    a break; the picture is then not needed. `on_pass(passes, loss)` is called after each pass through the network.
    Raises DreamError where the settings do not fit the network or the picture, and Diverged where the loss leaves
    the numbers.
    """
    network = load_network(
        settings.network,
        settings.weights,
        settings.features,
        preprocessing=settings.preprocessing,
        seed=settings.seed,
    )
    if after is None:
        picture = fit(picture, settings.size)
    height, width, _ = shape = picture.shape if after is None else after.x.shape
    network.check_size(height, width)
    total = settings.optimizer.iterations * settings.optimizer.evaluations
    evaluator = Evaluator(
        network,
        build_loss(settings),
        shape,
        xla=choose_xla(network.multiplications(height, width), height * width, total),
        on_pass=on_pass,
    )
    rng = np.random.default_rng(settings.seed)
    started = time.perf_counter()

    def iterate(iteration: int, x: np.ndarray, loss: float, terms: dict[str, float]) -> Iterate:
        return Iterate(
            octave=0,
            iteration=iteration,
            loss=loss,
            terms=terms,
            evaluations=evaluator.passes,
            seconds=time.perf_counter() - started,
            x=x,
            preprocessing=network.preprocessing.name,
            random_state=rng.bit_generator.state,
        )

    iteration = 0
    try:
        if after is None:
            x = network.preprocessing.enter(picture)
            yield iterate(0, x, evaluator.loss(x), evaluator.terms(x))
        else:
            x, iteration = after.x, after.iteration
            rng.bit_generator.state = after.random_state
            evaluator.passes = after.evaluations
            started -= after.seconds
        steps = lbfgs(
            evaluator,
            x,
            evaluations=settings.optimizer.evaluations,
            noise=settings.jitter.noise / np.array(network.preprocessing.scale),
            rng=rng,
        )
        for step in islice(steps, settings.optimizer.iterations - iteration):
            iteration += 1
            yield iterate(iteration, step.x, step.loss, step.terms)
    except Diverged as error:
        advice = "lower the weights under [features] or raise penalties.dream_l2"
        raise Diverged(f"iteration {iteration + 1}: {error}; {advice}") from None
