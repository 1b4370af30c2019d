"""The report of a scoreboard: bench.json with every number, bench.md to be copied, bench.png to be looked at."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dreamscripts.atomic_files import write_atomically
from dreamscripts.benchmarks.measuring import PICTURES, TOLERANCES
from dreamscripts.benchmarks.scoreboard import FLOPS_PER_MULTIPLICATION, Result, Scoreboard, Size
from dreamscripts.reports.scoreboard_plot import decimals_of, digits, plot_scoreboard


@dataclass(frozen=True)
class Sheet:
    """A table: its first column names the rows."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


def write_report(board: Scoreboard, folder: Path) -> None:
    """Write bench.json, bench.md and bench.png. Raises OutputError."""
    write_atomically(folder / "bench.json", json.dumps(record(board), indent=1).encode())
    write_atomically(folder / "bench.png", plot_scoreboard(board))
    write_atomically(folder / "bench.md", markdown(board).encode())


def record(board: Scoreboard) -> dict[str, Any]:
    """Everything, for JSON: what was measured and what follows from it."""
    return {
        **board.about,
        "settings": board.settings.model_dump(mode="json"),
        "import_seconds": board.import_seconds,
        "help_seconds": board.help_seconds,
        "multiplications": board.multiplications,
        "gflop_a_pass": board.gflop,
        "ceiling": board.ceiling and asdict(board.ceiling),
        "results": [
            asdict(result)
            | {
                "median_seconds": median(result.seconds),
                "median_ratio": median(result.ratios),
                "share_of_ceiling": board.share(result),
            }
            for result in board.results
        ],
        "left_out": board.left_out,
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
    """What was measured: the network, as far as it goes, and the size."""
    settings = board.settings
    return f"{settings.network} through {list(settings.features)[-1]}, {settings.size}×{settings.size} pixels"


def verdict(board: Scoreboard) -> str:
    """What the numbers say, in a sentence or two."""
    ours, *rivals = board.results
    said = f"A pass takes {digits(median(ours.seconds))} s"
    if rivals:
        fastest = min(rivals, key=lambda rival: median(rival.seconds))
        least, ratio, most = min(fastest.ratios), median(fastest.ratios), max(fastest.ratios)
        said += f", {ratio:.2f} of what the fastest of the others takes, {fastest.name}"
        if least < 1 < most:
            said += f", though not in every round ({least:.2f} to {most:.2f})"
    share = board.share(ours)
    return f"{said}." if share is None else f"{said}. It reaches {share:.0%} of the machine's ceiling."


def facts(board: Scoreboard) -> list[tuple[str, str]]:
    """Where and how it was measured, and what surrounds a pass, by keyword."""
    about, ours, iteration, ceiling = board.about, board.results[0], board.iteration, board.ceiling
    settings = board.settings
    layers = ", ".join(settings.features)
    xla = "XLA" if about["choices"]["xla"] else "without XLA"
    kernels = f"convolutions {settings.convolutions}, {xla}, {settings.precision}"
    if about["tiles"]:
        kernels += f", ours in tiles of {about['tiles']} pixels"
    tried = [f"a pass {way} {digits(seconds)} s" for way, seconds in about["ways"].items()]
    if trials := about["choices"]["trials"]:
        shares = [f"{trial['layer']} {trial['winograd'] / trial['direct']:.2f}" for trial in trials]
        tried.append(f"Winograd's time to the direct convolution's: {', '.join(shares)}")
    measured = [
        ("machine", f"{about['device']}, {about['cores']} cores, {about['system']}"),
        ("versions", ", ".join(f"{name} {number}" for name, number in about["versions"].items())),
        ("command", about["command"]),
        ("started", about["started"]),
        ("network", f"{settings.network}, weights {settings.weights}, loss of {layers}; {kernels}"),
        ("tried", "; ".join(tried)),
        ("a pass", f"loss and gradient, {board.gflop:.3g} GFLOP as direct convolutions"),
        ("import", f"{board.import_seconds:.2f} s; {board.help_seconds:.2f} s for dreamscripts --help"),
        ("start-up", f"{ours.start_up:.1f} s to the network, {ours.first_pass:.1f} s for the first pass"),
        (
            "iteration",
            f"{settings.optimizer.name}: {digits(iteration.seconds)} s for {iteration.passes} passes; outside of "
            f"them {digits(iteration.outside)} s, {iteration.outside / iteration.seconds:.1%}",
        ),
    ]
    if ceiling:
        by = f"{ceiling.name}, {ceiling.side}×{ceiling.side}"
        measured.append(("ceiling", f"{ceiling.gflops:.0f} GFLOP/s, the best product of float32 matrices ({by})"))
    return [(name, said) for name, said in measured if said]


def passes_sheet(board: Scoreboard) -> Sheet:
    """A row per contestant."""
    return Sheet(
        ("", "seconds a pass", "ours to this", "differs by", "of ceiling", "peak MiB"),
        [_pass_row(board, result) for result in board.results],
    )


def _pass_row(board: Scoreboard, result: Result) -> tuple[str, ...]:
    share, itself = board.share(result), result is board.results[0]
    return (
        result.name,
        _spread(result.seconds),
        "·" if itself else _spread(result.ratios, 2),
        "·" if itself else f"{max(result.loss_error, result.gradient_error):.0e}",
        "·" if share is None else f"{share:.0%}",
        f"{result.peak_mib:.0f}",
    )


def sizes_sheet(board: Scoreboard) -> Sheet:
    """A row per size of our passes."""
    return Sheet(
        ("pixels", "MP", "seconds a pass", "s/MP", "peak MiB", "MiB/MP", "tiles"),
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
    """How to read the tables, a sentence or two each."""
    passes = len(board.results[0].seconds)
    loss, gradient = TOLERANCES
    said = [
        f"Each is a process of its own on the same picture of noise: {passes} passes in turn, from NumPy to NumPy, as "
        "median (least–most); a ratio is of passes in the same round.",
    ]
    if len(board.results) > 1:
        said.append(
            "“Differs by” is the larger of the relative differences of loss and gradient from ours. In float32 the "
            "last digit decides which of two nearly equal values under a pooling has the gradient. A rival is left out "
            f"if, on each of {PICTURES} pictures, its loss differs by {loss:.0e} or its gradient by {gradient:.0e}."
        )
    if board.ceiling:
        said.append(
            "The ceiling is the fastest product of matrices. Of a pass, each multiplication of a direct convolution "
            f"counts as {FLOPS_PER_MULTIPLICATION} operations; Winograd's algorithm has fewer, and may pass 100 %."
        )
    said.append("Peak MiB are of main memory.")
    reasons = dict.fromkeys(board.left_out.values())
    for reason in reasons:
        names = [name for name, its in board.left_out.items() if its == reason]
        said.append(f"Left out: {'; '.join(names)} ({reason}).")
    return said


def size_notes(board: Scoreboard) -> list[str]:
    """How to read the table of sizes."""
    said = [
        "Each size is a process of its own, without the optimizer. MiB/MP leaves out what program and network take "
        "before the first picture, but not what compiling takes, which is most of it in small pictures."
    ]
    return said + [f"{size.side}×{size.side} was not measured: {size.died}." for size in board.sizes if size.died]


def markdown(board: Scoreboard) -> str:
    """Everything but the single times, to be pasted into a page."""
    parts = [f"## {title(board)}", verdict(board), _table(passes_sheet(board)), *notes(board)]
    if board.sizes:
        parts += ["### Over the size of the picture", _table(sizes_sheet(board)), *size_notes(board)]
    listed = "\n".join(f"- {name}: {f'`{said}`' if name == 'command' else said}" for name, said in facts(board))
    return "\n\n".join([*parts, "### Where and how", listed]) + "\n"


def _table(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(sheet.heads), line(["---", *["---:"] * (len(sheet.heads) - 1)]), *map(line, sheet.rows)])


def _spread(values: Sequence[float], decimals: int | None = None) -> str:
    """The median, the least and the most; without `decimals`, with as many as the median needs for three digits."""
    decimals = decimals_of(median(values)) if decimals is None else decimals
    return f"{median(values):.{decimals}f} ({min(values):.{decimals}f}–{max(values):.{decimals}f})"
