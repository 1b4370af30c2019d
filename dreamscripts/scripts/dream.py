"""`dreamscripts dream PHOTO`: a photograph and a settings file into a run folder."""

import shlex
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import DreamError, OutputError, SettingsError
from dreamscripts.scripts import options

if TYPE_CHECKING:
    from rich.console import Console

    from dreamscripts.runs.run_folder import RunFolder
    from dreamscripts.settings.schema import Settings

DEFAULT = "dreamy"
EMBEDDED = "pocket_large"  # dreams it where neither settings nor a network are named: it is inside the package
NOISE = "noise"  # in the place of a picture's name


def dream(
    photo: Annotated[Path | None, typer.Argument(help="The picture to dream of: JPEG, PNG, TIFF, WebP, …")] = None,
    settings: options.SettingsName = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="PICTURE.png", help="The settings inside a picture dreamt before.")
    ] = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: options.Size = None,
    seed: options.Seed = None,
    iterations: options.Iterations = None,
    guide: options.Guide = None,
    set_: options.Set = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Default: <photo>-<settings>, numbered.")
    ] = None,
    keep_every: Annotated[int, typer.Option(min=1, metavar="N", help="Keep every Nth snapshot.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Turn PHOTO into a dream: a folder with a snapshot per iteration, final.png and the record of the run.

    Without --settings it is dreamy, and without --network as well a network inside the package dreams it. Settings
    that start with noise, as notebook_lapnorm does, need no PHOTO.

    For a first one: dreamscripts dream samples/sky.jpg
    """
    if settings and from_:
        raise SettingsError("give --settings or --from, not both")
    if from_ and from_.suffix.lower() != ".png":
        raise SettingsError(f"{from_}: --from needs a PNG that dreamscripts saved")
    # Here and not above, because `--help` needs none of it.
    from dreamscripts.runs.run import new_run
    from dreamscripts.runs.run_folder import free_folder, latest_folder

    named = str(from_ or settings or DEFAULT)
    changes = options.overrides(network, weights, size, seed, iterations, set_, guide)
    default_folder = f"{photo.stem + '-' if photo else ''}{'from-' if from_ else ''}{Path(named).stem}"
    console = options.open_console(quiet)
    if resume:
        if photo is None and not (output or settings or from_):
            raise DreamError("name the picture of the run to resume, or its folder with --output")
        if output and (settings or from_):
            raise SettingsError(f"{output}: a resumed run keeps its settings; remove --settings and --from")
        opened = nullcontext(_reopened(output or latest_folder(default_folder), photo, changes))
    else:
        if unnamed := not (settings or from_ or changes.keys() & {"network", "weights"}):
            changes["network"] = EMBEDDED
        chosen = _load(named, changes, photo)
        if unnamed:
            console.print(f"{EMBEDDED} dreams it; --network vgg16 is VGG16 itself, which is downloaded once (58 MB)")
        opened = new_run(photo, chosen, output or free_folder(default_folder), keep_every=keep_every)
    with opened as run:
        for note in () if resume else run.record["notes"]:
            console.print(f"{photo}: {note}")
        name = Path(run.record["picture"] or NOISE).name
        console.print(f"{name} → {run.folder}/  ({run.settings.network}, {'resumed' if resume else named})")
        _watch(console, run)


def _load(named: str, changes: dict[str, object], photo: Path | None) -> "Settings":
    """The settings called `named`. Raises DreamError if they need a photo and there is none."""
    from dreamscripts.settings.schema import Settings

    if photo is not None:
        changes = {"start": "photograph", **changes}  # also if the settings start with noise
    chosen = Settings.load(named, **changes)
    if photo is None and chosen.start == "photograph":
        raise DreamError(f"name a picture: dreamscripts dream PHOTO {shlex.join(sys.argv[2:])}".rstrip())
    if photo is None and chosen.penalties.diversity:
        raise SettingsError(
            f"{named}: is one of several pictures that were made together, unlike each other; "
            "`dreamscripts visualize` with --diversity makes them again"
        )
    return chosen


def _reopened(folder: Path, photo: Path | None, changes: dict[str, object]) -> "RunFolder":
    """The interrupted run in a folder. Raises DreamError if it is of another picture, or has other settings."""
    from dreamscripts.runs.run_folder import RunFolder

    run = RunFolder.reopen(folder)
    picture = run.record["picture"] or NOISE
    if photo and str(photo.resolve()) != picture:
        raise OutputError(f"{folder}: this run dreams of {picture}, not of {photo}")
    refuse_other(changes, run.settings, folder)
    return run


def refuse_other(changes: dict[str, object], begun: "Settings", folder: Path) -> None:
    """A resumed run keeps its settings: raise SettingsError where the command line asks for another value."""
    for key, asked in changes.items():
        other = key == "network" and asked != begun.network  # whose layers and channels may be others
        if other or type(begun).load(folder / "settings.toml", **{key: asked}) != begun:
            raise SettingsError(
                f"{folder}: this run was begun with {key} = {begun.value(key)}; leave it out, or begin another run"
            )


def _watch(console: "Console", run: "RunFolder") -> None:
    """Dream to the end, or to Ctrl-C, with a progress bar; then say what there is."""
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.reports.loss_curve import write_loss_curve
    from dreamscripts.runs.run import record
    from dreamscripts.scripts.progress import Watch, blown_out

    folder, settings, iterate = run.folder, run.settings, None
    try:
        with Watch(console, settings) as watch:
            start_keras(run.record.get("choices", {}).get("onednn"))
            # Closed here, so that final.png is there when we say so.
            with closing(record(run, on_pass=watch.on_pass, on_end=write_loss_curve)) as iterates:
                for iterate in iterates:
                    watch.on_iterate(iterate)
    except KeyboardInterrupt:
        if iterate is not None:
            console.print(
                f"stopped after iteration {iterate.iteration}; {folder}/final.png shows it.\n"
                f"Continue with: dreamscripts dream --resume --output {shlex.quote(str(folder))}"
            )
        raise
    console.print(
        f"{folder}/final.png  (iterations: {iterate.iteration}, {iterate.passes} passes, {iterate.seconds:.0f} s, "
        f"loss {iterate.loss:.4g})"
    )
    if note := blown_out(iterate, settings.optimizer):
        console.print(note)
