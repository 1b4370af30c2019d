"""`dreamscripts graph NETWORK`: draw a network as a web page with its layers and blocks."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name
from dreamscripts.errors import OutputError, quoted
from dreamscripts.scripts import options

if TYPE_CHECKING:
    from dreamscripts.runs.gallery_folder import Gallery


def graph(
    network: options.NetworkName,
    weights: options.Weights = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Default: <network>-graph.html.")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Gallery with the pictures to show. Default: <network>-gallery, if it exists."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the graph for TensorBoard.")
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Draw NETWORK as a web page that works offline.

    The page shows blocks that can be opened and closed, and for each layer its type, shape and receptive field. Weights
    are needed only for googlenet. For other networks, --weights is only copied into the commands that the page
    suggests.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.networks.family import check_name

    console = options.open_console(quiet)
    name = Path(network).stem
    page = output or Path(fitting_name(name, "-graph.html"))
    _check_output(page)
    if tensorboard and tensorboard.is_file():
        raise OutputError(f"{tensorboard}: is a file; choose another --tensorboard")
    pictures = _open_gallery(gallery, network)
    check_name(network)  # before Keras is imported, which takes seconds
    start_keras()
    from dreamscripts.networks.loading import build
    from dreamscripts.reports.graph import write_graph
    from dreamscripts.reports.graph_events import write_events

    model = build(network, weights)
    write_graph(model, page, network, weights=weights, gallery=pictures)
    console.print(str(page))
    if tensorboard:
        write_events(model, tensorboard / name)
        install = "" if find_spec("tensorboard") else "pip install tensorboard, then: "
        console.print(f"{tensorboard / name}  ({install}tensorboard --logdir {quoted(str(tensorboard))})")


def _open_gallery(named: Path | None, network: str) -> "Gallery | None":
    """Open the gallery that the user named or, without a name, the default gallery of the network if it exists."""
    from dreamscripts.runs.gallery_folder import open_gallery

    default = Path(fitting_name(Path(network).stem, "-gallery"))
    folder = named or (default if (default / "gallery.json").is_file() else None)
    return open_gallery(folder, network) if folder else None


def _check_output(page: Path) -> None:
    """Raise OutputError if the page cannot be written there."""
    if page.is_dir():
        raise OutputError(f"{page}: is a folder; use a file name, for example {page / 'graph.html'}")
    if not page.parent.is_dir():
        raise OutputError(f"{page}: the folder '{page.parent}' does not exist; create it first")
    if page.suffix != ".html":
        raise OutputError(f"{page}: the name of the page must end in .html")
