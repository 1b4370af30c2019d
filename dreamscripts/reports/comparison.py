"""The report of a comparison: figures, tables and an HTML page that holds them all."""

import base64
import csv
import html
import io
import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import write_atomically
from dreamscripts.dreams.comparison import Comparison, Trial
from dreamscripts.images.files import save_picture
from dreamscripts.reports.loss_curve import PENALTIES, loss_scale
from dreamscripts.settings.schema import Jitter

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(comparison: Comparison, folder: Path, about: Mapping[str, Any]) -> Path:
    """Write index.html, its figures as PNG and SVG, the pictures, compare.csv and compare.json; return the page's path.

    `about` has the keys picture, settings_name, device and versions, which the page shows. Raises OutputError.
    """
    drawings = {}  # by name: the SVG, which the page contains as well, and its alternative text
    for name, (figure, text) in draw(comparison).items():
        drawings[name] = _saved(figure, "svg"), text
        write_atomically(folder / f"{name}.svg", drawings[name][0])
        write_atomically(folder / f"{name}.png", _saved(figure, "png"))
    for trial in comparison.best:
        settings = comparison.settings.model_copy(update={"optimizer": trial.table(comparison.settings)})
        save_picture(trial.pictures[comparison.passes], folder / f"{trial.optimizer}.png", settings.to_toml())
    write_atomically(folder / "compare.csv", _csv(comparison))
    write_atomically(folder / "compare.json", json.dumps(_record(comparison, about), indent=1).encode())
    page = folder / "index.html"
    write_atomically(page, _page(comparison, drawings, about).encode())
    return page


def verdict(comparison: Comparison) -> list[str]:
    """Sum up the results in sentences."""
    first, *others = comparison.best
    drop = comparison.start_loss - first.loss
    sentences = [
        f"After {comparison.passes} passes each, {first.name} has the lowest loss: {_number(first.loss)}, "
        f"from {_number(comparison.start_loss)} at the start."
    ]
    for other in others:
        part = (comparison.start_loss - other.loss) / drop if drop > 0 else 0.0
        sentence = f"{other.name} comes to {_number(other.loss)}, {part:.0%} of that drop"
        if reached := first.reaches(other.passes[-1].lowest):
            sentence += f"; {first.title} was as low after {reached} passes."
        else:
            sentence += "."
        sentences.append(sentence)
    costliest = max(comparison.best, key=lambda trial: trial.overhead)
    sentences.append(f"Outside the passes, {costliest.title} costs the most: {costliest.overhead:.0%} of its time.")
    for trial in comparison.trials:
        if trial.ended_by:
            sentences.append(f"{trial.name} ended early: {trial.ended_by}.")
    return [_sentence(sentence) for sentence in sentences]


