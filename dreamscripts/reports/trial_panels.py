"""Draw the trials of a comparison side by side, in step: pictures with the names of the optimizers and their losses."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dreamscripts.dreams.movie import GROUND, Timing, columns_of, cross_faded, gap_between, side_by_side
from dreamscripts.errors import shown
from dreamscripts.reports.labels import font, shorten

INK, QUIET = (235, 235, 235), (160, 160, 160)


class Panel(NamedTuple):
    """A trial to show."""

    name: str
    losses: Sequence[float]
    """The loss at each moment."""
    pictures: Iterable[np.ndarray]
    """The picture at each moment: uint8 (H, W, 3)."""


def panels_side_by_side(
    panels: Sequence[Panel], passes: Sequence[int], size: tuple[int, int], timing: Timing
) -> Iterator[np.ndarray]:
    """Yield the frames of a movie of trials, uint8 (H, W, 3). Their pictures have the height and width `size`.

    `passes` are the numbers of passes at each moment. They are written below all pictures.
    """
    height, width = size
    columns, gap = columns_of(len(panels), height, width), gap_between(width)
    streams = [cross_faded(panel.pictures, timing) for panel in panels]
    for moment, pictures in zip(timing.moments(), zip(*streams, strict=True), strict=True):
        reached = moment.nearest
        captioned = [
            np.concatenate([picture, _caption(panel.name, f"loss {as_text(panel.losses[reached])}", width)])
            for panel, picture in zip(panels, pictures, strict=True)
        ]
        together = side_by_side(captioned, columns, gap)
        footer = _footer(f"pass {passes[reached]} of {passes[-1]}", together.shape[1], width)
        yield np.concatenate([together, footer])


def as_text(loss: float) -> str:
    """Return a loss with four or more digits, and with a real minus."""
    text = f"{loss:,.0f}" if 1000 <= abs(loss) < 1e9 else f"{loss:.4g}"
    return text.replace("-", "−")


@lru_cache(maxsize=1024)
def _caption(name: str, loss: str, width: int) -> np.ndarray:
    """Draw the two lines below a picture: uint8 (h, width, 3)."""
    size = _text_size(width)
    strip = Image.new("RGB", (width, round(3.2 * size)), (GROUND,) * 3)
    draw = ImageDraw.Draw(strip)
    for line, (text, colour) in enumerate(((name, INK), (loss, QUIET))):
        draw.text((2, (1.25 + 1.35 * line) * size), _cut(text, width - 4, size), colour, font(size), anchor="ls")
    return np.asarray(strip)


@lru_cache(maxsize=64)
def _footer(text: str, width: int, panel_width: int) -> np.ndarray:
    """Draw the line below all pictures: uint8 (h, width, 3)."""
    size = _text_size(panel_width)
    strip = Image.new("RGB", (width, round(1.8 * size)), (GROUND,) * 3)
    text = _cut(text, width - 4, size)
    ImageDraw.Draw(strip).text((width / 2, 1.1 * size), text, QUIET, font(size), anchor="ms")
    return np.asarray(strip)


def _text_size(width: int) -> int:
    return min(40, max(10, width // 22))


def _cut(text: str, width: int, size: int) -> str:
    """Return a text as it can be drawn in `width` pixels. Its end is omitted if it is too long."""
    text = whole = shorten(shown(text))
    used: ImageFont.FreeTypeFont = font(size)
    while text and used.getlength(text) > width:
        whole = whole[:-1]
        text = f"{whole}…" if whole else ""
    return text
