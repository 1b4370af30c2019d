"""Plot a benchmark: the passes of all programs, and the cost per megapixel by picture size."""

import io
import math
from statistics import median
from typing import TYPE_CHECKING

from dreamscripts.benchmarks.scoreboard import Scoreboard
from dreamscripts.reports.labels import plot_label
from dreamscripts.settings.network_names import short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, OTHERS = "#b5179e", "0.72"


def plot_scoreboard(board: Scoreboard) -> bytes:
    """Return a PNG with one bar per program on the left, and time and memory by size (if measured) on the right."""
    from matplotlib.figure import Figure  # takes a second to import

    measured = [size for size in board.sizes if not size.died]
    height = max(2.6, 1.2 + 0.75 * len(board.results))
    figure = Figure(figsize=(13 if measured else 8, max(height, 4.6) if measured else height), dpi=120)
    figure.set_layout_engine("constrained", w_pad=0.15)
    if not measured:
        _draw_programs(figure.add_subplot(), board)
    else:
        grid = figure.add_gridspec(2, 2, width_ratios=(7, 5))
        _draw_programs(figure.add_subplot(grid[:, 0]), board)
        seconds, memory = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
        across = [size.megapixels for size in measured]
        _draw_cost(seconds, across, [size.seconds_per_megapixel for size in measured], "seconds per megapixel")
        _draw_cost(memory, across, [size.mib_per_megapixel for size in measured], "MiB per megapixel")
        seconds.set_title("cost per megapixel")
        figure.align_ylabels([seconds, memory])
        seconds.tick_params(labelbottom=False)
        memory.set_xticks(across, [f"{size.side}²" for size in measured])
        memory.set_xlabel("picture size in pixels")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_programs(axes: "Axes", board: Scoreboard) -> None:
    ours = board.results[0]
    longest = max(max(result.on_device) for result in board.results)
    for row, result in enumerate(board.results):
        middle = median(result.on_device)
        axes.barh(row, middle, height=0.6, color=OURS if result is ours else OTHERS)
        axes.scatter(
            result.on_device,
            [row] * len(result.on_device),
            s=22,
            color="black",
            edgecolors="white",
            linewidths=0.6,
            zorder=3,
        )
        label = f"{digits(middle)} s"
        if result is not ours:
            label += f"\ndreamscripts: {median(result.ratios):.2f} times this"
        axes.text(max(result.on_device) + 0.015 * longest, row, label, va="center", fontsize="small")
    axes.set_yticks(range(len(board.results)), [result.name.replace(", ", ",\n") for result in board.results])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.4 * longest)
    if board.maximum:
        at = board.gflop / board.maximum.gflops
        axes.axvline(at, color="0.35", linestyle=":", zorder=2)
        above = axes.get_xaxis_transform()
        axes.text(
            at, 1.01, "at maximum speed", transform=above, ha="center", va="bottom", fontsize="small", color="0.35"
        )
    axes.set_xlabel("seconds per pass on the device: each round (dots) and median (bar)")
    settings = board.settings
    name = plot_label(f"{short_name(settings.network)} through {list(settings.features)[-1]}")
    axes.set_title(f"{name}, {settings.size}×{settings.size}", pad=20)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_cost(axes: "Axes", across: list[float], costs: list[float], label: str) -> None:
    axes.plot(across, costs, color=OURS, linewidth=2, marker="o", markersize=5)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(across)
    axes.set_ylim(0, 1.15 * max(costs))
    axes.set_ylabel(label)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def digits(value: float) -> str:
    """Format a number with three significant digits, without an exponent."""
    return f"{value:.{decimals_of(value)}f}"


def decimals_of(value: float) -> int:
    """Return the number of decimals that gives three significant digits."""
    return max(0, 2 - math.floor(math.log10(max(value, 1e-6))))
