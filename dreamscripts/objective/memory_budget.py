"""How much main memory there is, and whether a picture has room in it: what can be said before Keras wakes."""

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import PictureError
from dreamscripts.settings.schema import OptimizerSettings

FLOAT32 = 4
COPIES = 8  # of a picture in float32, as it is scaled and enters a network in float64


def of_run(optimizer: OptimizerSettings) -> float:
    """Bytes that a run keeps, beside its passes, per pixel of the whole picture."""
    return (optimizer.pictures_kept + 4) * 3 * FLOAT32  # 4 are the evaluator's: its picture, noise and gradients


def check_room(height: int, width: int, optimizer: OptimizerSettings, pictures: int = 1) -> None:
    """Raise PictureError where so many pictures of that size have no room, whatever the network, wherever it runs."""
    free, pixels = free_memory(), pictures * height * width
    entering = pixels * 3 * FLOAT32 * COPIES
    needed = max(entering, pixels * of_run(optimizer)) if optimizer.lighter else entering
    if needed > free:
        advice = f", or --set {optimizer.lighter}" if optimizer.lighter and entering <= free else ""
        raise PictureError(
            f"a picture of {width}×{height} takes at least {needed / 1e9:.1f} GB of memory, "
            f"and {free / 1e9:.1f} GB are free: give a smaller --size{advice}"
        )
