"""The command `dreamscripts`, with one module per subcommand. Heavy imports are inside the functions."""

import errno
import os
import sys
from typing import Annotated

import typer

from dreamscripts import __version__
from dreamscripts.errors import DreamError, quoted, shown
from dreamscripts.scripts import (
    batch,
    bench,
    compare,
    distil,
    dream,
    gallery,
    graph,
    keras_example,
    layers,
    movie,
    settings,
    studio,
    video,
    visualize,
    zoom,
)
from dreamscripts.scripts.signals import stoppable
from dreamscripts.scripts.streams import Output, Stopped, forget_impossible_sizes, guarded
from dreamscripts.scripts.wrong_arguments import explain

app = typer.Typer(
    help="Turn a photograph into a dream: optimizer-based DeepDream with Keras, from a settings file.",
    context_settings={"max_content_width": 120},
    rich_markup_mode=None,  # Rich's help takes longer to print and breaks lines in the wrong places
    pretty_exceptions_enable=False,
)

# The subcommands and their lines in the help, in the order of the help.
COMMANDS = (
    ("dream", dream.dream, "Turn a photograph into a dream."),
    ("batch", batch.batch, "Make many dreams: photographs times settings."),
    ("visualize", visualize.visualize, "Visualize one channel of a layer."),
    ("gallery", gallery.gallery, "Visualize every channel of a network, as a web page."),
    ("compare", compare.compare, "Compare optimizers on a photograph."),
    ("movie", movie.movie, "Show how a dream grew, as a film."),
    ("zoom", zoom.zoom, "Make an endless zoom into a photograph, as a film."),
    ("video", video.video, "Dream over a film."),
    ("studio", studio.studio, "Open a page in the browser in which you dream."),
    ("distil", distil.distil, "Teach a small network to dream as a large one does."),
    ("keras-example", keras_example.keras_example, "Run the Keras L-BFGS example of 2016."),
    ("layers", layers.layers, "List the layers of a network."),
    ("graph", graph.graph, "Draw a network as a web page."),
    ("bench", bench.bench, "Measure how long one pass takes on this machine."),
)

INTERRUPTED = 130


def _print_version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


for name, command, short_help in COMMANDS:
    app.command(name, short_help=short_help)(command)
app.add_typer(settings.app, name="settings")


def main() -> None:
    """Run the command. A user error prints one line on stderr and exits with code 2. A bug prints a traceback.

    A command that was stopped, also because nobody reads its output any more, exits with code 130.
    """
    with guarded() as output:
        code = _run(output)
    sys.exit(code)


def _run(output: Output) -> int:
    """Run the command, and print why it ended if it did not finish. Returns the exit code."""
    forget_impossible_sizes()
    os.environ.setdefault("SVT_LOG", "1")  # errors only: the encoder of AV1 would print its version and its settings
    lines: tuple[str, ...] = ()
    try:
        if sys.argv[1:] and os.path.isfile(sys.argv[1]):  # noqa: PTH113 - Path.is_file raises errors for odd names
            raise DreamError(f"the command is missing; use: dreamscripts dream {quoted(_as_argument(sys.argv[1]))}")
        with stoppable():
            code = app(sys.argv[1:] or ["--help"], prog_name="dreamscripts", standalone_mode=False) or 0
            sys.stdout.flush()
    except typer.TyperException as error:
        names = [*(name for name, _, _ in COMMANDS), "settings"]
        code, lines = 2, (explain(error.format_message(), sys.argv[1:], names),)
    except DreamError as error:
        code, lines = 2, (str(error),)
    except ImportError as error:
        code, lines = 2, (_why_not_imported(error),)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        code, lines = 2, (f"{error.filename}: the name is too long",)
    except Stopped as stop:
        code, lines = INTERRUPTED, stop.args
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED and output.failure:  # Typer may have caught the interrupt itself
        code = INTERRUPTED if output.is_closed else 2
        lines = (": ".join((output.why_failed, *lines[:1])), *lines[1:])
    if code:
        first, *more = lines or ("stopped",)
        print(f"dreamscripts: {shown(first)}", *map(shown, more), sep="\n", file=sys.stderr)
    return code


def _why_not_imported(error: ImportError) -> str:
    """Return a message about a library that cannot be imported. Raises the error if the module is our own."""
    if (error.name or "").partition(".")[0] == __name__.partition(".")[0]:
        raise error
    cause = " ".join(str(error.__cause__ or error).split())  # NumPy adds pages of advice to it
    return (
        f"a library cannot be imported: {cause}; raise the limit of memory (ulimit -v), or install dreamscripts again"
    )


def _as_argument(path: str) -> str:
    """Return a path that cannot be mistaken for an option."""
    return f"./{path}" if path.startswith("-") else path
