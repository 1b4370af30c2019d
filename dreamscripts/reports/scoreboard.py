"""Write the report of a benchmark: bench.json with all numbers, bench.md with tables, bench.png with a plot."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dreamscripts.atomic_files import write_atomically
from dreamscripts.benchmarks.measuring import PICTURES, TOLERANCES
from dreamscripts.benchmarks.scoreboard import FLOPS_PER_MULTIPLICATION, Result, Scoreboard, Size
from dreamscripts.errors import shown
from dreamscripts.reports.scoreboard_plot import decimals_of, digits, plot_scoreboard
from dreamscripts.settings.network_names import short_name


@dataclass(frozen=True)
class Sheet:
    """A table. The first column contains the names of the rows."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


def write_report(board: Scoreboard, folder: Path) -> None:
    """Write bench.json, bench.md and bench.png. Raises OutputError."""
    write_atomically(folder / "bench.json", json.dumps(record(board), indent=1).encode())
    write_atomically(folder / "bench.png", plot_scoreboard(board))
    write_atomically(folder / "bench.md", markdown(board).encode())


def record(board: Scoreboard) -> dict[str, Any]:
    """Return all results and derived numbers, for JSON."""
    return {
        **board.about,
        "settings": board.settings.model_dump(mode="json"),
        "import_seconds": board.import_seconds,
        "help_seconds": board.help_seconds,
        "multiplications": board.multiplications,
        "gflop_a_pass": board.gflop,
        "ceiling": board.maximum and asdict(board.maximum),
        "results": [
            asdict(result)
            | {
                "median_on_device": median(result.on_device),
                "median_seconds": median(result.seconds),
                "median_ratio": median(result.ratios),
                "share_of_ceiling": board.share(result),
            }
            for result in board.results
        ],
        "left_out": board.excluded,
        "products": [asdict(product) for product in board.products],
        "iteration": asdict(board.iteration),
        "sizes": [_size_record(size) for size in board.sizes],
    }


def _size_record(size: Size) -> dict[str, Any]:
    if size.died:
        return asdict(size)
    return asdict(size) | {
        "megapixels": size.megapixels,
        "seconds_per_megapixel": size.seconds_per_megapixel,
        "mib_per_megapixel": size.mib_per_megapixel,
    }


def title(board: Scoreboard) -> str:
    """Return the network, its deepest layer in use, and the picture size."""
    settings = board.settings
    return (
        f"{short_name(settings.network)} through {list(settings.features)[-1]}, {settings.size}×{settings.size} pixels"
    )


def verdict(board: Scoreboard) -> str:
    """Return the result in one or two sentences."""
    ours, *others = board.results
    comparisons = []
    if others:
        fastest = min(others, key=lambda other: median(other.on_device))
        least, ratio, most = min(fastest.ratios), median(fastest.ratios), max(fastest.ratios)
        rounds = f"; {100 * least:.0f} to {100 * most:.0f} % in single rounds" if least < 1 < most else ""
        comparisons.append(f"{100 * ratio:.0f} % of the time of the fastest other program ({fastest.name}{rounds})")
    if (share := board.share(ours)) is not None:
        comparisons.append(f"{100 * share:.0f} % of the maximum speed of the machine")
    sentence = (
        f"One pass takes {digits(median(ours.on_device))} s on the device, and {digits(median(ours.seconds))} s from "
        "NumPy to NumPy."
    )
    return f"{sentence} On the device, this is {', and '.join(comparisons)}." if comparisons else sentence


def facts(board: Scoreboard) -> list[tuple[str, str]]:
    """Return the conditions of the benchmark and the times outside of passes, as (name, value)."""
    about, ours, iteration, maximum = board.about, board.results[0], board.iteration, board.maximum
    settings = board.settings
    layers = ", ".join(settings.features)
    xla = "XLA" if about["choices"]["xla"] else "without XLA"
    kernels = f"convolutions {settings.convolutions}, {xla}, {settings.precision}"
    if about["tiles"]:
        kernels += f", dreamscripts in tiles of {about['tiles']} pixels"
    tried = [f"{digits(seconds)} s per pass {way}" for way, seconds in about["ways"].items()]
    if trials := about["choices"]["trials"]:
        shares = [f"{trial['layer']} {trial['winograd'] / trial['direct']:.2f}" for trial in trials]
        tried.append(f"time of Winograd's algorithm ÷ direct convolution: {', '.join(shares)}")
    named = [
        ("machine", f"{about['device']}, {about['cores']} cores, {about['system']}"),
        ("versions", ", ".join(f"{name} {number}" for name, number in about["versions"].items())),
        ("command", about["command"]),
        ("started", about["started"]),
        ("network", f"{short_name(settings.network)}, weights {settings.weights}, loss from {layers}; {kernels}"),
        ("alternatives", "; ".join(tried)),
        ("one pass", f"loss and gradient, {board.gflop:.3g} GFLOP counted as direct convolutions"),
        ("import", f"{board.import_seconds:.2f} s; dreamscripts --help takes {board.help_seconds:.2f} s"),
        ("start-up", f"loading takes {ours.start_up:.1f} s, the first pass {ours.first_pass:.1f} s"),
        (
            "iteration",
            f"{settings.optimizer.name}: {digits(iteration.seconds)} s for {iteration.passes} passes, of which "
            f"{digits(iteration.outside)} s ({iteration.outside / iteration.seconds:.1%}) are not spent in passes",
        ),
    ]
    if maximum:
        by = f"{maximum.name}, {maximum.side}×{maximum.side}"
        named.append(("maximum", f"{maximum.gflops:.0f} GFLOP/s, the fastest product of matrices ({by})"))
    return [(name, value) for name, value in named if value]


