"""Write the report of a distillation: a web page with the agreement, dreams side by side, and the origin."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from dreamscripts.atomic_files import write_atomically
from dreamscripts.errors import quoted
from dreamscripts.reports.counted import counted
from dreamscripts.reports.distillation_drawings import bar, colour, curves
from dreamscripts.reports.distillation_dreams import SideBySide
from dreamscripts.reports.labels import escape
from dreamscripts.settings.loading import read_table
from dreamscripts.training.moment import PARTS, Moment

SETTINGS, FOR_ANY_LAYER = "dreamy", "caffe"  # for a student of VGG, and for others


@dataclass(frozen=True)
class Distilled:
    """What the report shows. `file` is that of the student, and `origin` that in its metadata.

    `weights` are the numbers of weights of teacher and student. `before` {layer: cosine} is the agreement of a student
    that was continued, before the training, and `agreement` that at its end. `command` is the command line.
    """

    file: Path
    origin: Mapping[str, Any]
    weights: tuple[int, int]
    before: Mapping[str, float]
    agreement: Mapping[str, float]
    curve: Sequence[Moment]
    dreams: Sequence[SideBySide]
    command: str


def write_page(distilled: Distilled) -> Path:
    """Write the page beside the file of the student, and return its path. Raises OutputError."""
    page = distilled.file.with_suffix(".html")
    write_atomically(page, build_page(distilled).encode())
    return page


def build_page(distilled: Distilled) -> str:
    """Return the page as HTML, in one file."""
    origin, (large, small) = distilled.origin, distilled.weights
    measured = [moment for moment in distilled.curve if moment.agreement]
    series = {layer: [(moment.agreement or {})[layer] for moment in measured] for layer in distilled.agreement}
    template = Template((Path(__file__).parent / "distillation.html").read_text("utf-8"))
    return template.substitute(
        title=escape(f"{distilled.file.name}, taught by {origin['teacher']}"),
        summary=escape(
            f"{small / 1e6:.2g} million weights instead of {large / 1e6:.2g} million: {small / large:.1%}. "
            f"{counted(origin['steps'], 'step')} in {counted(round(origin['minutes']), 'minute')} "
            f"on {counted(origin['photographs'], 'photograph')}."
        ),
        dreams="".join(map(_dreams, distilled.dreams)) or '<p class="quiet">No dreams were made.</p>',
        teacher=escape(origin["teacher"]),
        held_out=origin["held_out"],
        agreement=_agreement(distilled),
        curves=curves([moment.seconds / 60 for moment in measured], series) if measured else "",
        legend=_legend(list(series)),
        numbers=_numbers(measured, list(series)),
        origin=_origin(origin),
        command=escape(distilled.command),
        use=escape(suggestion(distilled)),
    )


def suggestion(distilled: Distilled) -> str:
    """Return a command that dreams with the student: with named settings for its layers, or at its deepest one."""
    file, features = quoted(str(distilled.file)), read_table(SETTINGS)["features"]
    if features.keys() <= distilled.agreement.keys():
        return f"dreamscripts dream PHOTO -s {SETTINGS} -n {file}"
    deepest = quoted(f'features={{"{list(distilled.agreement)[-1]}" = 1}}')
    return f"dreamscripts dream PHOTO -s {FOR_ANY_LAYER} -n {file} --set {deepest}"


def _dreams(row: SideBySide) -> str:
    pictures = (("photograph", row.photograph), ("teacher", row.teachers), ("student", row.students))
    figures = "".join(_figure(pixels, caption, row.layer) for caption, pixels in pictures)
    return f'<div class="row"><h3>{escape(row.layer)}</h3><div class="pictures">{figures}</div></div>'


def _figure(pixels: np.ndarray, caption: str, layer: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(pixels.clip(0, 255)).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alt = "the photograph" if caption == "photograph" else f"the dream of the {caption} at {layer}"
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{caption}</figcaption></figure>'


def _agreement(distilled: Distilled) -> str:
    rows = []
    for index, (layer, cosine) in enumerate(distilled.agreement.items()):
        before = distilled.before.get(layer)
        paint = colour(index, len(distilled.agreement))
        numbers = f"{cosine:.3f}" if before is None else f'<span class="quiet">{before:.3f} →</span> {cosine:.3f}'
        rows.append(
            f'<tr><th scope="row">{escape(layer)}</th><td class="wide">{bar(cosine, before, paint)}</td>'
            f"<td>{numbers}</td></tr>"
        )
    return "".join(rows)


def _legend(layers: list[str]) -> str:
    return "".join(
        f'<li><span style="background:{colour(i, len(layers))}"></span>{escape(layer)}</li>'
        for i, layer in enumerate(layers)
    )


def _numbers(measured: Sequence[Moment], layers: list[str]) -> str:
    heads = ["step", "minutes", *PARTS, *layers]
    lines = ["<tr>" + "".join(f'<th scope="col">{escape(head)}</th>' for head in heads) + "</tr>"]
    for moment in measured:
        cells = [f"{moment.step:,}", f"{moment.seconds / 60:.1f}", *(f"{part:.3f}" for part in moment.parts)]
        cells += [f"{(moment.agreement or {})[layer]:.3f}" for layer in layers]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "".join(lines)


def _origin(origin: Mapping[str, Any]) -> str:
    shown = {key.replace("_", " "): value for key, value in origin.items() if key != "agreement" and value is not None}
    shown["layers"] = ", ".join(origin["layers"])
    return "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in shown.items())
