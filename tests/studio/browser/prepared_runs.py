"""Run folders as the command line leaves them, made without a network in milliseconds."""

from pathlib import Path

import numpy as np
from PIL import Image

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.runs.run import new_run
from dreamscripts.runs.run_record import Status
from dreamscripts.settings.schema import Settings

SIDE = 64


def landscape(seed: int, width: int = SIDE, height: int = SIDE * 3 // 4) -> np.ndarray:
    """Return a smooth picture, another one for each seed: float32 (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width] / width
    phases = np.random.default_rng(seed).uniform(0, 6.28, (3, 2))
    waves = [np.sin(9 * x + first) * np.cos(7 * y + second) for first, second in phases]
    return (127.5 + 100 * np.stack(waves, axis=2)).astype(np.float32)


def save_photo(path: Path, seed: int = 0, width: int = SIDE, height: int = SIDE * 3 // 4) -> Path:
    """Save a landscape as JPEG or PNG, and return its path."""
    Image.fromarray(landscape(seed, width, height).astype(np.uint8)).save(path)
    return path


def make_run(base: Path, name: str, photo: Path, status: Status = "complete", iterations: int = 5) -> Path:
    """Make the folder of a run that dreamt of `photo`, and return its path."""
    settings = Settings(features={"block2_conv1": 0.05}, optimizer={"iterations": iterations}, octaves={"count": 1})
    last = iterations if status == "complete" else iterations - 2
    with new_run(photo, settings, base / name) as folder:
        start = Image.open(photo).convert("RGB")
        for number in range(last + 1):
            picture = np.asarray(start, np.float32) * (1 - number / (2 * iterations))
            folder.save(iterate(number, picture, ends=number == iterations))
        folder.save_final(status)
        folder.close(status)
        folder.release()
    return base / name


def iterate(number: int, picture: np.ndarray, *, ends: bool) -> Iterate:
    """Return one iterate, whose loss falls by one in each iteration."""
    return Iterate(
        octave=0,
        iteration=number,
        loss=-float(number),
        terms={"block2_conv1": -number - 1.0, "continuity": 1.0},
        passes=1 + 3 * number,
        seconds=number / 10,
        x=picture,
        preprocessing="none",
        drawn=number,
        ends_octave=ends,
        state={},
    )
