"""`dreamscripts distil NETWORK --photos FOLDER`: teach a small network to dream as a large one does."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.atomic_files import fitting_name, output_errors
from dreamscripts.errors import Diverged, NetworkError, OutputError, PictureError, quoted
from dreamscripts.reports.counted import counted
from dreamscripts.scripts import options, signals
from dreamscripts.scripts.streams import Stopped

if TYPE_CHECKING:
    from dreamscripts.networks.network import Network
    from dreamscripts.reports.distillation_dreams import SideBySide
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.scripts.distil_progress import DistilWatch
    from dreamscripts.settings.recipe import Recipe
    from dreamscripts.training.checkpoint import Checkpoint
    from dreamscripts.training.distil import Distillation
    from dreamscripts.training.photographs import Photographs

LISTED = 5  # photographs that cannot be opened

Teacher = Annotated[
    str | None, typer.Argument(metavar="[NETWORK]", help="The teacher: name of a network, or a .keras or .h5 file.")
]
Photos = Annotated[Path, typer.Option(metavar="FOLDER", help="Photographs, also in folders within it.")]
RecipeName = Annotated[
    str | None, typer.Option("--recipe", "-r", metavar="NAME|FILE", help="Recipe: a name or a TOML file.")
]
Student = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Continue with this student: a network, .keras or .npz."),
]
Width = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Channels, as a share of the teacher's. Default: 0.25.")
]
Until = Annotated[str | None, typer.Option(metavar="LAYER", help="The student ends at this layer.")]
Layers = Annotated[
    str | None, typer.Option(metavar="LAYER,LAYER", help="Teach these layers. Default: some of each size of map.")
]
Minutes = Annotated[float | None, typer.Option(metavar="N", help="Length of the training. Default: 20.")]
Steps = Annotated[int | None, typer.Option(metavar="N", help="Number of steps, instead of minutes.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe, for example batch=32."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE.keras", help="Default: <network>-small.keras.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted training.")]


def distil(
    photos: Photos,
    network: Teacher = None,
    recipe: RecipeName = None,
    weights: options.Weights = None,
    student: Student = None,
    width: Width = None,
    until: Until = None,
    layers: Layers = None,
    minutes: Minutes = None,
    steps: Steps = None,
    seed: options.Seed = None,
    set_: Set = None,
    output: Output = None,
    resume: Resume = False,
    quiet: options.Quiet = False,
) -> None:
    """Teach a small network to dream as NETWORK does. Writes FILE.keras, which every command takes, and a web page.

    The student has the layers of NETWORK with fewer channels. It is taught with the photographs, without labels. To
    continue after an interruption, run the same command with --resume.

    A quarter of VGG16 up to block3: dreamscripts distil vgg16 --photos holiday/ --until block3_conv3 -o small.keras
    """
    from dreamscripts.settings.loading import parse_override
    from dreamscripts.settings.recipe import Recipe

    console = options.open_console(quiet)
    given = {
        "network": network,
        "weights": weights,
        "student": student,
        "width": width,
        "until": until,
        "layers": None if layers is None else [name.strip() for name in layers.split(",") if name.strip()],
        "minutes": minutes,
        "steps": steps,
        "seed": seed,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    chosen = Recipe.load(recipe, changes | dict(parse_override(text) for text in set_ or []))
    file = output or Path(fitting_name(Path(chosen.network).stem, "-small.keras"))
    _check_output(file, resume)
    _check_names(chosen)
    photographs, checkpoint = _open(console, chosen, photos, file, resume)
    _distil(console, chosen, photographs, checkpoint, file)


def _check_output(file: Path, resume: bool) -> None:
    """Raise OutputError if the student cannot be written there."""
    from dreamscripts.training.checkpoint import place_of

    if file.suffix != ".keras":
        raise OutputError(f"{file}: the name of the student must end in .keras")
    if not file.parent.is_dir():
        raise OutputError(f"{file}: the folder '{file.parent}' does not exist; create it first")
    for path in () if resume else (file, file.with_suffix(".html")):
        if path.exists():
            raise OutputError(f"{path}: already exists; choose another --output")
    if not resume and place_of(file).exists():
        raise OutputError(f"{place_of(file)}: an interrupted training; add --resume, or choose another --output")
    if resume and not place_of(file).exists():
        raise OutputError(f"{place_of(file)}: there is no interrupted training; remove --resume")


def _check_names(recipe: "Recipe") -> None:
    """Raise NetworkError if a network or file does not exist, before Keras is imported, which takes seconds."""
    from dreamscripts.networks.family import check_name
    from dreamscripts.networks.file_checks import check_weights_file
    from dreamscripts.settings.named_files import WEIGHTS_WITHOUT_A_FILE

    check_name(recipe.network)
    if recipe.weights and recipe.weights not in WEIGHTS_WITHOUT_A_FILE:
        check_weights_file(Path(recipe.weights))
    if recipe.student and recipe.student.endswith(".npz"):
        check_weights_file(Path(recipe.student))
    elif recipe.student:
        check_name(recipe.student)


def _open(
    console: "CommandConsole", recipe: "Recipe", folder: Path, file: Path, resume: bool
) -> tuple["Photographs", "Checkpoint | None"]:
    """Find the photographs, and read the checkpoint. Raises DreamError."""
    from dreamscripts.training.checkpoint import Checkpoint, check_same, place_of
    from dreamscripts.training.photographs import Photographs, find_photographs

    photographs = Photographs(find_photographs(folder))
    held = len(photographs.held_out)
    console.print(f"{counted(len(photographs.files), 'photograph')} to teach with; {held} held out for measuring")
    if not resume:
        return photographs, None
    checkpoint = Checkpoint.read(place_of(file))
    try:
        check_same(checkpoint, recipe, photographs)
    except NetworkError as error:
        raise NetworkError(f"{file}: {error}") from None
    console.print(f"continuing after step {checkpoint.record['step']}")
    return photographs, checkpoint


def _distil(
    console: "CommandConsole",
    recipe: "Recipe",
    photographs: "Photographs",
    checkpoint: "Checkpoint | None",
    file: Path,
) -> None:
    """Make all steps with progress, and write the student and its report. Raises DreamError, or Stopped."""
    from dreamscripts.backends.startup import start_keras
    from dreamscripts.scripts.distil_progress import DistilWatch

    with DistilWatch(console) as watch:
        from dreamscripts.training.checkpoint import place_of

        try:
            watch.on_stage("starting Keras")
            start_keras()
            from dreamscripts.training.distil import Distillation

            distillation = Distillation(recipe, photographs, checkpoint, watch.on_stage, signals.check)
        except KeyboardInterrupt:
            raise _stopped_early(checkpoint) from None
        try:
            for moment in distillation.steps(place_of(file)):
                watch.on_moment(moment)
            _finish(console, watch, distillation, file)
        except KeyboardInterrupt:
            raise _stopped(distillation, file) from None
        except Diverged as error:
            kept = place_of(file).exists()
            raise Diverged(f"{error} --resume, to continue after the last checkpoint" if kept else str(error)) from None
    _print_bad(console, photographs)


def _finish(console: "CommandConsole", watch: "DistilWatch", distillation: "Distillation", file: Path) -> None:
    """Write the finished student and its report, and print the agreement."""
    from dreamscripts.reports.distillation import Distilled, suggestion, write_page
    from dreamscripts.training.checkpoint import place_of

    watch.on_stage("measuring the student on the photographs that are held out")
    network = distillation.finished()
    agreement = distillation.measure(network)
    origin = _save(distillation, network, agreement, file)
    watch.on_stage("dreaming with both")
    distilled = Distilled(
        file=file,
        origin=origin,
        weights=(distillation.pair.teacher.model.count_params(), network.model.count_params()),
        before=distillation.before,
        agreement=agreement,
        curve=distillation.curve,
        dreams=_dreams(distillation, file),
        command=" ".join(map(quoted, ["dreamscripts", *sys.argv[1:]])),
    )
    page = write_page(distilled)
    with output_errors(file):
        place_of(file).unlink(missing_ok=True)
    watch.stop()
    watch.print_table(distillation.before, agreement)
    console.print(f"{file}  ({counted(origin['steps'], 'step')} in {origin['minutes']:.0f} min)")
    console.print(str(page))
    console.print(f"Use it: {suggestion(distilled)}")


def _save(distillation: "Distillation", network: "Network", agreement: dict[str, float], file: Path) -> dict[str, Any]:
    """Write the student with its origin, which is returned. Raises OutputError."""
    from dreamscripts.networks.origin import save_with_origin
    from dreamscripts.training.record import origin_of

    origin = origin_of(distillation, agreement)
    save_with_origin(network.model, file, origin)
    return origin


def _dreams(distillation: "Distillation", file: Path) -> list["SideBySide"]:
    """Dream with teacher and student. Without dreams if no photograph is large enough for the networks."""
    from dreamscripts.reports.distillation_dreams import dream_side_by_side

    recipe, only = distillation.recipe, distillation.pair.teacher.only_size
    teacher = {"network": recipe.network, "weights": recipe.weights, "preprocessing": recipe.preprocessing}
    try:
        return dream_side_by_side(
            teacher,
            {"network": str(file)},
            distillation.pair.layers,
            distillation.photographs.good_held_out(2),
            only[0] if only else None,
            lambda passes, loss: signals.check(),
        )
    except PictureError:
        return []


def _stopped(distillation: "Distillation", file: Path) -> Stopped:
    """Write the checkpoint and the student so far, and return what to print."""
    from dreamscripts.training.checkpoint import place_of

    if not distillation.step:
        return _stopped_early(None)
    distillation.checkpoint().write(place_of(file))
    measured = [moment.agreement for moment in distillation.curve if moment.agreement]
    _save(distillation, distillation.finished(), measured[-1], file)
    return Stopped(f"stopped after step {distillation.step}; {file} is the student so far", _how_to_continue())


def _stopped_early(checkpoint: "Checkpoint | None") -> Stopped:
    """Return what to print if no step was made by this command."""
    if checkpoint is None:
        return Stopped("stopped before the first step; nothing was written")
    return Stopped(f"stopped; the training is still at step {checkpoint.record['step']}", _how_to_continue())


def _how_to_continue() -> str:
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return f"Continue with: {' '.join(map(quoted, ['dreamscripts', *words]))} --resume"


def _print_bad(console: "CommandConsole", photographs: "Photographs") -> None:
    """Name photographs that could not be opened."""
    bad = list(photographs.bad.items())
    for path, reason in bad[:LISTED]:
        console.print(f"left out: {path}: {reason}")
    if len(bad) > LISTED:
        console.print(f"left out: {len(bad) - LISTED} more")
