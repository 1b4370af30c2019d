"""Join the pictures of a layer's channels into one JPEG of thumbnails, for a web page."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dreamscripts.images.files import open_picture

CELL, COLUMNS = 48, 16  # pixels per side of a thumbnail; thumbnails per row


def join_pictures(pictures: Sequence[Path]) -> bytes:
    """Return one JPEG with a thumbnail of each picture, row by row. Raises PictureError if a picture is damaged."""
    sheet = Image.new("RGB", (COLUMNS * CELL, math.ceil(len(pictures) / COLUMNS) * CELL), "white")
    for i, path in enumerate(pictures):
        cell = Image.fromarray(open_picture(path).astype(np.uint8)).resize((CELL, CELL), Image.Resampling.LANCZOS)
        sheet.paste(cell, (i % COLUMNS * CELL, i // COLUMNS * CELL))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
