"""`dreamscripts dream PHOTO`: a photograph and a settings file into a run folder."""

import shlex
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamscripts.errors import DreamError, OutputError, SettingsError
from dreamscripts.scripts import options

if TYPE_CHECKING:
    from rich.console import Console

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
        raise SettingsError(f"{from_}: --from wants a PNG that dreamscripts saved")
    named = str(from_ or settings or DEFAULT)
    changes = options.overrides(network, weights, size, seed, iterations, set_, guide)
    if photo is not None and not resume:
        changes.setdefault("start", "photograph")  # also where the settings would start with noise
    default_folder = f"{photo.stem + '-' if photo else ''}{'from-' if from_ else ''}{Path(named).stem}"

    # Here and not above, as `--help` needs none of it.
    from dreamscripts.images.files import open_photo
    from dreamscripts.runs.run import resume as resume_run
    from dreamscripts.runs.run import run
    from dreamscripts.runs.run_folder import RunFolder, free_folder, latest_folder
    from dreamscripts.settings.schema import Settings

    console = options.open_console(quiet)
    if resume and photo is None and not (output or settings or from_):
        raise DreamError("name the picture of the run to resume, or with --output its folder")
    if resume:
        folder = output or latest_folder(default_folder)
        if output and (settings or from_):
            raise SettingsError(f"{folder}: a resumed run keeps its settings; leave --settings and --from out")
        begun = RunFolder.reopen(folder)
        chosen, picture = begun.settings, begun.record["picture"] or NOISE
        if photo and str(photo.resolve()) != picture:
            raise OutputError(f"{folder}: this run dreams of {picture}, not of {photo}")
        refuse_other(changes, chosen, folder)
        start = partial(resume_run, begun)
    else:
        unnamed = not (settings or from_ or changes.keys() & {"network", "weights"})
        if unnamed:
            changes["network"] = EMBEDDED
        chosen = Settings.load(named, **changes)
        if photo is None and chosen.start == "photograph":
            said = f" --from {from_}" if from_ else f" --settings {settings}" if settings else ""
            raise DreamError(
                f"name a picture: dreamscripts dream PHOTO{said}{f' --network {network}' if network else ''}"
            )
        if photo is None and chosen.penalties.diversity:
            raise SettingsError(
                f"{named}: is one of several pictures that were made together, to be unlike each other; "
                "`dreamscripts visualize` with --diversity makes them again"
            )
        for note in open_photo(photo).notes if photo else ():
            console.print(f"{photo}: {note}")
        if unnamed:
            console.print(f"{EMBEDDED} dreams it; --network vgg16 is VGG16 itself, which is downloaded once (58 MB)")
        folder, picture = output or free_folder(default_folder), str(photo or NOISE)
        start = partial(run, photo, chosen, folder, keep_every=keep_every)
    console.print(f"{Path(picture).name} → {folder}/  ({chosen.network}, {named if not resume else 'as it was begun'})")
    _watch(console, start, chosen, folder)


def refuse_other(changes: dict[str, object], begun: "Settings", folder: Path) -> None:
    """A resumed run keeps its settings: raise SettingsError where the command line asks for another value."""
    for key, asked in changes.items():
        other = key == "network" and asked != begun.network  # whose layers and channels may be others
        if other or type(begun).load(folder / "settings.toml", **{key: asked}) != begun:
            raise SettingsError(
                f"{folder}: this run was begun with {key} = {begun.value(key)}; leave it out, or begin another run"
            )


def _watch(console: "Console", start: Callable, settings: "Settings", folder: Path) -> None:
    """Run to the end, or to Ctrl-C, with a progress bar; then say what there is."""
    from dreamscripts.scripts.progress import Watch, blown_out

    iterate = None
    try:
        # Closed at once, and not at some later time, so that final.png is there when we say so.
        with Watch(console, settings) as watch, closing(start(on_pass=watch.on_pass)) as iterates:
            for iterate in iterates:
                watch.on_iterate(iterate)
    except KeyboardInterrupt:
        if iterate is not None:
            console.print(
                f"stopped after iteration {iterate.iteration}; {folder}/final.png shows it.\n"
                f"Go on with: dreamscripts dream --resume --output {shlex.quote(str(folder))}"
            )
        raise
    console.print(
        f"{folder}/final.png  (iterations: {iterate.iteration}, {iterate.passes} passes, {iterate.seconds:.0f} s, "
        f"loss {iterate.loss:.4g})"
    )
    if note := blown_out(iterate, settings.optimizer):
        console.print(note)
