"""`dreamscripts gallery NETWORK [LAYER …]`: contact sheets of every channel, as a page to browse."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dreamscripts.errors import SettingsError
from dreamscripts.scripts import options


def gallery(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="A network's name, or a .keras or .h5 file.")],
    layers: Annotated[
        list[str] | None, typer.Argument(metavar="[LAYER]...", help="Layers, or patterns such as 'fire[5-9]'.")
    ] = None,
    settings: Annotated[
        str, typer.Option("--settings", "-s", metavar="NAME|FILE", help="How each picture is made.")
    ] = "gallery",
    weights: options.Weights = None,
    size: Annotated[int | None, typer.Option(help="Side of each picture in pixels.")] = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Default: <network>-gallery.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Make a picture of what every channel of the LAYERs wants to see, without any of every convolution.

    The folder holds a page to browse, which may be opened while it grows, and a contact sheet of each layer. Stopped,
    it goes on where it was with the same command; other layers may be added.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.networks.family import check_name
    from dreamscripts.settings.schema import Penalties, Settings

    console = options.open_console(quiet)
    changes = options.overrides(network, weights, size, seed, set_=set_)
    # Each layer has its turn, whichever the settings name.
    chosen = Settings.load(settings, **changes | {"start": "noise", "features": {"each": 1}})
    if chosen.measure != "mean" or chosen.penalties != Penalties():
        what = 'measure = "mean" and no [penalties], as in the settings called gallery'
        raise SettingsError(f"{settings}: the pictures of a gallery are made with {what}")
    check_name(network)  # before Keras, which takes seconds
    start_keras()
    from dreamscripts.dreams.channels import choose_layers
    from dreamscripts.networks.loading import build
    from dreamscripts.reports.gallery import write_page, write_sheet
    from dreamscripts.runs.gallery import make_gallery, open_folder
    from dreamscripts.scripts.progress import GalleryWatch

    model = build(network, weights)
    names = choose_layers(model, layers or [], network)
    folder = open_folder(output or Path(f"{Path(network).stem}-gallery"), model, names, chosen)
    left = sum(len(folder.todo(layer)) for layer in names)
    page = write_page(folder)
    try:
        with GalleryWatch(console, left, page) as watch:
            make_gallery(folder, names, chosen, on_pictures=watch.on_pictures, on_layer=partial(write_sheet, folder))
    except KeyboardInterrupt:
        if page.exists():
            console.print("stopped; what is done stays, and the same command goes on")
        raise
    console.print(f"{page}  ({len(names)} layer{'s' if len(names) > 1 else ''})")
