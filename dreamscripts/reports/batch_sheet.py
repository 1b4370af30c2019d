"""Draw the contact sheet of a batch: its pictures in one picture, in rows and columns with their headings."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dreamscripts.errors import PictureError, shown
from dreamscripts.images.pillow import refusals
from dreamscripts.reports.batch_axes import Axes
from dreamscripts.reports.batch_cells import Cell
from dreamscripts.reports.batch_sheet_layout import MARGIN, Label, Layout, fitting_layout
from dreamscripts.reports.contact_sheet import GROUND, INK, MISSING, QUIET
from dreamscripts.reports.labels import font, shorten

FAILED, FAILED_GROUND, LINE = "#9b1c0a", "#f6e1dc", "#cfd1d1"
TITLE, NOTE = 26, 16  # pixels, sizes of fonts


def draw_batch_sheet(
    heading: str, cells: Sequence[Cell], axes: Axes, shapes: Sequence[float], thumbnails: Mapping[str, Path]
) -> bytes:
    """Return a PNG of at most 64 megapixels: the more cells, the smaller the pictures.

    shapes: height ÷ width of the pictures of each photograph.
    thumbnails: the JPEG of each cell that has one, by the name of the cell.
    """
    layout = fitting_layout(axes, shapes)
    title, note = shorten(shown(heading)), _note(cells)
    texts = max(font(TITLE).getlength(title), font(NOTE).getlength(note))
    width = max(layout.size[0], round(texts) + 2 * MARGIN)
    sheet = Image.new("RGB", (width, layout.size[1]), GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN + TITLE - 4), title, INK, font(TITLE), anchor="ls")
    pen.text((MARGIN, MARGIN + TITLE + NOTE + 4), note, QUIET, font(NOTE), anchor="ls")
    for cell, place in zip(cells, layout.pictures, strict=True):
        _draw_cell(sheet, pen, cell, place, layout, thumbnails.get(cell.name))
    for label in layout.labels:
        _draw_label(pen, label, layout.text)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=3)  # much faster than 6, and hardly larger
    return buffer.getvalue()


def _note(cells: Sequence[Cell]) -> str:
    done, failed = (sum(cell.state == state for cell in cells) for state in ("done", "failed"))
    return f"{done} pictures, {failed} failed" if failed else f"{done} pictures"


def _draw_label(pen: ImageDraw.ImageDraw, label: Label, size: int) -> None:
    text = _fitting(label.text, font(size), label.width)
    if label.kind == "row":
        pen.text((label.left + label.width, label.baseline), text, INK, font(size), anchor="rs")
        return
    pen.text((label.left, label.baseline), text, INK, font(size), anchor="ls")
    if label.kind == "column":
        under = label.baseline + size // 3
        pen.line((label.left, under, label.left + label.width - 1, under), LINE)


def _draw_cell(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    cell: Cell,
    place: tuple[int, int, int],
    layout: Layout,
    thumbnail: Path | None,
) -> None:
    left, top, height = place
    box = (left, top, left + layout.tile - 1, top + height - 1)
    picture = None if cell.state == "failed" or thumbnail is None else _picture(thumbnail, (layout.tile, height))
    if picture:
        sheet.paste(picture, (left + (layout.tile - picture.width) // 2, top + (height - picture.height) // 2))
    elif cell.state == "failed":
        pen.rectangle(box, FAILED_GROUND, FAILED)
        if layout.text and layout.tile > 4 * layout.text:
            middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            pen.text(middle, "failed", FAILED, font(layout.text), anchor="mm")
    else:
        pen.rectangle(box, MISSING)


def _picture(path: Path, size: tuple[int, int]) -> Image.Image | None:
    """Return a thumbnail in at most this size. None: it is damaged or gone."""
    try:
        with refusals(path), Image.open(path, formats=("JPEG",)) as image:
            image.draft("RGB", size)  # decodes fewer pixels, for a much smaller size
            return ImageOps.contain(image.convert("RGB"), size)
    except PictureError:
        return None


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return a text, or its beginning and an ellipsis if it is wider than `width` pixels."""
    text = shorten(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
