"""`dreamscripts batch PHOTO…`: many dreams, each in a run folder of its own, by several processes."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamscripts.errors import DreamError, SettingsError
from dreamscripts.reports.counted import counted
from dreamscripts.scripts import options, signals
from dreamscripts.scripts.dream import DEFAULT, EMBEDDED, KeepEvery
from dreamscripts.scripts.streams import Stopped

if TYPE_CHECKING:
    from dreamscripts.batch.crew import Crew
    from dreamscripts.batch.ledger import Ledger
    from dreamscripts.batch.photographs import LeftOut
    from dreamscripts.batch.plan import Planned
    from dreamscripts.batch.request import Request
    from dreamscripts.scripts.console import CommandConsole

LISTED = 10  # dreams that are planned, have failed or got another name: more are counted only

Photos = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PHOTO]...", help="Pictures, folders, patterns, lists (.txt), or a jobs file (.toml)."),
]
SettingsNames = Annotated[
    list[str] | None,
    typer.Option(
        "--settings", "-s", metavar="NAME|FILE", help="Settings: names or files, separated by commas. Can be repeated."
    ),
]
Grid = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=V1,V2", help="Try each of these values of a setting. Can be repeated."),
]
Seeds = Annotated[str | None, typer.Option(metavar="0-3|1,5,7", help="Try each of these seeds.")]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER|URL",
        help="The folder of all run folders, or s3://bucket/folder.",
        callback=options.folder,
    ),
]
Ray = Annotated[
    str | None, typer.Option(metavar="auto|HOST:PORT", help="Use the machines of this Ray cluster, not only this one.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Number of processes. Default: as many as are fast here.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List the dreams, and measure what they will take.")]


def batch(
    photos: Photos = None,
    settings: SettingsNames = None,
    grid: Grid = None,
    seeds: Seeds = None,
    network: options.Network = None,
    weights: options.Weights = None,
    size: options.Size = None,
    iterations: options.Iterations = None,
    set_: options.Set = None,
    allow_files: options.AllowFiles = False,
    output: Output = "batch",
    keep_every: KeepEvery = 1,
    workers: Workers = None,
    ray: Ray = None,
    dry_run: DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Make many dreams: each PHOTO with each of the settings, each value of the grid and each seed.

    Each dream is an ordinary run folder within FOLDER. FOLDER/index.html shows them all. To continue after an
    interruption, run the same command again. Nothing is made twice. You can add photographs and values later.

    A folder of photographs with two looks: dreamscripts batch holiday/ -s dreamy,menagerie --size 800

    Six values on one photograph: dreamscripts batch sky.jpg --grid optimizer.max_change=2,5,10 --grid size=400,800
    """
    if not photos and not settings:
        raise DreamError("name photographs, folders or a jobs file; `dreamscripts batch --help` shows examples")
    console = options.open_console(quiet)
    changes = options.overrides(network, weights, size, None, iterations, set_)
    request = _request(photos or [], settings or [], grid or [], seeds)
    if not request.settings and not {"network", "weights"} & {*changes, *request.set, *request.grid}:
        changes = {"network": EMBEDDED, **changes}
    planned, left_out = _plan(console, request, changes, allow_files)
    if dry_run:
        _estimate(console, planned, left_out, workers, keep_every)
        return
    from dreamscripts.batch.ledger import Ledger
    from dreamscripts.batch.store import open_store

    with closing(_crew(ray, workers)) as crew, closing(Ledger(open_store(output), planned, keep_every)) as ledger:
        _make(console, ledger, planned, crew)
        _say_left_out(console, left_out)
        _say_notes(console, ledger)
        failed = [job for job in ledger.jobs if job.state == "failed"]
    if failed:
        for job in failed[:LISTED]:
            console.print(f"{ledger.store.shown}/{job.folder}: {job.message}")
        raise DreamError(f"{len(failed)} of {len(ledger.jobs)} dreams failed; {ledger.store.shown}/index.html says why")


def _request(photos: list[str], settings: list[str], grid: list[str], seeds: str | None) -> "Request":
    """Return what the options ask for, or what a jobs file says. Raises SettingsError."""
    from dreamscripts.batch.request import Request, parse_grid, parse_seeds, read_jobs_file

    files = [name for name in photos if name.lower().endswith(".toml")]
    if not files:
        return Request(photos, _names(settings), parse_grid(grid), parse_seeds(seeds) if seeds else [])
    if len(photos) > 1 or settings or grid or seeds:
        raise SettingsError(f"{files[0]}: a jobs file says what is made; remove the other photographs and settings")
    return read_jobs_file(Path(files[0]))


