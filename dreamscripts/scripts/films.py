"""What the commands `zoom` and `video` have in common: their options, their settings, and a film in the making."""

import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.errors import OutputError, SettingsError, quoted
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped
from dreamscripts.settings.network_names import short_name

if TYPE_CHECKING:
    from dreamscripts.runs.film_folder import FilmFolder
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

DEFAULT, EMBEDDED = "dreamy", "pocket"  # without --settings and --network; the network is inside the package
ENDING = ".mp4"
NOISE = "noise"  # printed instead of a picture's name

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="The film: .mp4, .mov, .mkv, .webm, .gif or .webp. Default: <name>-<settings>.mp4, numbered if it exists.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted film.")]
Size = Annotated[int | None, typer.Option(help="Longer side of the film in pixels. Default: 640.")]


def load(
    console: "CommandConsole", named: str, from_film: bool, changes: dict[str, Any], allow_files: bool
) -> "Settings":
    """Load the settings of a film. Raises SettingsError.

    Named settings and files have a size for pictures, which is too large for most films. So without `--size`, only the
    size of another film is kept. Without `--settings` and `--network`, the network is inside the package.
    """
    if _is_embedded(named, changes):
        changes = {"network": EMBEDDED, **changes}
    if not from_film:
        changes = {"size": "none", **changes}
    return options.load_settings(console, named or DEFAULT, {"start": "photograph", **changes}, allow_files)


def say_network(console: "CommandConsole", named: str, changes: dict[str, Any]) -> None:
    """Say which network is used if the person named none."""
    if _is_embedded(named, changes):
        console.print(f"using {EMBEDDED}; --network pocket_large dreams in more detail, and takes three times as long")


def _is_embedded(named: str, changes: dict[str, Any]) -> bool:
    return not named and not changes.keys() & {"network", "weights"}


def new_name(source: Path | None, named: str, what: str) -> Path:
    """Return the name of a new film of a photograph or film (None: of noise), in the current folder."""
    from dreamscripts.atomic_files import fitting_name
    from dreamscripts.runs.find_film import new_film

    stem = f"{source.stem if source else NOISE}-{Path(named or DEFAULT).stem}"
    return new_film(fitting_name(stem, what), ENDING)


def reopen(
    kind: str, source: Path | None, output: Path | None, changes: dict[str, Any], expected: "Settings | None"
) -> "FilmFolder":
    """Open the interrupted film. Raises OutputError, and SettingsError if the command line would change the film.

    `expected` are the settings that the command line names, if it names any.
    """
    from dreamscripts.runs.film_folder import FilmFolder
    from dreamscripts.runs.find_film import interrupted_film
    from dreamscripts.runs.run_record import path_text

    folder = FilmFolder.reopen(output or interrupted_film(kind, source))
    record = folder.record
    if record.kind != kind:
        raise OutputError(f"{folder.film}: this is a {record.kind}; go on with it by `dreamscripts {record.kind}`")
    if source and path_text(source) != record.source:
        raise OutputError(f"{folder.film}: this film was begun with {record.source or NOISE}, not {source}")
    for key, value in changes.items():
        if folder.settings.value(key) != value:
            raise SettingsError(
                f"{folder.film}: this film was begun with {key} = {folder.settings.value(key)}; remove the option, or "
                "begin a new film"
            )
    if expected is not None and not _is_of(folder.settings, expected):
        raise SettingsError(f"{folder.film}: this film was begun with other settings; remove --settings and --from")
    return folder


def _is_of(settings: "Settings", named: "Settings") -> bool:
    """Return whether the settings of a film are the named ones. A film has a size and a table of its own."""
    own = {key: getattr(settings, key) for key in ("size", "zoom", "video") if getattr(named, key) is None}
    return named.model_copy(update=own) == settings


def make(console: "CommandConsole", folder: "FilmFolder", how: str, most: int | None = None) -> None:
    """Make the film with a progress bar until the end, Ctrl-C, or until it has `most` frames. Then print its name."""
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.runs.film import record
    from dreamscripts.scripts.frame_progress import FrameWatch, duration

    facts, began, before = folder.record, time.monotonic(), folder.frames
    name = Path(facts.source or NOISE).name
    console.print(
        f"{name} → {folder.film}  ({short_name(folder.settings.network)}, {how}, {facts.width}×{facts.height}, "
        f"{facts.frames} frames)"
    )
    for note in folder.notes:
        console.print(f"{name}: {note}")
    said = len(folder.notes)
    try:
        with FrameWatch(console, folder.film.name, facts.frames, done=before) as watch:
            if before < facts.frames:
                start_keras(facts.choices.onednn if facts.choices else None)
            more = None if most is None or most >= facts.frames else max(0, most - before)
            with closing(record(folder, on_pass=watch.on_pass)) as frames:
                for _ in watch.counted(islice(frames, more)):
                    pass
    except KeyboardInterrupt:
        raise Stopped(*_stopped(folder)) from None
    for note in folder.notes[said:]:
        console.print(f"{folder.film}: {note}")
    took = duration(time.monotonic() - began)
    console.print(
        f"{folder.film}  ({folder.frames} frames, {float(folder.frames / facts.rate.value):.1f} s; it took {took})"
    )


def resume_command(folder: "FilmFolder") -> str:
    """Return the command that goes on with a film."""
    return f"dreamscripts {folder.record.kind} --resume --output {quoted(str(folder.film))}"


def _stopped(folder: "FilmFolder") -> tuple[str, ...]:
    """Say what a stopped film has, and how to go on."""
    if folder.last is None:
        return ("stopped before the first frame; nothing was written",)
    return (
        f"stopped after frame {folder.frames} of {folder.record.frames}; {folder.film} shows it so far",
        f"Continue with: {resume_command(folder)}",
    )
