"""`dreamscripts bench`: how fast a settings file runs on this machine."""

from typing import Annotated

import typer

from dreamscripts.scripts import options


def bench(
    settings: Annotated[
        str, typer.Option("--settings", "-s", metavar="NAME|FILE", help="What to measure.")
    ] = "bad_trip",
    network: options.Network = None,
    weights: options.Weights = "random",
    size: options.Size = 400,
    set_: options.Set = None,
    passes: Annotated[int, typer.Option(min=3, metavar="N", help="Passes to time of each kind.")] = 10,
) -> None:
    """Measure seconds per pass (loss and gradient), memory and start-up, beside a plain tf.function in the same run.

    The picture is square and made of noise; the weights are random unless you name some.
    """
    from dreamscripts.benchmark import measure
    from dreamscripts.settings import Settings

    for line in measure(Settings.load(settings, **options.overrides(network, weights, size, set_=set_)), passes):
        print(line, flush=True)
