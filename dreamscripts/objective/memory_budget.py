"""Check that a picture fits in main memory, before Keras is imported."""

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError
from dreamscripts.registry import SCHEDULES
from dreamscripts.settings.tables import Octaves, OptimizerSettings

FLOAT32 = 4  # bytes
COPIES = 8  # of the picture in float32, while it is resized, and normalised in float64


def of_run(optimizer: OptimizerSettings) -> float:
    """Return the memory of the optimizer in bytes per pixel of the whole picture, without the network passes."""
    return (optimizer.pictures_kept + 4) * 3 * FLOAT32  # 4 for the evaluator: picture, noise and gradients


def check_memory(
    height: int, width: int, optimizer: OptimizerSettings, pictures: int = 1, octaves: Octaves | None = None
) -> None:
    """Raise PictureError if `pictures` pictures of this size do not fit in main memory with this optimizer.

    The size is that of the photograph, and some `octaves` may be larger. The check does not depend on the network or
    its device.
    """
    factor = largest_octave(octaves) if octaves else 1.0
    free, pixels = free_memory(), pictures * height * width * factor**2
    to_normalise = pixels * 3 * FLOAT32 * COPIES
    needed = max(to_normalise, pixels * of_run(optimizer)) if optimizer.lighter else to_normalise
    if needed > free:
        advice = f", or --set {optimizer.lighter}" if optimizer.lighter and to_normalise <= free else ""
        raise PictureError(
            f"{need(round(height * factor), round(width * factor), pictures)} at least {needed / 1e9:.1f} GB of memory"
            f"{', at the largest octave' if factor > 1 else ''}, and {free / 1e9:.1f} GB are free: "
            f"use a smaller --size{advice}"
        )


def largest_octave(octaves: Octaves) -> float:
    """Return the size of the largest octave, as a multiple of the size of the photograph."""
    exponent = octaves.above if SCHEDULES[octaves.kind].returns else octaves.count - 1
    return octaves.scale**exponent


def need(height: int, width: int, pictures: int) -> str:
    """Return the subject and the verb of a message: "a picture of 60×40 needs", or "3 pictures of 60×40 need"."""
    return f"{pictures} pictures of {width}×{height} need" if pictures > 1 else f"a picture of {width}×{height} needs"