def passes_sheet(board: Scoreboard) -> Sheet:
    """Return the table of the passes, one row per program."""
    return Sheet(
        ("", "on the device", "dreamscripts ÷ this", "NumPy to NumPy", "differs by", "of maximum", "peak MiB"),
        [_pass_row(board, result) for result in board.results],
    )


def _pass_row(board: Scoreboard, result: Result) -> tuple[str, ...]:
    share, ours = board.share(result), result is board.results[0]
    return (
        result.name,
        f"{digits(median(result.on_device))} s",
        "·" if ours else _spread(result.ratios, 2),
        f"{digits(median(result.seconds))} s",
        "·" if ours else f"{max(result.loss_error, result.gradient_error):.0e}",
        "·" if share is None else f"{share:.0%}",
        f"{result.peak_mib:.0f}",
    )


def sizes_sheet(board: Scoreboard) -> Sheet:
    """Return the table of the picture sizes, one row per size."""
    return Sheet(
        ("pixels", "MP", "seconds per pass", "s/MP", "peak MiB", "MiB/MP", "tiles"),
        [_size_row(size) for size in board.sizes],
    )


def _size_row(size: Size) -> tuple[str, ...]:
    first = (f"{size.side}×{size.side}", digits(size.megapixels))
    if size.died:
        return (*first, *"·····")
    return (
        *first,
        _spread(size.seconds),
        digits(size.seconds_per_megapixel),
        f"{size.peak_mib:.0f}",
        f"{size.mib_per_megapixel:.0f}",
        f"{size.tiles} px" if size.tiles else "none",
    )


def notes(board: Scoreboard) -> list[str]:
    """Return explanations of the table of the passes, and the excluded programs."""
    passes = len(board.results[0].seconds)
    loss, gradient = TOLERANCES[board.settings.precision]
    paragraphs = [
        f"Each program runs in its own process on noise pictures. Numbers are the median (minimum–maximum) of {passes} "
        "passes, measured alternately. “On the device”: picture and gradient stay on the device, and the program waits "
        "once after several passes. “NumPy to NumPy”: the time includes copying the picture to the device and the "
        "gradient back. Each ratio compares passes on the device in the same round.",
    ]
    if len(board.results) > 1:
        paragraphs.append(
            "“Differs by” is the relative difference from dreamscripts, for the loss or the gradient, whichever is "
            "larger. In max pooling, only the largest value gets the gradient. If two values are almost equal, "
            f"rounding decides which one. A program is excluded if, for each of {PICTURES} pictures, its loss differs "
            f"by more than {loss:.0e} or its gradient by more than {gradient:.0e}."
        )
    if board.maximum:
        paragraphs.append(
            "The maximum is the speed of the fastest matrix product. For each multiplication of a direct convolution, "
            f"{FLOPS_PER_MULTIPLICATION} operations are counted. Winograd's algorithm does fewer operations, so its "
            "value can be above 100 %."
        )
    paragraphs.append("Peak MiB is the maximum resident main memory of the process.")
    for reason in dict.fromkeys(board.excluded.values()):
        names = [name for name, why in board.excluded.items() if why == reason]
        paragraphs.append(f"Excluded: {'; '.join(names)} ({reason}).")
    return paragraphs


def size_notes(board: Scoreboard) -> list[str]:
    """Return explanations of the table of the picture sizes, and the sizes that could not be measured."""
    return [
        "Each size runs in its own process, without the optimizer. MiB/MP does not include the memory of the program "
        "and the network. It includes compilation, which dominates for small pictures.",
        *(f"{size.side}×{size.side} was not measured: {size.died}." for size in board.sizes if size.died),
    ]


def markdown(board: Scoreboard) -> str:
    """Return the report as Markdown, without the times of single passes."""
    parts = [f"## {shown(title(board))}", verdict(board), _table(passes_sheet(board)), *notes(board)]
    if board.sizes:
        parts += ["### By picture size", _table(sizes_sheet(board)), *size_notes(board)]
    listed = "\n".join(
        f"- {name}: {f'`{value}`' if name == 'command' else shown(value)}" for name, value in facts(board)
    )
    return "\n\n".join([*parts, "### Conditions", listed]) + "\n"


def _table(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(sheet.heads), line(["---", *["---:"] * (len(sheet.heads) - 1)]), *map(line, sheet.rows)])


def _spread(values: Sequence[float], decimals: int | None = None) -> str:
    """Format the median, minimum and maximum. The default `decimals` gives the median three significant digits."""
    decimals = decimals_of(median(values)) if decimals is None else decimals
    return f"{median(values):.{decimals}f} ({min(values):.{decimals}f}–{max(values):.{decimals}f})"
