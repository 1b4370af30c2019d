"""Draw a sheet of a film: some of its frames, each beside its dream, with their times."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from dreamscripts.reports.contact_sheet import GROUND, QUIET
from dreamscripts.reports.labels import font

CELL, GAP, MARGIN, LABEL = 480, 8, 24, 16  # pixels
COLUMNS = 2


def draw_film_sheet(samples: Iterable[tuple[float, np.ndarray, np.ndarray]]) -> bytes:
    """Return a PNG with (seconds, frame, dream) in each cell. Frames and dreams are uint8 (H, W, 3), of one size."""
    cells = [(f"{seconds:.1f} s", _small(frame), _small(dream)) for seconds, frame, dream in samples]
    width, height = cells[0][1].size
    across, down = 2 * width + GAP + MARGIN, height + 2 * LABEL
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * across + MARGIN, rows * down + 2 * MARGIN), GROUND)
    draw = ImageDraw.Draw(sheet)
    for number, (label, frame, dream) in enumerate(cells):
        column, row = divmod(number, rows)  # in the order of time, downwards
        left, top = MARGIN + column * across, MARGIN + row * down
        sheet.paste(frame, (left, top))
        sheet.paste(dream, (left + width + GAP, top))
        draw.text((left, top + height + LABEL), label, QUIET, font(LABEL - 3), anchor="ls")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _small(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels)
    image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return image
