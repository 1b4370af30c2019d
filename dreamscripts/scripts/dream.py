"""`dreamscripts dream PHOTO`: turn a photograph into a dream, in a run folder."""

import sys
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name
from dreamscripts.errors import DreamError, OutputError, SettingsError, quoted
from dreamscripts.film_files.kinds import KINDS as FILMS
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped
from dreamscripts.settings.named_files import KINDS
from dreamscripts.settings.network_names import same_file_or_name, short_name

if TYPE_CHECKING:
    from dreamscripts.runs.run_folder import RunFolder
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

DEFAULT = "dreamy"
EMBEDDED = "pocket_large"  # the network without --settings, --network and --weights; it is inside the package
NOISE = "noise"  # printed instead of a picture's name

Photo = Annotated[Path | None, typer.Argument(help="The picture: JPEG, PNG, TIFF, WebP and others.")]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="PICTURE.png|FILM", help="Use the settings that are stored in this result."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Default: <photo>-<settings>. If it exists, a number is added.",
        callback=options.folder,
    ),
]
KeepEvery = Annotated[int, typer.Option(min=1, metavar="N", help="Save the snapshot of every Nth iteration only.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]


def dream(
    photo: Photo = None,
    settings: options.OptionalSettingsName = None,
    from_: From = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: options.Size = None,
    seed: options.Seed = None,
    iterations: options.Iterations = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    output: Output = None,
    keep_every: KeepEvery = 1,
    resume: Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn PHOTO into a dream. Writes a folder with a snapshot per iteration, final.png and a record of the run.

    Without --settings and --from, the settings are `dreamy`. If --network and --weights are not given either, a network
    inside the package is used. Settings that start with noise, such as notebook_lapnorm, do not need a PHOTO.

    A first example: dreamscripts dream samples/sky.jpg
    """
    if settings and from_:
        raise SettingsError("give --settings or --from, not both")
    if from_ and from_.suffix.lower() not in (".png", *FILMS):
        raise SettingsError(f"{from_}: --from needs a PNG file or a film made by dreamscripts")
    named = str(from_ or settings or "")
    changes = options.overrides(network, weights, size, seed, iterations, set_, guide)
    console = options.open_console(quiet)
    folder_name = fitting_name(
        f"{photo.stem + '-' if photo else ''}{'from-' if from_ else ''}{Path(named or DEFAULT).stem}"
    )
    if resume:
        run: AbstractContextManager[RunFolder] = nullcontext(_reopened(folder_name, output, photo, named, changes))
    else:
        run = _new_run(console, folder_name, output, photo, named, changes, keep_every, allow_files)
    with run as run_folder:
        if resume:
            options.print_files(console, str(run_folder.folder), run_folder.settings)
        name = Path(run_folder.record.picture or NOISE).name
        how = "resumed with its own settings" if resume else named or DEFAULT
        heading = f"{name} → {run_folder.folder}/  ({short_name(run_folder.settings.network)}, {how})"
        try:
            _watch(console, run_folder, heading)
        except KeyboardInterrupt:
            raise _stopped(run_folder, is_new=not resume) from None


def _new_run(
    console: "CommandConsole",
    folder_name: str,
    output: Path | None,
    photo: Path | None,
    named: str,
    changes: dict[str, object],
    keep_every: int,
    allow_files: bool,
) -> AbstractContextManager["RunFolder"]:
    """Load the settings and open the photo for a run in a new folder. Raises DreamError."""
    # Imported here, so that `--help` stays fast.
    from dreamscripts.images.files import open_photo
    from dreamscripts.runs.run import new_run

    embedded = not named and not changes.keys() & {"network", "weights"}
    if embedded:
        changes = {"network": EMBEDDED, **changes}
    chosen = _load(console, named or DEFAULT, changes, photo, allow_files)
    opened = open_photo(photo, chosen.size) if photo else None
    for note in opened.notes if opened else ():
        console.print(f"{photo}: {note}")
    if embedded:
        console.print(f"using {EMBEDDED}; --network vgg16 uses VGG16 instead, which is downloaded once (59 MB)")
    return new_run(opened, chosen, output or folder_name, keep_every=keep_every, numbered=output is None)


def _load(
    console: "CommandConsole", named: str, changes: dict[str, object], photo: Path | None, allow_files: bool
) -> "Settings":
    """Load the settings `named`. Raises DreamError if they need a photo and `photo` is None."""
    if photo is not None:
        changes = {"start": "photograph", **changes}  # also if the settings start with noise
    chosen = options.load_settings(console, named, changes, allow_files)
    if photo is None and chosen.start == "photograph":
        command = " ".join(["dreamscripts dream PHOTO", *map(quoted, sys.argv[2:])])
        raise DreamError(f"a picture is missing; use: {command}")
    if photo is None and chosen.penalties.diversity:
        raise SettingsError(
            f"{named}: this picture is one of several that were made together (--diversity), so it cannot be made "
            "alone; make all of them again with `dreamscripts visualize --diversity`"
        )
    return chosen


def _reopened(
    folder_name: str, output: Path | None, photo: Path | None, named: str, changes: dict[str, object]
) -> "RunFolder":
    """Open the interrupted run. Raises DreamError if its picture or settings differ from the command line."""
    from dreamscripts.runs.find_run import interrupted_run
    from dreamscripts.runs.run_folder import RunFolder
    from dreamscripts.runs.run_record import path_text

    if not (photo or output or named):
        raise DreamError("--resume needs the picture of the run, or its folder with --output")
    if output and named:
        raise SettingsError(f"{output}: a resumed run keeps its settings; remove --settings and --from")
    folder = output or interrupted_run(photo, folder_name if named else "")
    run = RunFolder.reopen(folder)
    picture = run.record.picture or NOISE
    if photo and path_text(photo) != picture:
        raise OutputError(f"{folder}: this run was started with {picture}, not {photo}")
    refuse_other(changes, run.settings, folder)
    return run


def refuse_other(changes: dict[str, object], settings: "Settings", folder: Path) -> None:
    """Raise SettingsError if `changes` would change the settings of a resumed run."""
    for key, value in changes.items():
        if key in KINDS and same_file_or_name(str(value), settings.value(key)):
            continue
        other = key == "network"  # its layers and channels may differ
        if other or type(settings).load(folder / "settings.toml", allow_files=True, **{key: value}) != settings:
            raise SettingsError(
                f"{folder}: this run was started with {key} = {settings.value(key)}; "
                "remove the option or start a new run"
            )


def _watch(console: "CommandConsole", run: "RunFolder", heading: str) -> None:
    """Dream with a progress bar until the end or Ctrl-C, then print the result.

    The heading is printed when the first iterate is on disk: until then, the run can still fail and write nothing.
    """
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.reports.loss_curve import write_loss_curve
    from dreamscripts.runs.run import record
    from dreamscripts.scripts.progress import Watch, blown_out, unmoved

    with Watch(console, run.settings, heading) as watch:
        if not run.has_ended:
            start_keras(run.record.choices.onednn if run.record.choices else None)
        # Close the generator here, so that final.png exists before its name is printed.
        with closing(record(run, on_pass=watch.on_pass, on_end=write_loss_curve)) as iterates:
            for iterate in iterates:
                watch.on_iterate(iterate)
    if (last := run.last) is None:
        return
    made = len(run.record.iterates) - 1  # the last number also counts skipped octaves
    numbers = f"iterations: {made}, {last.passes} passes, {last.seconds:.0f} s, loss {last.loss:.4g}"
    console.print(f"{run.folder}/final.png  ({numbers})")
    for note in (
        blown_out(last, run.settings.optimizer),
        unmoved((row.octave, row.loss) for row in run.record.iterates),
    ):
        if note:
            console.print(note)


def _stopped(run: "RunFolder", is_new: bool) -> Stopped:
    """Say what a stopped run has written, and how to continue it."""
    if run.last is None and is_new:
        return Stopped("stopped before the first iteration; nothing was written")
    done = "before the first iteration"
    if run.last is not None:
        done = f"after iteration {run.last.iteration}; {run.folder}/final.png shows it"
    return Stopped(f"stopped {done}", f"Continue with: dreamscripts dream --resume --output {quoted(str(run.folder))}")
