"""Draw a contact sheet: the pictures of all channels of a layer in one picture, with their numbers."""

import io
import math
from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageOps

from dreamscripts.errors import shown
from dreamscripts.reports.labels import font, shorten

INK, QUIET, GROUND, MISSING = "#1d1d1f", "#6b6b70", "#fbfbfa", "#ececea"
MARGIN, GAP = 24, 8
MOST_PIXELS = 64_000_000  # largest sheet, which any viewer can open; cells are made smaller to fit


def draw_sheet(heading: str, note: str, pictures: Iterable[Image.Image | None], count: int, size: int) -> bytes:
    """Return a PNG with `count` pictures in rows, numbered from 0, in cells of `size` pixels. None is an empty cell."""
    heading, note = shorten(shown(heading)), shorten(shown(note))
    columns = _columns(count)
    label = min(18, max(11, size // 8))
    cell = max(1, min(size, math.isqrt(MOST_PIXELS // count) - 2 * GAP - label))
    heading_font, note_font, label_font = font(2 * label), font(label + 2), font(label)
    across = max(cell, math.ceil(label_font.getlength(str(count - 1)))) + GAP
    down = cell + round(1.6 * label) + GAP
    top = MARGIN + 6 * label
    text_width = max(heading_font.getlength(heading), note_font.getlength(note))
    width = max(columns * across - GAP, math.ceil(text_width)) + 2 * MARGIN
    sheet = Image.new("RGB", (width, top + math.ceil(count / columns) * down - GAP + MARGIN), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN + 2 * label), heading, INK, heading_font, anchor="ls")
    draw.text((MARGIN, MARGIN + 4 * label), note, QUIET, note_font, anchor="ls")
    for number, picture in zip(range(count), pictures, strict=True):
        row, column = divmod(number, columns)
        left, upper = MARGIN + column * across, top + row * down
        if picture is None:
            draw.rectangle((left, upper, left + cell - 1, upper + cell - 1), MISSING)
        else:
            if picture.size != (cell, cell):
                picture = ImageOps.contain(picture, (cell, cell))
            sheet.paste(picture, (left, upper))
        draw.text((left + cell / 2, upper + cell + 1.25 * label), str(number), QUIET, label_font, anchor="ms")
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _columns(count: int) -> int:
    """Return a number of columns for a sheet wider than high. The last row is full if possible."""
    least = math.ceil(math.sqrt(count))
    return next((columns for columns in range(least, 2 * least) if count % columns == 0), math.ceil(1.2 * least))
