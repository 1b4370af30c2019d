"""Write a whole film of frames, as the ending of its name says."""

import secrets
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamscripts.film_files.frame import Frame
from dreamscripts.film_files.kinds import kind_of


def write_film(path: Path, frames: Iterable[np.ndarray], rate: Fraction, *, metadata: str = "") -> list[str]:
    """Write frames, uint8 (H, W, 3) with even sides, at `rate` frames per second, with `metadata` (TOML) inside.

    The file is written whole or not at all. Returns what was adapted, in plain words. Raises OutputError.
    """
    kind = kind_of(path)
    if kind.is_animation:
        from dreamscripts.film_files.animation import write_animation

        return write_animation(path, _timed(frames), 1 / rate, kind, metadata=metadata)
    from dreamscripts.film_files.encoding import encode  # needs PyAV
    from dreamscripts.film_files.joining import join

    segment = path.with_name(f".dreamscripts-{secrets.token_hex(8)}.part")
    try:
        encode(segment, _timed(frames), 1 / rate, rate, kind)
        return join(path, [segment], kind, metadata=metadata)
    finally:
        segment.unlink(missing_ok=True)


def _timed(frames: Iterable[np.ndarray]) -> Iterator[Frame]:
    return (Frame(pixels, number) for number, pixels in enumerate(frames))
