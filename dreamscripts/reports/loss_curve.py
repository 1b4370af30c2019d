"""The loss of a run against its passes through the network, and each of its terms."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dreamscripts.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.scale import ScaleBase

# The same in every plot; layers take the colours that come.
PENALTIES = {
    "continuity": {"color": "0.35", "linestyle": "--"},
    "dream_l2": {"color": "0.35", "linestyle": ":"},
}

WIDEST = 1e12  # the largest loss over the smallest that an axis shows apart from 0


def write_loss_curve(folder: RunFolder) -> None:
    """Write `loss.png` into the folder of a run. Raises OutputError."""
    folder.write("loss.png", plot_loss(folder.record["iterates"], folder.folder.name))


def plot_loss(rows: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """A PNG of the loss and its weighted terms; `rows` are a run's record, one mapping per iterate."""
    from matplotlib.figure import Figure  # a second to import: only once there is something to draw

    passes = [row["passes"] for row in rows]
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        passes, [row["loss"] for row in rows], color="black", linewidth=2.5, marker="o", markersize=4, label="loss"
    )
    for name in rows[0]["terms"]:
        style = PENALTIES.get(name, {})
        axes.plot(passes, [row["terms"][name] for row in rows], linewidth=1.2, label=name, **style)
    for before, row in pairwise(rows):
        if row["octave"] != before["octave"]:  # another size, and the loss is another one
            axes.axvline(before["passes"], color="0.85", linewidth=0.8, zorder=0)
    axes.set_yscale(loss_scale(row["loss"] for row in rows))
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xlabel("passes through the network")
    axes.set_ylabel("loss and its terms, each times its weight")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def loss_scale(values: Iterable[float]) -> "ScaleBase":
    """An axis for losses and their terms, which differ by orders of magnitude, and are negative where maximised.

    It is linear around 0, up to the middle loss, so that a single loss that leapt away leaves the others legible; and
    within a power of ten, with room for the ticks at its ends.
    """
    from matplotlib.scale import SymmetricalLogScale

    sizes = sorted(abs(value) for value in values)
    linear = math.floor(math.log10(max(sizes[len(sizes) // 2], sizes[-1] / WIDEST, 1e-9))) - 1
    decades = math.log10(max(sizes[-1], 1e-9)) - linear
    linthresh = 10**linear * (1 + 1e-9)  # so that Matplotlib, which rounds log 1000 / log 10 down, sets no tick within
    return SymmetricalLogScale(None, linthresh=linthresh, linscale=max(1, decades / 4))
