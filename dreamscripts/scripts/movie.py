"""`dreamscripts movie FOLDER`: show how a dream grew, as a film of its snapshots."""

import os
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name, numbered
from dreamscripts.errors import OutputError, SettingsError, quoted
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.scripts import options, signals
from dreamscripts.scripts.streams import Stopped

if TYPE_CHECKING:
    from dreamscripts.reports.movies import Movie, Wishes
    from dreamscripts.scripts.console import CommandConsole

RECORDS = {
    "run.json": "run",
    "gallery.json": "gallery",
    "compare.json": "comparison",
    "unfinished.json": "comparison",
}

Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="The folder of a run, a comparison or, with --channel, a gallery."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The film. Default: <folder>.mp4. If it exists, a number is added.",
    ),
]
Compare = Annotated[
    Path | None, typer.Option("--compare", metavar="PHOTO", help="Of a run: show the photograph beside the dream.")
]
Channel = Annotated[
    str | None, typer.Option(metavar="LAYER:N", help="Of a gallery: this channel. Its picture is dreamt again.")
]
Best = Annotated[bool, typer.Option("--best", help="Of a comparison: only the best trial of each optimizer.")]
Rate = Annotated[
    float | None,
    typer.Option("--fps", min=1, max=120, help="Frames per second. Default: 30, or 15 for .gif and .webp."),
]
Seconds = Annotated[
    float | None, typer.Option(min=0.1, max=3600, help="Length of the film with the hold. Default: 8 to 12 seconds.")
]
Hold = Annotated[float | None, typer.Option(min=0, max=600, help="Seconds that the last picture is held. Default: 2.")]
Size = Annotated[
    int | None,
    typer.Option(
        min=16,
        max=8192,
        help="Longest side of each picture in pixels. Default: its own, up to 1920, or 480 for .gif and .webp.",
    ),
]


def movie(
    folder: Folder,
    output: Output = None,
    compare: Compare = None,
    channel: Channel = None,
    best: Best = False,
    fps: Rate = None,
    seconds: Seconds = None,
    hold: Hold = None,
    size: Size = None,
    allow_files: options.AllowFiles = False,
    quiet: options.Quiet = False,
) -> None:
    """Show how a dream grew: a film of the snapshots in FOLDER, which fade into each other.

    The ending of the name chooses the format: .mp4, .mov or .mkv (H.264), .webm (AV1 or VP9), .gif or .webp. The film
    of a comparison shows its trials side by side, after the same numbers of passes.
    """
    kind = _kind_of(folder)
    if kind == "gallery" and channel is None:
        raise SettingsError(
            f"{folder}: is a gallery; choose one of its channels, for example --channel block5_conv2:107"
        )
    needed = {"run": compare and "--compare", "gallery": channel and "--channel", "comparison": best and "--best"}
    for needs, option in needed.items():
        if option and kind != needs:
            raise SettingsError(f"{folder}: is the folder of a {kind}; {option} is for the folder of a {needs}")
    console = options.open_console(quiet)
    file = _file(output, folder)
    from dreamscripts.reports import movies  # imports NumPy

    wishes = movies.Wishes.of(file, fps, seconds, hold, size)
    try:
        if kind == "run":
            planned = movies.of_run(console.print, folder, wishes, compare)
        elif channel:
            planned = _of_channel(console, folder, wishes, channel, allow_files)
        else:
            planned = movies.of_comparison(console.print, folder, wishes, best)
        _write(console, planned, file, wishes.rate)
    except KeyboardInterrupt:
        raise Stopped("stopped; no film was written") from None


def _kind_of(folder: Path) -> str:
    """Return what the folder is of: "run", "gallery" or "comparison". Raises OutputError if it is none of these."""
    for name, kind in RECORDS.items():
        if os.path.lexists(folder / name):
            return kind
    if os.path.isfile(folder):  # noqa: PTH113 - Path.is_file raises errors for odd names
        advice = f"make one with: dreamscripts dream {quoted(str(folder))}"
        raise OutputError(f"{folder}: is a file, and a movie is made from the folder of a run; {advice}")
    if not os.path.lexists(folder):
        raise OutputError(f"{folder}: there is no such folder")
    raise OutputError(f"{folder}: is not the folder of a run, a gallery or a comparison")


def _file(output: Path | None, folder: Path) -> Path:
    """Return the name of the film: `output`, or a new name in the current folder. Raises OutputError."""
    if output is None:
        names = (Path(f"{name}.mp4") for name in numbered(fitting_name(folder.resolve().name or "movie")))
        output = next(name for name in names if not os.path.lexists(name))
    elif os.path.lexists(output):
        raise OutputError(f"{output}: already exists; use another --output")
    elif not output.parent.is_dir():
        raise OutputError(f"{output}: the folder '{output.parent}' does not exist; create it first")
    kind_of(output)  # an ending that is unknown
    return output


def _of_channel(console: "CommandConsole", folder: Path, wishes: "Wishes", name: str, allow_files: bool) -> "Movie":
    """Dream a channel of a gallery again, and plan its movie. Raises DreamError."""
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.reports.movies import of_channel
    from dreamscripts.runs.gallery_channel import open_channel
    from dreamscripts.scripts.frame_progress import FrameWatch

    channel = open_channel(folder, name, allow_files)
    wishes.timing(channel.expected)  # find errors before Keras is imported, which takes seconds
    start_keras()
    with (
        FrameWatch(console, f"dreaming {name}", channel.expected, channel.unit) as watch,
        closing(channel.growth(lambda passes, loss: signals.check())) as growth,
    ):
        dreamt = channel.pictures(watch.counted(growth))
    return of_channel(console.print, folder, wishes, name, channel, dreamt)


def _write(console: "CommandConsole", planned: "Movie", file: Path, rate: Fraction) -> None:
    """Write the film, and print its name."""
    from dreamscripts.dreams.movie import even
    from dreamscripts.film_files.writing import write_film
    from dreamscripts.scripts.frame_progress import FrameWatch

    timing = planned.timing
    with FrameWatch(console, file.name, timing.frames) as watch:
        frames = watch.counted(map(even, planned.frames))
        notes = write_film(file, frames, rate, metadata=planned.settings)
    for note in notes:
        console.print(f"{file}: {note}")
    console.print(f"{file}  ({planned.shows}, {timing.seconds:.1f} s, {float(rate):.4g} frames per second)")
