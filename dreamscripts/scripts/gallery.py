"""`dreamscripts gallery NETWORK [LAYER …]`: make a page and contact sheets with a picture of every channel."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name
from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.reports.counted import counted
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped

if TYPE_CHECKING:
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

Layers = Annotated[
    list[str] | None, typer.Argument(metavar="[LAYER]...", help="Layers, or patterns such as 'fire[5-9]'.")
]
SettingsName = Annotated[
    str, typer.Option("--settings", "-s", metavar="NAME|FILE", help="Settings for each picture: a name or a TOML file.")
]
Size = Annotated[int | None, typer.Option(help="Side of each picture in pixels.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="Default: <network>-gallery.", callback=options.folder),
]
Resume = Annotated[bool, typer.Option("--resume", help="Only continue an existing gallery.")]


def gallery(
    network: options.NetworkName,
    layers: Layers = None,
    settings: SettingsName = "gallery",
    weights: options.Weights = None,
    size: Size = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    output: Output = None,
    resume: Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Visualize every channel of the given LAYERs. If no LAYER is given, use all convolution layers.

    The folder gets an HTML page, which you can open during the run, and a contact sheet for each layer. To continue
    after an interruption, run the same command again, with or without --resume. You can add layers later.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.networks.family import check_name
    from dreamscripts.settings.tables import Penalties

    console = options.open_console(quiet)
    changes = options.overrides(network, weights, size, seed, set_=set_)
    # The features in the settings are ignored, because each picture uses one layer only.
    changes |= {"start": "noise", "features": {"each": 1}}
    chosen = options.load_settings(console, settings, changes, allow_files)
    if chosen.measure != "mean" or chosen.penalties != Penalties():
        raise SettingsError(f'{settings}: a gallery needs measure = "mean" and no [penalties]; use --settings gallery')
    path = output or Path(fitting_name(Path(network).stem, "-gallery"))
    if resume and not os.path.lexists(path / "gallery.json"):
        raise OutputError(f"{path}: contains no gallery to resume")
    check_name(network)  # before Keras is imported, which takes seconds
    start_keras()
    _gallery(console, path, network, layers or [], chosen)


def _gallery(console: "CommandConsole", path: Path, network: str, layers: list[str], settings: "Settings") -> None:
    """Make the missing pictures of a gallery, and print the path of its page."""
    from dreamscripts.dreams.channels import choose_layers
    from dreamscripts.networks.loading import build
    from dreamscripts.reports.gallery import write_page, write_sheet
    from dreamscripts.runs.gallery import make_gallery, open_folder
    from dreamscripts.scripts.progress import GalleryWatch

    model = build(network, settings.weights)
    names = choose_layers(model, layers, network)
    folder = open_folder(path, model, names, settings)
    left = sum(len(folder.todo(layer)) for layer in names)
    page = write_page(folder)
    try:
        with GalleryWatch(console, left, page) as watch:
            make_gallery(folder, names, settings, on_pictures=watch.on_pictures, on_layer=partial(write_sheet, folder))
    except KeyboardInterrupt:
        if not page.exists():
            raise Stopped("stopped before the first picture; nothing was written") from None
        raise Stopped("stopped; run the same command again to continue") from None
    except OutputError as error:
        raise OutputError(f"{error}; run the same command again to continue" if page.exists() else str(error)) from None
    console.print(f"{page}  ({counted(len(names), 'layer')})")
