"""`dreamscripts video FILM`: dream over a film, so that the dream moves with what the film shows."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.errors import SettingsError
from dreamscripts.scripts import films, options

if TYPE_CHECKING:
    from dreamscripts.runs.film_folder import FilmFolder
    from dreamscripts.scripts.console import CommandConsole

Film = Annotated[Path | None, typer.Argument(help="The film: MP4, WebM, MKV, MOV, GIF and others.")]
From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="SECONDS|FILM",
        help="Start at this second. If it is a film made by dreamscripts: use its settings.",
    ),
]
To = Annotated[float | None, typer.Option("--to", metavar="SECONDS", help="End at this second.")]
Every = Annotated[
    int | None, typer.Option(metavar="N", help="Dream every Nth frame only, for a quick look. Default: 1.")
]
Strength = Annotated[float | None, typer.Option(help="How strong the dream is. Default: 1.")]
Persistence = Annotated[
    float | None, typer.Option(help="The share of a dream that is left in the next frame. Default: 0.985.")
]
Flicker = Annotated[
    float | None,
    typer.Option(help="How much the dream may change from frame to frame, in pixel values. Default: 1.5."),
]
Preview = Annotated[
    bool,
    typer.Option("--preview", help="First make ten frames, on a sheet, and one second. Then --resume makes the rest."),
]


def video(
    film: Film = None,
    settings: options.OptionalSettingsName = None,
    from_: From = None,
    to: To = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: films.Size = None,
    seed: options.Seed = None,
    every: Every = None,
    strength: Strength = None,
    persistence: Persistence = None,
    flicker: Flicker = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    preview: Preview = False,
    output: films.Output = None,
    resume: films.Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Dream over FILM, so that the dream moves with what the film shows. Sound and subtitles are copied.

    Try --preview first. Ctrl-C leaves a film of the frames so far, and --resume goes on.
    """
    start, source_of_settings = _start_and_film(from_ or [])
    if settings and source_of_settings:
        raise SettingsError("give --settings or --from FILM, not both")
    console = options.open_console(quiet)
    named = source_of_settings or settings or ""
    changes = options.overrides(network, weights, size, seed, None, set_, guide) | _table(
        start=start, end=to, every=every, strength=strength, persistence=persistence, flicker=flicker
    )
    if resume:
        expected = films.load(console, named, bool(source_of_settings), changes, allow_files) if named else None
        folder = films.reopen("video", film, output, changes, expected)
        options.print_files(console, str(folder.film), folder.settings)
        console.print(f"{folder.film} opens the film {folder.record.source}")
        how = "resumed with its own settings"
    else:
        if film is None:
            raise SettingsError("a film is missing; use: dreamscripts video FILM")
        from dreamscripts.runs.film import new_video

        chosen = films.load(console, named, bool(source_of_settings), changes, allow_files)
        folder = new_video(film, chosen, output or films.new_name(film, named, ""))
        films.say_network(console, named, changes)
        how = named or films.DEFAULT
    with folder:
        if not preview:
            films.make(console, folder, how)
            return
        _draw_sheet(console, folder)
        films.make(console, folder, how, most=math.ceil(folder.record.rate.value))
        if folder.frames < folder.record.frames:
            console.print(f"To make the whole film: {films.resume_command(folder)}")


def _draw_sheet(console: "CommandConsole", folder: "FilmFolder") -> None:
    """Dream of ten frames from all parts of the film, and draw them beside the film's own."""
    from dreamscripts.atomic_files import write_atomically
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.reports.film_sheet import draw_film_sheet
    from dreamscripts.runs.film import SAMPLES, samples
    from dreamscripts.scripts.frame_progress import FrameWatch

    sheet = folder.film.with_name(f"{folder.film.stem}-preview.png")
    with FrameWatch(console, sheet.name, SAMPLES) as watch:
        start_keras()
        drawn = draw_film_sheet(watch.counted(samples(folder, on_pass=watch.on_pass)))
    write_atomically(sheet, drawn)
    console.print(str(sheet))


def _start_and_film(values: list[str]) -> tuple[float | None, str | None]:
    """Return the seconds and the film that --from gives. Raises SettingsError."""
    start, film = None, None
    for value in values:
        try:
            start = float(value)
        except ValueError:
            film = value
    if len(values) > (start is not None) + (film is not None):
        raise SettingsError("give --from once with seconds, and once with a film at most")
    return start, film


def _table(**values: Any) -> dict[str, Any]:
    """Return the overrides of the table [video] for the options that are given."""
    return {f"video.{key}": value for key, value in values.items() if value is not None}
