"""The command `dreamscripts`: one thin module per subcommand, each imported when it is called."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from dreamscripts import __version__
from dreamscripts.errors import DreamError, plain_words
from dreamscripts.scripts import bench, compare, dream, gallery, graph, keras_example, layers, settings, visualize

app = typer.Typer(
    help="Turn a photograph into a dream: optimizer-based DeepDream with Keras, from a settings file.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command("dream")(dream.dream)
app.command("visualize")(visualize.visualize)
app.command("gallery")(gallery.gallery)
app.command("compare")(compare.compare)
app.command("keras-example")(keras_example.keras_example)
app.command("layers")(layers.layers)
app.command("graph")(graph.graph)
app.command("bench")(bench.bench)
app.add_typer(settings.app, name="settings")


def main() -> None:
    """Run the command. A person's mistake is one line on stderr and exit code 2; a bug keeps its traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's way to say Ctrl-C
    try:
        if sys.argv[1:] and Path(sys.argv[1]).is_file():
            raise DreamError(f"say what to do with it: dreamscripts dream {sys.argv[1]}")
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except (DreamError, typer.TyperException) as error:
        message = plain_words(error.format_message()) if isinstance(error, typer.TyperException) else str(error)
        print(f"dreamscripts: {' '.join(message.split())}", file=sys.stderr)
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # Typer may have caught the interrupt itself
        print("dreamscripts: stopped", file=sys.stderr)
    sys.exit(code)
