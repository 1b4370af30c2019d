"""The report of a comparison: an HTML page, its figures and pictures, and all numbers as CSV and JSON."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamscripts.atomic_files import write_atomically
from dreamscripts.dreams.comparison import Comparison
from dreamscripts.images.files import save_picture
from dreamscripts.reports.comparison_figures import draw, render_figure
from dreamscripts.reports.comparison_page import build_page
from dreamscripts.reports.comparison_verdict import verdict


def write_report(comparison: Comparison, folder: Path, about: Mapping[str, Any]) -> Path:
    """Write index.html, figures (PNG and SVG), pictures, compare.csv and compare.json. Returns the path of the page.

    `about` has the keys picture, settings_name, device and versions, for the page. Raises OutputError.
    """
    drawings = {}  # {name: (SVG, alternative text)}, for the page
    for name, (figure, text) in draw(comparison).items():
        drawings[name] = render_figure(figure, "svg"), text
        write_atomically(folder / f"{name}.svg", drawings[name][0])
        write_atomically(folder / f"{name}.png", render_figure(figure, "png"))
    for trial in comparison.best:
        settings = comparison.settings.model_copy(update={"optimizer": trial.table(comparison.settings)})
        save_picture(trial.pictures[comparison.passes], folder / f"{trial.optimizer}.png", settings.to_toml())
    write_atomically(folder / "compare.csv", _csv(comparison))
    write_atomically(folder / "compare.json", json.dumps(_record(comparison, about), indent=1).encode())
    page = folder / "index.html"
    write_atomically(page, build_page(comparison, drawings, about).encode())
    return page


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a row for each trial. `best` marks the best trial of each optimizer."""
    best = comparison.best
    rows = []
    for trial in comparison.trials:
        others = {other.optimizer: other for other in best if other.optimizer != trial.optimizer}
        rows.append(
            {
                "optimizer": trial.optimizer,
                "step": trial.step,
                "passes_an_iteration": trial.restart,
                "best": trial in best,
                "loss": trial.loss,
                "passes": len(trial.passes),
                **{
                    f"passes_to_final_loss_of_{name}": trial.reaches(others[name].passes[-1].lowest)
                    if name in others
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
