"""run(photo, settings, folder): a dream into a run folder, iterate by iterate; what the command does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dreamscripts.errors import Diverged
from dreamscripts.images import Photo, open_photo
from dreamscripts.iterates import Iterate
from dreamscripts.settings import Settings
from dreamscripts.snapshots import RunFolder


def run(
    photo: str | Path | Photo,
    settings: Settings,
    folder: str | Path,
    *,
    keep_every: int = 1,
    on_pass: Callable[[int, float], None] | None = None,
) -> Iterator[Iterate]:
    """Dream of a picture file and yield each iterate once it is safely in `folder`.

    A consumer that stops early, by leaving the loop or by Ctrl-C, leaves a folder that `resume` goes on with, and
    so does a crash. Raises DreamError; after Diverged, `final.png` is the picture with the lowest loss.
    """
    if not isinstance(photo, Photo):
        photo = open_photo(photo)
    about = {"picture": str(photo.path.resolve()), "notes": list(photo.notes)}
    yield from _record(photo.pixels, RunFolder.create(folder, settings, about, keep_every), on_pass)


def resume(folder: str | Path, *, on_pass: Callable[[int, float], None] | None = None) -> Iterator[Iterate]:
    """Go on with an interrupted run in `folder`, to the same pictures as without the interruption."""
    run_folder = RunFolder.reopen(folder)
    picture = None if run_folder.last else open_photo(run_folder.record["picture"]).pixels
    yield from _record(picture, run_folder, on_pass)


def _record(
    picture: np.ndarray | None, folder: RunFolder, on_pass: Callable[[int, float], None] | None
) -> Iterator[Iterate]:
    from dreamscripts import backends  # with Keras and its backend: after the quick checks, not before
    from dreamscripts.dreaming import dream

    folder.record |= {"device": backends.device(), "versions": backends.versions()}
    status = "stopped"
    try:
        for iterate in dream(picture, folder.settings, after=folder.last, on_pass=on_pass):
            folder.save(iterate)
            yield iterate
        status = "complete"
    except Diverged:
        status = "diverged"
        raise
    finally:
        if folder.last is None:
            folder.discard()
        else:
            folder.finish(status)
