"""`dreamscripts compare PHOTO`: make the same dream with several optimizers, and write a report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.scripts import options

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from dreamscripts.settings.schema import Settings


def compare(
    photo: Annotated[Path, typer.Argument(help="The picture to start with.")],
    settings: options.SettingsName = "bad_trip",
    optimizers: Annotated[
        str,
        typer.Option("--optimizers", metavar="NAME,NAME", help="Two or more optimizers (values of optimizer.name)."),
    ] = "lbfgs,gradient_ascent",
    passes: Annotated[
        int,
        typer.Option("--passes", "--evaluations", min=2, metavar="N", help="Passes through the network in each trial."),
    ] = 105,
    network: options.Network = None,
    weights: options.Weights = None,
    size: options.Size = None,
    seed: options.Seed = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Default: <photo>-compare. If it exists, a number is added."
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Compare optimizers on PHOTO, and write a web page with pictures, curves and a table.

    All optimizers get the same number of passes. For gradient ascent and Adam, several step sizes are tried. Each trial
    uses N passes.
    """
    from dreamscripts.atomic_files import make_folder, make_numbered_folder
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.images.files import open_photo
    from dreamscripts.settings.schema import Settings

    console = options.open_console(quiet)
    chosen = Settings.load(settings, **options.overrides(network, weights, size, seed, set_=set_, guide=guide))
    names = _parse(optimizers)
    opened = open_photo(photo)
    is_new = output is None or not output.exists()
    folder = output or make_numbered_folder(f"{photo.stem}-compare")
    make_folder(folder)
    try:
        start_keras()
        _compare(console, opened.pixels, chosen, names, passes, folder, (photo.name, settings))
    finally:
        if is_new and not any(folder.iterdir()):
            folder.rmdir()


def _compare(
    console: "Console",
    picture: "np.ndarray",
    settings: "Settings",
    optimizers: list[str],
    passes: int,
    folder: Path,
    names: tuple[str, str],
) -> None:
    """Compare, write the report and print the results. `names` are the names of the picture and the settings."""
    from dreamscripts.backends import host
    from dreamscripts.dreams.comparison import compare
    from dreamscripts.reports.comparison import write_report
    from dreamscripts.reports.comparison_verdict import verdict
    from dreamscripts.scripts.progress import TrialWatch

    with TrialWatch(console, passes) as watch:
        comparison = compare(picture, settings, optimizers, passes, on_trial=watch.on_trial, on_pass=watch.on_pass)
    about = {
        "picture": names[0],
        "settings_name": names[1],
        "device": host.device(),
        "versions": host.versions(),
    }
    page = write_report(comparison, folder, about)
    for sentence in verdict(comparison):
        console.print(sentence)
    console.print(str(page))


def _parse(optimizers: str) -> list[str]:
    """Split a list such as `lbfgs,adam`. Raises SettingsError if a name is unknown, or if there is only one name."""
    names = list(dict.fromkeys(name.strip() for name in optimizers.split(",") if name.strip()))
    for name in names:
        if name not in OPTIMIZERS:
            raise SettingsError(
                f"there is no optimizer '{name}'{did_you_mean(name, OPTIMIZERS)}; use {', '.join(OPTIMIZERS)}"
            )
    if len(names) < 2:
        raise SettingsError("--optimizers needs at least two optimizers, for example lbfgs,gradient_ascent")
    return names
