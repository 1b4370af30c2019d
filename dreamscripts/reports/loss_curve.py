"""Plot the loss of a run and its terms by the number of passes."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dreamscripts.reports.labels import plot_label
from dreamscripts.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.scale import ScaleBase

# These penalties look the same in every plot. All other terms get Matplotlib's default colours.
PENALTIES: dict[str, dict[str, Any]] = {
    "continuity": {"color": "0.35", "linestyle": "--"},
    "dream_l2": {"color": "0.35", "linestyle": ":"},
}

WIDEST = 1e12  # largest ratio of two losses that the axis can show


def write_loss_curve(folder: RunFolder) -> None:
    """Write `loss.png` into the folder of a run. Raises OutputError."""
    folder.write("loss.png", plot_loss([row.model_dump() for row in folder.record.iterates], folder.folder.name))


def plot_loss(rows: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Return a PNG of the loss and its weighted terms. `rows` are the iterates in a run's record."""
    from matplotlib.figure import Figure  # takes a second to import

    passes = [row["passes"] for row in rows]
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    lines = axes.plot(passes, [row["loss"] for row in rows], color="black", linewidth=2.5, marker="o", markersize=4)
    for name in rows[0]["terms"]:
        style = PENALTIES.get(name, {})
        lines += axes.plot(passes, [row["terms"][name] for row in rows], linewidth=1.2, **style)
    for before, row in pairwise(rows):
        if row["octave"] != before["octave"]:  # losses at different sizes cannot be compared
            axes.axvline(before["passes"], color="0.85", linewidth=0.8, zorder=0)
    axes.set_yscale(loss_scale(row["loss"] for row in rows))
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("passes through the network")
    axes.set_ylabel("loss and its weighted terms")
    axes.set_title(plot_label(title))
    axes.spines[["top", "right"]].set_visible(False)
    labels = [plot_label(name) for name in ("loss", *rows[0]["terms"])]
    axes.legend(lines, labels, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def loss_scale(values: Iterable[float]) -> "ScaleBase":
    """Return a symmetric logarithmic axis for losses, which differ by orders of magnitude and can be negative.

    It is linear around 0 up to a power of ten below the median loss, so that a single extreme loss does not hide the
    differences between the others.
    """
    from matplotlib.scale import SymmetricalLogScale

    sizes = sorted(abs(value) for value in values)
    linear = math.floor(math.log10(max(sizes[len(sizes) // 2], sizes[-1] / WIDEST, 1e-9))) - 1
    decades = math.log10(max(sizes[-1], 1e-9)) - linear
    # Slightly larger than a power of 10, because Matplotlib rounds log 1000 / log 10 down and would add a tick.
    linthresh = 10**linear * (1 + 1e-9)
    return SymmetricalLogScale(None, linthresh=linthresh, linscale=max(1, decades / 4))
