"""The figures of a comparison: loss curves, terms, step sizes, pictures and their differences."""

import io
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.dreams.comparison import Comparison
from dreamscripts.dreams.trial import Trial
from dreamscripts.reports.labels import plot_label
from dreamscripts.reports.loss_curve import PENALTIES, loss_scale
from dreamscripts.settings.tables import Jitter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(comparison: Comparison) -> dict[str, tuple["Figure", str]]:
    """Draw all figures. Returns {file name without extension: (figure, alternative text)}."""
    from matplotlib.figure import Figure  # takes a second to import

    def figure(width: float, height: float) -> Figure:
        return Figure(figsize=(width, height), dpi=150, layout="constrained")

    best = comparison.best
    suffix, last = (", with jitter", " (without jitter)") if _jitters(comparison) else ("", "")
    ranking = ", then ".join(trial.title for trial in best)
    by_passes, by_seconds, terms, steps = figure(6, 4), figure(6, 4), figure(6, 3 * len(best)), figure(6, 3.6)
    _draw_loss(by_passes, comparison, "number", "passes through the network")
    _draw_loss(by_seconds, comparison, "seconds", "seconds")
    _draw_terms(terms, comparison)
    _draw_steps(steps, comparison)
    height, width, _ = comparison.start.shape
    pictures = figure(2.6 * (len(comparison.budgets) + 1), 2.6 * len(best) * height / width + 0.6)
    _draw_pictures(pictures, comparison)
    pairs = list(combinations(best, 2))
    differences = figure(3.4 * len(pairs), 3.4 * height / width + 0.8)
    _draw_differences(differences, comparison, pairs)
    figures = {
        "loss_by_passes": (
            by_passes,
            f"Lowest loss so far{suffix}, by passes. Order of the final losses, lowest first: {ranking}{last}.",
        ),
        "loss_by_seconds": (by_seconds, f"Lowest loss so far{suffix}, by seconds of computing."),
        "terms": (terms, f"Weighted terms of the loss{suffix}, by passes, for each optimizer."),
        "pictures": (pictures, "The pictures of each optimizer (rows) after equal numbers of passes (columns)."),
        "differences": (
            differences,
            "Mean absolute difference of the final pictures at each pixel, for each pair of optimizers.",
        ),
    }
    if any(trial.step is not None for trial in comparison.trials):
        figures["steps"] = (steps, "Final loss by step size, for the optimizers that have a step size.")
    return figures


def _jitters(comparison: Comparison) -> bool:
    """Return whether the losses of a trial have jitter or random tiles, which the final losses do not have."""
    tiles = comparison.settings.tiles
    return comparison.settings.jitter != Jitter() or (tiles is not None and tiles.kind != "exact")


def _draw_loss(figure: "Figure", comparison: Comparison, along: str, label: str) -> None:
    axes = figure.add_subplot()
    for trial in comparison.trials:
        if trial not in comparison.best:
            axes.plot(
                [getattr(p, along) for p in trial.passes],
                [p.lowest for p in trial.passes],
                color=trial.colour,
                linewidth=0.9,
                alpha=0.45,
            )
    for trial in comparison.best:
        x = [getattr(p, along) for p in trial.passes]
        axes.plot(
            x,
            [p.lowest for p in trial.passes],
            color=trial.colour,
            linewidth=2.2,
            label=plot_label(trial.name),
        )
    axes.yaxis.set_major_formatter("{x:,.0f}" if abs(comparison.best[0].loss) > 100 else "{x:.3g}")
    axes.set_xlabel(label)
    axes.set_ylabel("lowest loss so far" + (", with jitter" if _jitters(comparison) else ""))
    most = max(getattr(trial.passes[-1], along) for trial in comparison.best)
    axes.set_xlim(-0.02 * most, 1.03 * most)
    axes.set_title(
        "thick lines: the best trial of each optimizer. Thin lines: all other trials", fontsize="small", color="0.35"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _draw_terms(figure: "Figure", comparison: Comparison) -> None:
    all_axes = figure.subplots(len(comparison.best), 1, sharex=True, squeeze=False)[:, 0]
    for axes, trial in zip(all_axes, comparison.best, strict=True):
        passes = [p.number for p in trial.passes]
        lines = []
        for name in trial.terms:
            lines += axes.plot(passes, [p.terms[name] for p in trial.passes], linewidth=1.3, **PENALTIES.get(name, {}))
        axes.set_yscale(loss_scale(value for p in trial.passes for value in p.terms.values()))
        axes.set_title(plot_label(trial.name), fontsize="medium", color=trial.colour)
        axes.spines[["top", "right"]].set_visible(False)
        labels = [plot_label(name) for name in trial.terms]
        axes.legend(lines, labels, frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    all_axes[-1].set_xlabel("passes through the network")
    figure.supylabel("weighted terms of the loss", fontsize="medium")


def _draw_steps(figure: "Figure", comparison: Comparison) -> None:
    axes = figure.add_subplot()
    for trial in comparison.best:
        if trial.step is None:
            axes.axhline(trial.loss, color=trial.colour, linestyle="--", label=plot_label(trial.title))
            continue
        tried = {t.step: t.loss for t in comparison.trials if t.optimizer == trial.optimizer and t.step is not None}
        axes.plot(
            list(tried),
            list(tried.values()),
            color=trial.colour,
            marker="o",
            label=plot_label(trial.title),
        )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.2g}")
    fourier = comparison.settings.optimizer.parameters == "fourier"
    axes.set_xlabel("step size, in Fourier coefficients" if fourier else "step size, in pixel values")
    without = ", without jitter" if _jitters(comparison) else ""
    axes.set_ylabel(f"loss after {comparison.passes} passes{without}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _draw_pictures(figure: "Figure", comparison: Comparison) -> None:
    grid = figure.subplots(len(comparison.best), len(comparison.budgets) + 1, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for row, trial in zip(grid, comparison.best, strict=True):
        label = "\n".join(map(plot_label, trial.name.replace("passes ", "passes, ").split(", ")))
        row[0].set_ylabel(label, color=trial.colour, fontsize="small")
        row[0].imshow(to_uint8(comparison.start))
        for axes, budget in zip(row[1:], comparison.budgets, strict=True):
            axes.imshow(to_uint8(trial.pictures[budget]))
    for axes, title in zip(grid[0], ["start", *(f"{budget} passes" for budget in comparison.budgets)], strict=True):
        axes.set_title(title, fontsize="medium")


def _draw_differences(figure: "Figure", comparison: Comparison, pairs: list[tuple[Trial, Trial]]) -> None:
    row = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (left, right) in zip(row, pairs, strict=True):
        difference = np.abs(left.pictures[comparison.passes] - right.pictures[comparison.passes]).mean(axis=2)
        image = axes.imshow(difference, cmap="magma", vmin=0, vmax=128)
        axes.set_title(plot_label(f"{left.title} − {right.title}"), fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(image, ax=list(row), label="pixel values", shrink=0.8)


def render_figure(figure: "Figure", kind: str) -> bytes:
    """Return the figure as a file of the format `kind`, svg or png."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """Round a picture (H, W, 3) in 0..255."""
    return np.rint(picture).astype(np.uint8)
