"""The library of the studio for tests, and what is put into it."""

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.studio.library.files import Files
from dreamscripts.studio.library.folder import StudioFolder
from dreamscripts.studio.library.history import History
from dreamscripts.studio.library.looks import Looks
from dreamscripts.studio.library.photographs import Photographs
from dreamscripts.studio.library.sheets import Sheets
from dreamscripts.studio.library.trash import Trash


def open_library(base, allowed=()):
    folder = StudioFolder(base)
    photographs = Photographs(folder)
    history = History(folder, photographs)
    looks = Looks(folder, allowed)
    sheets = Sheets(folder, history, looks)
    return SimpleNamespace(
        base=folder.base,
        folder=folder,
        store=folder.store,
        photographs=photographs,
        history=history,
        looks=looks,
        sheets=sheets,
        trash=Trash(folder, history),
        files=Files(folder, photographs, history, sheets),
    )


def iterate(number, picture):
    return Iterate(
        x=picture,
        state={},
        octave=0,
        iteration=number,
        loss=-float(number),
        terms={"a": float(number)},
        passes=7 * number,
        seconds=float(number),
        preprocessing="unit",
        stretched=False,
        drawn=0,
        ends_octave=False,
    )


def as_file(picture, kind="PNG", **options):
    """Return a picture (an image, or an array) as an open file of this format."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture, np.uint8))
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def content_of(opened):
    with opened.file as file:
        return file.read()
