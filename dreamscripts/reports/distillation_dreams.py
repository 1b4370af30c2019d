"""Dream the same with a teacher and with its student, on photographs that are held out, to see them side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamscripts.dreams.dream import dream
from dreamscripts.images.files import open_photo, open_picture
from dreamscripts.images.resizing import fit
from dreamscripts.settings.schema import Settings

SIZE = 288  # pixels, longest side
# The loss and the optimizer of the Caffe notebook, which work at any layer of any network.
DREAM: dict[str, Any] = {
    "measure": "energy",
    "jitter": {"shift": 16},
    "octaves": {"kind": "carried", "count": 3, "scale": 1.4},
    "optimizer": {"name": "gradient_ascent", "iterations": 12, "passes": 1, "step": 1.5, "clip": True},
}


@dataclass(frozen=True)
class SideBySide:
    """A photograph, and the dreams of it at a layer by the teacher and by the student: float32 RGB in 0..255."""

    layer: str
    photograph: np.ndarray
    teachers: np.ndarray
    students: np.ndarray


def dream_side_by_side(
    teacher: Mapping[str, Any],
    student: Mapping[str, Any],
    layers: Sequence[str],
    photographs: Sequence[Path],
    side: int | None,
    on_pass: Callable[[int, float], None],
) -> list[SideBySide]:
    """Dream at the deepest of `layers` on two photographs, and at a middle layer on the first.

    `teacher` and `student` are the settings that name each network. `side` is the side of the only pictures that the
    networks take, squares, or None. `on_pass` is called as by `dream`. Raises DreamError.
    """
    wanted = [(photographs[0], layers[-1])]
    wanted += [(photographs[1], layers[-1])] if len(photographs) > 1 else []
    wanted += [(photographs[0], layers[len(layers) // 2])] if len(layers) > 1 else []
    made = []
    for path, layer in wanted:
        photograph = _square(open_photo(path, SIZE).pixels) if side is None else fit(_square(open_picture(path)), side)
        both = [_dreamt(photograph, network, layer, side, on_pass) for network in (teacher, student)]
        made.append(SideBySide(layer, photograph, *both))
    return made


def _dreamt(
    photograph: np.ndarray,
    network: Mapping[str, Any],
    layer: str,
    side: int | None,
    on_pass: Callable[[int, float], None],
) -> np.ndarray:
    """Return the last iterate of a dream."""
    octaves = DREAM["octaves"] if side is None else {}
    settings = Settings.model_validate({**DREAM, **network, "features": {layer: 1.0}, "octaves": octaves})
    *_, last = dream(photograph, settings, on_pass=on_pass)
    return last.picture


def _square(picture: np.ndarray) -> np.ndarray:
    """Return the square in the middle of a picture."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