def _bounds(max_change: float | None) -> str:
    if max_change is None:
        return "All keep the pixels within 0..255."
    return f"For all of them, a pixel stays within 0..255 and moves by at most {max_change:g} in an iteration."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _number(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")


# The figures


def draw(comparison: Comparison) -> dict[str, tuple["Figure", str]]:
    """Draw every figure; return them by the name of their file, with their alternative texts."""
    from matplotlib.figure import Figure  # takes a second to import

    def figure(width: float, height: float) -> Figure:
        return Figure(figsize=(width, height), dpi=150, layout="constrained")

    best = comparison.best
    noisy, last = (", with jitter", " (without jitter)") if _jitters(comparison) else ("", "")
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
    drawn = {
        "loss_by_passes": (
            by_passes,
            f"Lowest loss so far{noisy}, against passes; at the end the lowest is {ranking}{last}.",
        ),
        "loss_by_seconds": (by_seconds, f"Lowest loss so far{noisy}, against seconds of computing."),
        "terms": (terms, f"Each weighted term of the loss{noisy}, against passes, a panel per optimizer."),
        "pictures": (pictures, "The pictures of each optimizer (rows) after equal numbers of passes (columns)."),
        "differences": (
            differences,
            "How much the final pictures differ at each pixel, for each pair of optimizers.",
        ),
    }
    if any(trial.step is not None for trial in comparison.trials):
        drawn["steps"] = (steps, "Final loss against the step size, for the optimizers that have one.")
    return drawn


def _jitters(comparison: Comparison) -> bool:
    """Whether losses during a trial are under jitter or random tiles, unlike the final losses."""
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
            label=trial.name,
        )
    axes.yaxis.set_major_formatter("{x:,.0f}" if abs(comparison.best[0].loss) > 100 else "{x:.3g}")
    axes.set_xlabel(label)
    axes.set_ylabel("lowest loss so far" + (", with jitter" if _jitters(comparison) else ""))
    most = max(getattr(trial.passes[-1], along) for trial in comparison.best)
    axes.set_xlim(-0.02 * most, 1.03 * most)
    axes.set_title("bold: the best trial of each optimizer; thin: its other trials", fontsize="small", color="0.35")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _draw_terms(figure: "Figure", comparison: Comparison) -> None:
    all_axes = figure.subplots(len(comparison.best), 1, sharex=True, squeeze=False)[:, 0]
    for axes, trial in zip(all_axes, comparison.best, strict=True):
        passes = [p.number for p in trial.passes]
        for name in trial.terms:
            axes.plot(
                passes, [p.terms[name] for p in trial.passes], linewidth=1.3, label=name, **PENALTIES.get(name, {})
            )
        axes.set_yscale(loss_scale(value for p in trial.passes for value in p.terms.values()))
        axes.set_title(trial.name, fontsize="medium", color=trial.colour)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    all_axes[-1].set_xlabel("passes through the network")
    figure.supylabel("terms of the loss, each times its weight", fontsize="medium")


