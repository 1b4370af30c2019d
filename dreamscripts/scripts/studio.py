"""`dreamscripts studio [FOLDER]`: a page in the browser in which a person dreams."""

from pathlib import Path
from typing import Annotated

import typer

from dreamscripts.errors import DreamError, quoted
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped

PACKAGES = ("starlette", "uvicorn", "python_multipart", "tomlkit", "h11", "anyio")

Folder = Annotated[
    Path, typer.Argument(metavar="[FOLDER]", help="Where the runs are. The page shows those of the commands, too.")
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port. Default: 8765, or the next one that is free.")
]
Host = Annotated[
    str, typer.Option(metavar="ADDRESS", help="0.0.0.0: other devices in your network can use the studio, too.")
]
Allow = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A model, weights or guide picture that settings may name. Can be repeated."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address, and open no browser.")]


def studio(
    folder: Folder = Path(),
    port: Port = None,
    host: Host = "127.0.0.1",
    allow: Allow = None,
    no_browser: NoBrowser = False,
) -> None:
    """Open a page in the browser: drop a photograph, choose a look, watch it grow, keep what is good.

    The page shows the runs in FOLDER, and its own runs are folders like those of `dreamscripts dream`. Ctrl-C ends the
    studio. What was not finished then goes on at the next start.
    """
    console = options.open_console(quiet=False)
    try:
        from dreamscripts.studio.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise DreamError('the studio needs more packages: pip install "dreamscripts[studio]"') from None

    unfinished = serve(folder, host, port, allow or [], not no_browser, console.print)
    again = "dreamscripts studio" if folder == Path() else f"dreamscripts studio {quoted(str(folder))}"
    raise Stopped(f"stopped; {unfinished}to go on: {again}")
