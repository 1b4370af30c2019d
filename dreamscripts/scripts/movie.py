"""`dreamscripts movie FOLDER`: show how a dream grew, as a film of its snapshots."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dreamscripts.atomic_files import fitting_name, numbered
from dreamscripts.errors import DreamError, OutputError, SettingsError, quoted
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped

if TYPE_CHECKING:
    import numpy as np

    from dreamscripts.dreams.movie import Timing
    from dreamscripts.scripts.console import CommandConsole

RATE, RATE_OF_ANIMATIONS = 30.0, 15.0  # frames per second: animations are many times as large as films

Folder = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", help="The folder of a run, of a comparison or, with --channel, of a gallery."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="A name ending in .mp4, .webm, .mkv, .mov, .gif or .webp. Default: <folder>.mp4. If it exists, a number is "
        "added.",
    ),
]
Compare = Annotated[
    Path | None, typer.Option("--compare", metavar="PHOTO", help="Show the photograph beside the dream.")
]
Channel = Annotated[
    str | None, typer.Option(metavar="LAYER:N", help="Of a gallery: this channel, whose picture is dreamt again.")
]
Best = Annotated[bool, typer.Option("--best", help="Of a comparison: only the best trial of each optimizer.")]
Rate = Annotated[
    float | None, typer.Option("--fps", min=1, max=120, help="Frames per second. Default: 30, or 15 for GIF and WebP.")
]
Seconds = Annotated[
    float | None, typer.Option(min=0.1, max=3600, help="Length of the film, with the hold. Default: 8 to 12 seconds.")
]
Hold = Annotated[float | None, typer.Option(min=0, max=600, help="Seconds that the last picture is held. Default: 2.")]
Size = Annotated[int | None, typer.Option(min=16, max=8192, help="Longest side of a picture in pixels.")]


class Movie(NamedTuple):
    """A movie that has been planned: its frames are made while it is written."""

    timing: "Timing"
    frames: "Iterator[np.ndarray]"
    settings: str
    """TOML, for the metadata."""
    shows: str
    """What the pictures are, for example "16 snapshots"."""


class Wishes(NamedTuple):
    """The options that all movies share."""

    rate: Fraction
    seconds: float | None
    hold: float | None
    size: int | None

    def timing(self, pictures: int) -> "Timing":
        """Plan a movie of so many pictures. Raises SettingsError."""
        from dreamscripts.dreams.movie import Timing

        return Timing.of(pictures, self.rate, self.seconds, self.hold)


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

    The ending of the name chooses the format: .mp4, .mov and .mkv (H.264), .webm (AV1 or VP9), .gif, .webp. Of a
    comparison, the film shows the trials side by side after the same numbers of passes.
    """
    kind = _kind_of(folder)
    for option, is_given, needed in (
        ("--compare", compare, "run"),
        ("--channel", channel, "gallery"),
        ("--best", best, "comparison"),
    ):
        if is_given and kind != needed:
            raise SettingsError(f"{folder}: is the folder of a {kind}, and {option} is for a {needed}")
    console = options.open_console(quiet)
    file = _file(output, folder)
    wishes = Wishes(_rate(fps, file), seconds, hold, size)
    try:
        if kind == "run":
            planned = _of_run(console, folder, wishes, compare)
        else:
            raise DreamError("not yet")
        _write(console, planned, file, wishes.rate)
    except KeyboardInterrupt:
        raise Stopped("stopped; no film was written") from None


def _kind_of(folder: Path) -> str:
    """Return "run", "gallery" or "comparison". Raises OutputError if the folder is none of these."""
    for name, kind in (
        ("run.json", "run"),
        ("gallery.json", "gallery"),
        ("compare.json", "comparison"),
        ("unfinished.json", "comparison"),
    ):
        if os.path.lexists(folder / name):
            return kind
    if folder.is_file():
        advice = f"dreamscripts dream {quoted(str(folder))} makes such a folder"
        raise OutputError(f"{folder}: is a file; a movie is made from the folder of a run; {advice}")
    if not folder.exists():
        raise OutputError(f"{folder}: there is no such folder")
    raise OutputError(f"{folder}: is not the folder of a run, a gallery or a comparison")


def _file(output: Path | None, folder: Path) -> Path:
    """Return the name of the film: `output`, or a new name in the current folder. Raises OutputError."""
    from dreamscripts.film_files.kinds import kind_of

    if output is None:
        stem = fitting_name(folder.resolve().name or "movie", ".mp4").removesuffix(".mp4")
        output = next(
            file for name in numbered(stem) if not os.path.lexists(file := name.with_name(f"{name.name}.mp4"))
        )
    elif os.path.lexists(output):
        raise OutputError(f"{output}: already exists; use another --output")
    elif not output.parent.is_dir():
        raise OutputError(f"{output}: the folder '{output.parent}' does not exist; create it first")
    kind_of(output)
    return output


def _rate(fps: float | None, file: Path) -> Fraction:
    from dreamscripts.film_files.kinds import kind_of

    default = RATE_OF_ANIMATIONS if kind_of(file).animation else RATE
    return Fraction(fps or default).limit_denominator(1001)


def _of_run(console: "CommandConsole", folder: Path, wishes: Wishes, photo: Path | None) -> Movie:
    """Plan the movie of a run, with the photograph beside it. Raises DreamError."""
    from dreamscripts.dreams.movie import cross_faded
    from dreamscripts.images.resizing import fitted
    from dreamscripts.runs.snapshots import read_snapshots

    snapshots = read_snapshots(folder)
    for note in snapshots.notes:
        console.print(note)
    count = len(snapshots.paths)
    if count < 2:
        raise OutputError(f"{folder}: has only one snapshot ({snapshots.paths[0].name}), and a movie needs two")
    size = fitted(*snapshots.size, wishes.size)
    timing = wishes.timing(count)
    frames = cross_faded(snapshots.pictures(size), timing)
    if photo is not None:
        frames = _beside_photo(console, photo, size, frames)
    return Movie(timing, frames, snapshots.settings, f"{count} snapshots")


def _beside_photo(
    console: "CommandConsole", photo: Path, size: tuple[int, int], frames: "Iterator[np.ndarray]"
) -> "Iterator[np.ndarray]":
    """Put the photograph to the left of each frame, with the same height. Raises PictureError."""
    import numpy as np

    from dreamscripts.dreams.movie import gap_between, side_by_side
    from dreamscripts.images.files import open_photo
    from dreamscripts.images.resizing import resize

    opened = open_photo(photo)
    for note in opened.notes:
        console.print(f"{photo}: {note}")
    height, width = size
    tall, wide, _ = opened.pixels.shape
    own = max(1, round(wide * height / tall))
    if abs(own - width) > 0.02 * width + 1:
        console.print(f"{photo}: has another shape than the dream; is it the photograph of this run?")
    else:
        own = width
    still = np.rint(resize(opened.pixels, height, own)).astype(np.uint8)
    return (side_by_side((still, frame), 2, gap_between(width)) for frame in frames)


def _write(console: "CommandConsole", planned: Movie, file: Path, rate: Fraction) -> None:
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
    console.print(f"{file}  ({planned.shows}, {timing.seconds:.1f} s, {float(rate):.4g} frames/s)")