def _names(settings: list[str]) -> list[str]:
    """Return the names in --settings, which can be separated by commas, each once."""
    names = [part.strip() for text in settings for part in ([text] if Path(text).exists() else text.split(","))]
    return list(dict.fromkeys(filter(None, names)))


def _plan(
    console: "CommandConsole", request: "Request", changes: dict[str, Any], allow_files: bool
) -> tuple[list["Planned"], list["LeftOut"]]:
    """Return the dreams to make, and the photographs that cannot be opened. Raises DreamError if there is none."""
    from dataclasses import replace

    from dreamscripts.batch.photographs import find_photographs
    from dreamscripts.batch.plan import plan, plan_variants

    photos, missing = find_photographs(request.photographs, request.folder)
    request = replace(request, settings=request.settings or [DEFAULT])
    with options.each_warning_once():
        variants = plan_variants(request, changes, allow_files, bool(photos))
    for name, variant in {variant.values["settings"]: variant for variant in variants}.items():
        options.print_files(console, name, variant.settings, changes)
    planned, unreadable = plan(photos, variants)
    left_out = missing + unreadable
    if not planned:
        raise DreamError(f"{left_out[0].path}: {left_out[0].reason}")
    return planned, left_out


def _make(console: "CommandConsole", ledger: "Ledger", planned: list["Planned"], crew: "Crew") -> None:
    """Make all dreams that are missing, with progress. Raises DreamError if no dream can be made."""
    from dreamscripts.batch.making import make
    from dreamscripts.scripts.batch_progress import BatchWatch

    for name in ledger.renamed[:LISTED]:
        console.print(f"{name}: has a number, because another photograph or other settings have made the folder before")
    jobs = ledger.jobs
    waiting = sum(job.state == "waiting" for job in jobs)
    with BatchWatch(console, f"{ledger.store.shown}/index.html", len(jobs), waiting) as watch:
        try:
            make(ledger, planned, crew, watch.update, watch.stop)
        except KeyboardInterrupt:
            raise Stopped("stopped", "Run the same command again to continue.") from None


def _crew(ray: str | None, workers: int | None) -> "Crew":
    """Return where the workers come from. Raises DreamError if there is no such cluster."""
    from dreamscripts.batch.crew import LocalCrew, RayCrew
    from dreamscripts.batch.ray_workers import prepare_environment

    if ray is None:
        return LocalCrew(workers)
    prepare_environment()
    return RayCrew(ray, workers)


def _say_left_out(console: "CommandConsole", left_out: list["LeftOut"]) -> None:
    """Name the photographs that cannot be used, for each reason the first one."""
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(one.path)
    for reason, (first, *others) in by_reason.items():
        more = f" (and {len(others)} more)" if others else ""
        console.print(f"left out: {first}{more}: {reason}")


def _say_notes(console: "CommandConsole", ledger: "Ledger") -> None:
    """Say what was adapted in the dreams that this command made."""
    noted = [job for job in ledger.jobs if job.state == "done" and job.node and job.message]
    for job in noted[:1]:
        console.print(f"{ledger.store.shown}/{job.folder}: {job.message}")
    if len(noted) > 1:
        console.print(f"{len(noted) - 1} more dreams have such notes, which the page shows")


def _estimate(
    console: "CommandConsole", planned: list["Planned"], left_out: list["LeftOut"], workers: int | None, keep_every: int
) -> None:
    """List the dreams, and say what they will take. Raises DreamError if none can be made."""
    from dreamscripts.batch.estimate import estimate
    from dreamscripts.batch.making import files_in
    from dreamscripts.batch.workers import processors_of
    from dreamscripts.scripts.batch_progress import duration

    for dream in planned[:LISTED]:
        height, width = dream.size
        console.print(f"{dream.name}  ({width}×{height})")
    if len(planned) > LISTED:
        console.print(f"and {len(planned) - LISTED} more")
    _say_left_out(console, left_out)
    processors = processors_of(workers, planned)
    with console.status("measuring the first few"):
        found = estimate(planned, files_in(planned), processors, keep_every, signals.check)
    dreams, count = len(planned), len(processors)
    console.print(
        f"{counted(dreams, 'dream')}: about {duration(found.seconds)} with "
        f"{counted(count, 'worker')}, and {max(1, found.bytes / 1e6):,.0f} MB on the disk "
        f"(measured on {found.measured}); nothing was kept"
    )
