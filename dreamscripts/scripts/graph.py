"""`dreamscripts graph NETWORK`: a network as a web page with its layers, its modules and what they see."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dreamscripts.errors import OutputError
from dreamscripts.scripts import options


def graph(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="A network's name, or a .keras or .h5 file.")],
    weights: options.Weights = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Default: <network>-graph.html.")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Pictures of channels to show. Default: <network>-gallery, if it is there."
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the graph for TensorBoard, too.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Draw NETWORK as a web page that works offline: modules to open and close, layers with what they are and see.

    Only googlenet needs its weights for that; of the others they are named where the page says how to see a channel.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.networks.family import check_name
    from dreamscripts.runs.gallery_folder import open_gallery

    console = options.open_console(quiet)
    name = Path(network).stem
    page = output or Path(f"{name}-graph.html")
    _check_output(page)
    if tensorboard and tensorboard.is_file():
        raise OutputError(f"{tensorboard}: is a file; choose another --tensorboard")
    if gallery is None and (Path(f"{name}-gallery") / "gallery.json").is_file():
        gallery = Path(f"{name}-gallery")
    pictures = open_gallery(gallery, network) if gallery else None

    check_name(network)  # before Keras, which takes seconds
    start_keras()
    from dreamscripts.networks.loading import build
    from dreamscripts.reports.graph import write_graph
    from dreamscripts.reports.graph_events import write_events

    model = build(network, weights)
    write_graph(model, page, network, weights=weights, gallery=pictures)
    console.print(str(page))
    if tensorboard:
        write_events(model, tensorboard / name)
        wanted = "" if find_spec("tensorboard") else "pip install tensorboard, then: "
        console.print(f"{tensorboard / name}  ({wanted}tensorboard --logdir {tensorboard})")


def _check_output(page: Path) -> None:
    """Raise OutputError, before anything slow begins, where the page cannot be written."""
    if page.is_dir():
        raise OutputError(f"{page}: is a folder; name a file in it, such as {page / 'graph.html'}")
    if not page.parent.is_dir():
        raise OutputError(f"{page}: there is no folder '{page.parent}' to save in")
    if page.suffix != ".html":
        raise OutputError(f"{page}: the page is a file that ends in .html")
