"""`dreamscripts compare PHOTO`: make the same dream with several optimizers, and write a report."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.atomic_files import fitting_name, make_numbered_folder
from dreamscripts.errors import DreamError, OutputError, SettingsError, did_you_mean, quoted
from dreamscripts.registry import OPTIMIZERS
from dreamscripts.reports.counted import counted
from dreamscripts.scripts import options
from dreamscripts.scripts.streams import Stopped

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from dreamscripts.runs.comparison_folder import ComparisonFolder
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.settings.schema import Settings

SETTINGS = "bad_trip"
OPTIMIZERS_IF_NOT_GIVEN = "lbfgs,gradient_ascent"
PASSES = 105

Optimizers = Annotated[
    str | None,
    typer.Option(
        "--optimizers",
        metavar="NAME,NAME",
        help=f"Two or more optimizers (values of optimizer.name). Default: {OPTIMIZERS_IF_NOT_GIVEN}.",
    ),
]
Passes = Annotated[
    int | None,
    typer.Option(
        "--passes", "--evaluations", min=2, metavar="N", help="Passes through the network in each trial. Default: 105."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Default: <photo>-compare. If it exists, a number is added.",
        callback=options.folder,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted comparison.")]


def compare(
    photo: Annotated[Path | None, typer.Argument(help="The picture to start with.")] = None,
    settings: options.OptionalSettingsName = None,
    optimizers: Optimizers = None,
    passes: Passes = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: options.Size = None,
    seed: options.Seed = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    output: Output = None,
    resume: Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare optimizers on PHOTO, and write a web page with pictures, curves and a table.

    All optimizers get the same number of passes. For gradient ascent and Adam, several step sizes are tried. Each trial
    uses N passes. The default settings are `bad_trip`. After an interruption, `--resume` keeps the finished trials.
    """
    changes = options.overrides(network, weights, size, seed, set_=set_, guide=guide)
    names = None if optimizers is None else _parse(optimizers)
    console = options.open_console(quiet)
    if resume:
        folder = _reopened(photo, output, settings, names, passes, changes)
        options.print_files(console, str(folder.folder), folder.settings)
        console.print(f"{folder.folder}: {counted(len(folder.finished), 'finished trial')} kept")
    else:
        if photo is None:
            raise DreamError("a picture is missing; use: dreamscripts compare PHOTO")
        chosen = options.load_settings(console, settings or SETTINGS, changes, allow_files)
        compared = names or _parse(OPTIMIZERS_IF_NOT_GIVEN)
        folder = _new(photo, output, chosen, settings or SETTINGS, compared, passes)
    try:
        _compare(console, folder)
    except KeyboardInterrupt:
        raise _stopped(folder, resume) from None
    except OutputError as error:
        raise OutputError(f"{error}; continue with: {_resume(folder)}" if folder.finished else str(error)) from None
    finally:
        if not folder.finished and not resume:
            folder.discard()


def _new(
    photo: Path,
    output: Path | None,
    settings: "Settings",
    settings_name: str,
    optimizers: list[str],
    passes: int | None,
) -> "ComparisonFolder":
    """Open the photo and create the folder. Raises DreamError."""
    from dreamscripts.images.files import open_photo
    from dreamscripts.runs.comparison_folder import ComparisonFolder, ComparisonRecord
    from dreamscripts.runs.run_record import as_text, path_text

    opened = open_photo(photo, settings.size)
    for note in opened.notes:
        log.warning("%s: %s", photo, note)
    record = ComparisonRecord(
        picture=path_text(photo), settings_name=as_text(settings_name), optimizers=optimizers, passes=passes or PASSES
    )
    folder = output or make_numbered_folder(fitting_name(photo.stem, "-compare"))
    return ComparisonFolder.create(folder, settings, opened.pixels, record)


def _reopened(
    photo: Path | None,
    output: Path | None,
    settings: str | None,
    optimizers: list[str] | None,
    passes: int | None,
    changes: dict[str, object],
) -> "ComparisonFolder":
    """Open the interrupted comparison. Raises DreamError if its picture or settings differ from the command line."""
    from dreamscripts.runs.comparison_folder import ComparisonFolder
    from dreamscripts.runs.find_run import latest_folder
    from dreamscripts.runs.run_record import path_text
    from dreamscripts.scripts.dream import refuse_other
    from dreamscripts.settings.schema import Settings

    if not (photo or output):
        raise DreamError("--resume needs the picture of the comparison, or its folder with --output")
    name = fitting_name(photo.stem, "-compare") if photo else ""
    folder = ComparisonFolder.reopen(output or latest_folder(name))
    record = folder.record
    for given, started in (
        (photo and path_text(photo), record.picture),
        (optimizers and ",".join(optimizers), ",".join(record.optimizers)),
        (passes and f"--passes {passes}", f"--passes {record.passes}"),
    ):
        if given and given != started:
            raise OutputError(f"{folder.folder}: this comparison was started with {started}, not {given}")
    if settings is None:
        refuse_other(changes, folder.settings, folder.folder)
    elif Settings.load(settings, allow_files=True, **changes) != folder.settings:
        raise SettingsError(f"{folder.folder}: this comparison was started with other settings; remove --settings")
    return folder


def _compare(console: "CommandConsole", folder: "ComparisonFolder") -> None:
    """Make the missing trials, write the report and print the results."""
    from dreamscripts.backends import compiling, host
    from dreamscripts.backends.startup import start_keras

    before = folder.record.choices
    start_keras(before.onednn if before else None)
    from dreamscripts.dreams.comparison import compare
    from dreamscripts.reports.comparison import write_report
    from dreamscripts.reports.comparison_verdict import verdict
    from dreamscripts.scripts.progress import TrialWatch

    record = folder.record
    with TrialWatch(console, record.passes) as watch:
        comparison = compare(
            folder.picture,
            folder.settings,
            record.optimizers,
            record.passes,
            finished=folder.finished,
            choices=folder.choices(),
            on_choices=lambda choices: folder.keep_choices(choices, compiling.onednn()),
            on_trial=watch.on_trial,
            on_pass=watch.on_pass,
            on_finished=folder.save,
        )
    about = {
        "picture": Path(record.picture).name,
        "settings_name": record.settings_name,
        "device": host.device(),
        "versions": host.versions(),
    }
    page = write_report(comparison, folder.folder, about)
    folder.complete()
    for sentence in verdict(comparison):
        console.print(sentence)
    console.print(str(page))


def _stopped(folder: "ComparisonFolder", resumed: bool) -> Stopped:
    """Return what to print after an interruption."""
    if not folder.finished and not resumed:
        return Stopped("stopped before the first trial was finished; nothing was written")
    kept = counted(len(folder.finished), "finished trial")
    return Stopped(f"stopped; {kept} kept", f"Continue with: {_resume(folder)}")


def _resume(folder: "ComparisonFolder") -> str:
    return f"dreamscripts compare --resume --output {quoted(str(folder.folder))}"


def _parse(optimizers: str) -> list[str]:
    """Split a list such as `lbfgs,adam`. Raises SettingsError if a name is unknown, or if there is only one name."""
    names = list(dict.fromkeys(name.strip() for name in optimizers.split(",") if name.strip()))
    for name in names:
        if name not in OPTIMIZERS:
            raise SettingsError(
                f"there is no optimizer '{name}'{did_you_mean(name, OPTIMIZERS)}; use {', '.join(OPTIMIZERS)}"
            )
    if len(names) < 2:
        raise SettingsError("--optimizers needs at least two optimizers, for example lbfgs,gradient_ascent")
    return names
