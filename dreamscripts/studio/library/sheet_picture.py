"""Draw a sheet: nine pictures in three rows, with the values of the two settings beside them."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dreamscripts.errors import DreamError, shown
from dreamscripts.images.pillow import quiet, refusals
from dreamscripts.studio.library import within
from dreamscripts.studio.library.films import PICTURE
from dreamscripts.studio.library.photographs import MOST_PIXELS
from dreamscripts.studio.library.run import Run
from dreamscripts.studio.library.sheet_record import SheetRecord

CELL, GAP, MARGIN = 512, 12, 28  # pixels; a cell is as high as its pictures
TEXT, LINE = 20, 34
INK, GROUND, MISSING = "#e6e4e1", "#161615", "#262624"


def draw(base: Path, record: SheetRecord, runs: Sequence[Sequence[Run | None]]) -> bytes:
    """Return a sheet as PNG. A dream that has no picture yet is an empty cell."""
    pictures = [[_picture(base, run) for run in row] for row in runs]
    sizes = [picture.size for row in pictures for picture in row if picture] or [(CELL, CELL)]
    font = ImageFont.load_default(TEXT)
    headings = [f"{record.x.key} = {value}" for value in record.x.values]
    width = max(*(size[0] for size in sizes), *(round(font.getlength(heading)) for heading in headings))
    height = max(LINE, *(size[1] for size in sizes))
    labels = [f"{record.y.key} = {value}" for value in record.y.values]
    left = MARGIN + round(max(map(font.getlength, labels))) + GAP
    top = MARGIN + 2 * LINE
    columns, rows = len(headings), len(labels)
    size = (left + columns * (width + GAP) - GAP + MARGIN, top + rows * (height + GAP) - GAP + MARGIN)
    sheet = Image.new("RGB", size, GROUND)
    pen = ImageDraw.Draw(sheet)
    heading = " · ".join(filter(None, (shown(record.photo_name), shown(record.look))))
    pen.text((left, MARGIN), heading, INK, font)
    for column, text in enumerate(headings):
        pen.text((left + column * (width + GAP), MARGIN + LINE), text, INK, font)
    for row, (label, cells) in enumerate(zip(labels, pictures, strict=True)):
        upper = top + row * (height + GAP)
        pen.text((MARGIN, upper), label, INK, font)
        for column, picture in enumerate(cells):
            place = (left + column * (width + GAP), upper)
            if picture:
                sheet.paste(picture, place)
            else:
                pen.rectangle((*place, place[0] + width - 1, upper + height - 1), MISSING)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _picture(base: Path, run: Run | None) -> Image.Image | None:
    """Return the picture of a run, at most CELL pixels on a side. None: it has none, or none that can be read."""
    if run is None or run.picture is None or run.kind == "film" or run.picture.name == PICTURE:
        return None
    parts = [*run.folder.split("/"), run.picture.name]
    try:
        with (
            within.open_file(base, *parts) as file,
            quiet(),
            refusals(base.joinpath(*parts)),
            Image.open(file, formats=("PNG",)) as image,
        ):
            if image.width * image.height > MOST_PIXELS:
                return None
            return (
                ImageOps.contain(image.convert("RGB"), (CELL, CELL)) if max(image.size) > CELL else image.convert("RGB")
            )
    except DreamError:
        return None
