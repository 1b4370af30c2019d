"""`dreamscripts keras-example BASE PREFIX`: run the Keras L-BFGS example of 2016 with its arguments and file names."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import OutputError
from dreamscripts.scripts import options

if TYPE_CHECKING:
    import numpy as np

    from dreamscripts.dreams.iterate import Iterate
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

# If the settings have `max_change`, these values replace theirs. They are the values of the example: SciPy's L-BFGS
# without bounds, at one size, and its measure, which omits the border.
AS_IN_THE_EXAMPLE = {
    "jitter.shift": 0,
    "measure": "l2",
    "octaves": {},
    "optimizer.where": "scipy",
    "optimizer.max_change": None,
    "optimizer.iterations": 15,
}


def keras_example(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The picture.")],
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="Iterations are saved as PREFIX_at_iteration_N.png.")],
    settings: options.SettingsName = "dreamy",
    network: options.Network = None,
    weights: options.Weights = None,
    size: Annotated[int | None, typer.Option(help="Side of the square in pixels.")] = None,
    seed: options.Seed = None,
    iterations: options.Iterations = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
) -> None:
    """Run the Keras L-BFGS example: stretch BASE to a square and save PREFIX_at_iteration_N.png in each iteration.

    The features, penalties and noise are those of the settings. As in the example, the optimizer is SciPy's L-BFGS
    without bounds, at one size, and its measure, which omits the border.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.images.files import open_photo
    from dreamscripts.images.resizing import resize
    from dreamscripts.objective.memory_budget import check_memory
    from dreamscripts.scripts.progress import blown_out
    from dreamscripts.settings.loading import read_table

    console = options.open_console(quiet=False)
    changes = options.overrides(network, weights, size, seed, iterations, set_)
    written = read_table(settings).get("optimizer")
    bounded = isinstance(written, dict) and "max_change" in written
    changes = (AS_IN_THE_EXAMPLE if bounded else {}) | changes
    chosen = options.load_settings(console, settings, changes, allow_files)
    if not Path(prefix).parent.is_dir():
        raise OutputError(f"{prefix}: the folder '{Path(prefix).parent}' does not exist; create it first")
    photo = open_photo(base)
    for note in photo.notes:
        console.print(f"{base}: {note}")
    side = chosen.size or max(photo.pixels.shape)
    check_memory(side, side, chosen.optimizer, octaves=chosen.octaves)
    square = resize(photo.pixels, side, side)

    start_keras()
    last = _run(square, chosen, prefix, console)
    if warning := blown_out(last, chosen.optimizer):
        console.print(warning)


def _run(square: "np.ndarray", settings: "Settings", prefix: str, console: "CommandConsole") -> "Iterate":
    """Dream, print the messages of the example and save each iteration. Returns the last iterate."""
    from dreamscripts.dreams.dream import dream
    from dreamscripts.images.files import save_picture

    started = time.perf_counter()
    for iterate in dream(square, settings):
        number = iterate.iteration - 1
        if iterate.iteration:
            name = f"{prefix}_at_iteration_{number}.png"
            save_picture(iterate.picture, name, settings.to_toml())
            console.print(f"Current loss value: {iterate.loss}")
            console.print(f"Image saved as {name}")
            console.print(f"Iteration {number} completed in {time.perf_counter() - started:.0f}s")
        else:
            console.print("Model loaded.")
        if iterate.iteration < settings.optimizer.iterations:
            console.print(f"Start of iteration {number + 1}")
        started = time.perf_counter()
    return iterate