def _draw_steps(figure: "Figure", comparison: Comparison) -> None:
    axes = figure.add_subplot()
    for trial in comparison.best:
        if trial.step is None:
            axes.axhline(trial.loss, color=trial.colour, linestyle="--", label=trial.title)
            continue
        tried = {t.step: t.loss for t in comparison.trials if t.optimizer == trial.optimizer and t.step is not None}
        axes.plot(
            list(tried),
            list(tried.values()),
            color=trial.colour,
            marker="o",
            label=trial.title,
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
        label = "\n".join(trial.name.replace("passes ", "passes, ").split(", "))
        row[0].set_ylabel(label, color=trial.colour, fontsize="small")
        row[0].imshow(_bytes(comparison.start))
        for axes, budget in zip(row[1:], comparison.budgets, strict=True):
            axes.imshow(_bytes(trial.pictures[budget]))
    for axes, title in zip(grid[0], ["start", *(f"{budget} passes" for budget in comparison.budgets)], strict=True):
        axes.set_title(title, fontsize="medium")


def _draw_differences(figure: "Figure", comparison: Comparison, pairs: list[tuple[Trial, Trial]]) -> None:
    row = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (one, other) in zip(row, pairs, strict=True):
        difference = np.abs(one.pictures[comparison.passes] - other.pictures[comparison.passes]).mean(axis=2)
        image = axes.imshow(difference, cmap="magma", vmin=0, vmax=128)
        axes.set_title(f"{one.title} − {other.title}", fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(image, ax=list(row), label="pixel values", shrink=0.8)


def _saved(figure: "Figure", kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture).astype(np.uint8)


# The tables


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Make a row for each trial; `best` marks the best of each optimizer."""
    best = comparison.best
    rows = []
    for trial in comparison.trials:
        rivals = {other.optimizer: other for other in best if other.optimizer != trial.optimizer}
        rows.append(
            {
                "optimizer": trial.optimizer,
                "step": trial.step,
                "passes_an_iteration": trial.restart,
                "best": trial in best,
                "loss": trial.loss,
                "passes": len(trial.passes),
                **{
                    f"passes_to_final_loss_of_{name}": trial.reaches(rivals[name].passes[-1].lowest)
                    if name in rivals
                    else None
                    for name in sorted(other.optimizer for other in best)
                },
                "seconds_per_pass": trial.seconds_per_pass,
                "overhead": trial.overhead,
                "mebibytes": trial.mebibytes,
                "ended_by": trial.ended_by,
                **{f"term {name}": value for name, value in trial.terms.items()},
            }
        )
    return rows


def _csv(comparison: Comparison) -> bytes:
    rows = _rows(comparison)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _record(comparison: Comparison, about: Mapping[str, Any]) -> dict[str, Any]:
    curves = [
        [{"pass": p.number, "seconds": p.seconds, "loss": p.loss, "terms": p.terms} for p in trial.passes]
        for trial in comparison.trials
    ]
    trials = [row | {"curve": curve} for row, curve in zip(_rows(comparison), curves, strict=True)]
    return {
        **about,
        "settings": comparison.settings.model_dump(),
        "passes": comparison.passes,
        "start_loss": comparison.start_loss,
        "verdict": verdict(comparison),
        "trials": trials,
    }


# The page


def _page(comparison: Comparison, drawings: Mapping[str, tuple[bytes, str]], about: Mapping[str, Any]) -> str:
    template = Template((Path(__file__).parent / "comparison.html").read_text("utf-8"))
    escape = html.escape

    def figure(kind: str, content: bytes, caption: str, alt: str) -> str:
        source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{escape(caption)}</figcaption></figure>'

    def drawing(name: str) -> str:
        if name not in drawings:
            return ""
        content, text = drawings[name]
        return figure("svg+xml", content, text, text)

    def picture(pixels: np.ndarray, caption: str, alt: str) -> str:
        buffer = io.BytesIO()
        Image.fromarray(_bytes(pixels)).save(buffer, "JPEG", quality=90)
        return figure("jpeg", buffer.getvalue(), caption, alt)

    rows = []
    for trial in comparison.best:
        shown = [picture(comparison.start, "start", "the photograph that all start with")]
        shown += [
            picture(trial.pictures[budget], f"{budget} passes", f"{trial.name}, after {budget} passes")
            for budget in comparison.budgets
        ]
        rows.append(f'<h3>{escape(trial.name)}</h3><div class="pictures">{"".join(shown)}</div>')
    height, width, _ = comparison.start.shape
    return template.substitute(
        title=escape(_sentence(f"{', '.join(trial.title for trial in comparison.best)} on {about['picture']}")),
        circumstances=escape(
            f"{about['picture']}, {width}×{height} pixels; {about['settings_name']} on {comparison.settings.network}; "
            f"{comparison.passes} passes each; {about['device']}"
        ),
        bounds=escape(_bounds(comparison.settings.optimizer.max_change)),
        verdict="".join(f"<p>{escape(sentence)}</p>" for sentence in verdict(comparison)),
        table=_table(comparison),
        pictures="".join(rows),
        settings=escape(comparison.settings.to_toml()),
        versions=escape(", ".join(f"{name} {number}" for name, number in about["versions"].items())),
        **{name: drawing(name) for name in ("loss_by_passes", "loss_by_seconds", "terms", "steps", "differences")},
    )


def _table(comparison: Comparison) -> str:
    best = comparison.best
    heads = ["", "loss at the end", *(f"passes to {trial.title}’s final loss" for trial in best)]
    heads += ["seconds a pass", "outside the passes", "memory of its arrays"]
    lines = ["<tr>" + "".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads) + "</tr>"]
    for trial in best:
        cells = [_number(trial.loss)]
        for rival in best:
            reached = trial.reaches(rival.passes[-1].lowest)
            cells.append("·" if rival is trial else "never" if reached is None else str(reached))
        cells += [
            f"{trial.seconds_per_pass:.3f}",
            f"{trial.overhead:.1%}",
            "on the device" if trial.mebibytes is None else f"{trial.mebibytes:.0f} MiB",
        ]
        lines.append(
            f'<tr><th scope="row">{html.escape(trial.name)}</th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + "</tr>"
        )
    return "\n".join(lines)
