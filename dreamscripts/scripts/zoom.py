"""`dreamscripts zoom [PHOTO]`: an endless zoom into a photograph, or out of noise."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.errors import SettingsError
from dreamscripts.scripts import films, options

if TYPE_CHECKING:
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

Photo = Annotated[Path | None, typer.Argument(help="The picture to start with. Default: noise.")]
From = Annotated[
    Path | None, typer.Option("--from", metavar="FILM", help="Use the settings that are stored in this film.")
]
Seconds = Annotated[float | None, typer.Option(help="Length of the film. Default: 20.")]
Rate = Annotated[float | None, typer.Option("--fps", help="Frames per second. Default: 30.")]
Factor = Annotated[float | None, typer.Option("--zoom", help="Enlargement per second. Default: 1.25.")]
Turn = Annotated[float | None, typer.Option(help="Degrees per second, clockwise.")]
Point = Annotated[
    str | None, typer.Option(metavar="X,Y", help="The point to zoom to, from 0,0 (top left) to 1,1. Default: 0.5,0.5.")
]
Strength = Annotated[float | None, typer.Option(help="How fast the dream grows. Default: 1.")]
Loop = Annotated[bool, typer.Option("--loop", help="End with the first frame, so that the film can be repeated.")]
Journey = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Settings that follow each other: a name, such as descent, or a TOML file."),
]


def zoom(
    photo: Photo = None,
    settings: options.OptionalSettingsName = None,
    from_: From = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: films.Size = None,
    seed: options.Seed = None,
    seconds: Seconds = None,
    fps: Rate = None,
    factor: Factor = None,
    turn: Turn = None,
    point: Point = None,
    strength: Strength = None,
    loop: Loop = False,
    journey: Journey = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    output: films.Output = None,
    resume: films.Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Make an endless zoom into PHOTO, or out of noise: each frame is the last one, enlarged and dreamt further.

    Ctrl-C leaves a film of the frames so far, and --resume goes on.
    """
    if settings and from_:
        raise SettingsError("give --settings or --from, not both")
    console = options.open_console(quiet)
    named = str(from_ or settings or "")
    changes = options.overrides(network, weights, size, seed, None, set_, guide) | _table(
        seconds=seconds, fps=fps, factor=factor, turn=turn, strength=strength, loop=loop or None, **_point(point)
    )
    if resume:
        expected = _load(console, named, from_ is not None, changes, allow_files, journey) if named or journey else None
        with films.reopen("zoom", photo, output, changes, expected) as folder:
            options.print_files(console, str(folder.film), folder.settings)
            films.make(console, folder, "resumed with its own settings")
        return
    from dreamscripts.images.files import open_photo
    from dreamscripts.runs.film import SIZE, new_zoom

    chosen = _load(console, named, from_ is not None, changes, allow_files, journey)
    opened = open_photo(photo, chosen.size or SIZE) if photo else None
    film = output or films.new_name(photo, journey or named, "-zoom")
    with new_zoom(opened, chosen, film) as folder:
        films.say_network(console, named, changes)
        films.make(console, folder, journey or named or films.DEFAULT)


def _load(
    console: "CommandConsole",
    named: str,
    from_film: bool,
    changes: dict[str, Any],
    allow_files: bool,
    journey: str | None,
) -> "Settings":
    """Load the settings of the film, with its journey if it has one. Raises SettingsError."""
    chosen = films.load(console, named, from_film, changes, allow_files)
    if journey is None:
        return chosen
    from dreamscripts.settings.journeys import with_journey

    return with_journey(chosen, journey)


def _table(**values: Any) -> dict[str, Any]:
    """Return the overrides of the table [zoom] for the options that are given."""
    return {f"zoom.{key}": value for key, value in values.items() if value is not None}


def _point(text: str | None) -> dict[str, float]:
    """Parse `X,Y`. Raises SettingsError."""
    if text is None:
        return {}
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise SettingsError(f"--point {text}: write two numbers from 0 to 1, such as 0.5,0.4") from None
    return {"x": x, "y": y}
