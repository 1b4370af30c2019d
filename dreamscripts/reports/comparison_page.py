"""The HTML page of a comparison, which contains the pictures, the figures and a table of the numbers."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from dreamscripts.dreams.comparison import Comparison
from dreamscripts.reports.comparison_figures import to_uint8
from dreamscripts.reports.comparison_verdict import capitalize, format_loss, verdict
from dreamscripts.reports.labels import escape
from dreamscripts.settings.network_names import short_name


def build_page(comparison: Comparison, drawings: Mapping[str, tuple[bytes, str]], about: Mapping[str, Any]) -> str:
    """Return the page as HTML. `drawings` is {name: (SVG, alternative text)}, `about` as in `write_report`."""
    template = Template((Path(__file__).parent / "comparison.html").read_text("utf-8"))

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
        Image.fromarray(to_uint8(pixels)).save(buffer, "JPEG", quality=90)
        return figure("jpeg", buffer.getvalue(), caption, alt)

    rows = []
    for trial in comparison.best:
        shown = [picture(comparison.start, "start", "the start picture of all optimizers")]
        shown += [
            picture(trial.pictures[budget], f"{budget} passes", f"{trial.name}, after {budget} passes")
            for budget in comparison.budgets
        ]
        rows.append(f'<h3>{escape(trial.name)}</h3><div class="pictures">{"".join(shown)}</div>')
    height, width, _ = comparison.start.shape
    return template.substitute(
        title=escape(capitalize(f"{', '.join(trial.title for trial in comparison.best)} on {about['picture']}")),
        conditions=escape(
            f"{about['picture']}, {width}×{height} pixels; {about['settings_name']} on "
            f"{short_name(comparison.settings.network)}; "
            f"{comparison.passes} passes per trial; {about['device']}"
        ),
        bounds=escape(_bounds(comparison.settings.optimizer.max_change)),
        verdict="".join(f"<p>{escape(sentence)}</p>" for sentence in verdict(comparison)),
        table=_table(comparison),
        pictures="".join(rows),
        settings="\n".join(map(escape, comparison.settings.to_toml().split("\n"))),
        versions=escape(", ".join(f"{name} {number}" for name, number in about["versions"].items())),
        **{name: drawing(name) for name in ("loss_by_passes", "loss_by_seconds", "terms", "steps", "differences")},
    )


def _bounds(max_change: float | None) -> str:
    if max_change is None:
        return "All optimizers keep the pixels within 0..255."
    return f"All optimizers keep the pixels within 0..255 and change them by at most {max_change:g} per iteration."


def _table(comparison: Comparison) -> str:
    best = comparison.best
    heads = ["", "final loss", *(f"passes until the lowest loss of {trial.title} is reached" for trial in best)]
    heads += ["seconds per pass", "time outside the passes", "memory of the arrays"]
    lines = ["<tr>" + "".join(f'<th scope="col">{escape(head)}</th>' for head in heads) + "</tr>"]
    for trial in best:
        cells = [format_loss(trial.loss)]
        for other in best:
            reached = trial.reaches(other.passes[-1].lowest)
            cells.append("·" if other is trial else "never" if reached is None else str(reached))
        cells += [
            f"{trial.seconds_per_pass:.3f}",
            f"{trial.overhead:.1%}",
            "on the device" if trial.mebibytes is None else f"{trial.mebibytes:.0f} MiB",
        ]
        lines.append(
            f'<tr><th scope="row">{escape(trial.name)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        )
    return "\n".join(lines)
