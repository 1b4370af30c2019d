"""run(photo, settings, folder): a dream into a run folder, iterate by iterate; what the command does."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dreamscripts.backends.startup import start_keras
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import Diverged
from dreamscripts.images.files import Photo, open_photo
from dreamscripts.images.resizing import fit, fitted, noise
from dreamscripts.objective.memory_budget import check_room
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.settings.schema import Settings


def run(
    photo: str | Path | Photo | None,
    settings: Settings,
    folder: str | Path,
    *,
    keep_every: int = 1,
    on_pass: Callable[[int, float], None] | None = None,
) -> Iterator[Iterate]:
    """Dream of a picture file and yield each iterate once it is safely in `folder`.

    Where the settings start with noise, `photo` is None. A consumer that stops early, by leaving the loop or by
    Ctrl-C, leaves a folder that `resume` goes on with, and so does a crash. Raises DreamError; after Diverged,
    `final.png` is the picture with the lowest loss.
    """
    if photo is None:
        check_room(settings.size, settings.size, settings.optimizer)
        about, picture = {"picture": None, "notes": []}, noise(settings.size, settings.seed)
    else:
        photo = photo if isinstance(photo, Photo) else open_photo(photo)
        about = {"picture": str(photo.path.resolve()), "notes": list(photo.notes)}
        check_room(*fitted(*photo.pixels.shape[:2], settings.size), settings.optimizer)
        picture = fit(photo.pixels, settings.size)
    run_folder = RunFolder.create(folder, settings, picture, about, keep_every)
    del photo, picture  # which are in the folder; of a large picture they would take as much memory as a tile
    try:
        yield from _record(run_folder, on_pass)
    finally:
        if run_folder.last is None:
            run_folder.discard()


def resume(folder: str | Path | RunFolder, *, on_pass: Callable[[int, float], None] | None = None) -> Iterator[Iterate]:
    """Go on with an interrupted run in `folder`, to the same pictures as without the interruption."""
    run_folder = folder if isinstance(folder, RunFolder) else RunFolder.reopen(folder)
    yield from _record(run_folder, on_pass)


def _record(folder: RunFolder, on_pass: Callable[[int, float], None] | None) -> Iterator[Iterate]:
    begun = folder.record.get("choices")
    start_keras(begun and begun["onednn"])  # after the quick checks, not before
    from dreamscripts.backends import compiling, host
    from dreamscripts.dreams.dream import dream
    from dreamscripts.networks.tuning import Choices

    folder.record |= {"device": host.device(), "versions": host.versions()}

    def on_choices(choices: Choices) -> None:
        folder.record["choices"] = {"onednn": compiling.onednn(), **choices.record()}

    status = "stopped"
    try:
        for iterate in dream(
            folder.picture,
            folder.settings,
            after=folder.last,
            on_pass=on_pass,
            choices=begun and Choices.read(begun),
            on_choices=on_choices,
        ):
            folder.save(iterate)
            yield iterate
        status = "complete"
    except Diverged as error:
        status = "diverged"
        if folder.last is None:
            raise
        raise Diverged(f"{error}; {folder.folder / 'final.png'} is the best picture before it") from None
    finally:
        try:
            if folder.last is not None:
                folder.finish(status)
        finally:
            folder.release()
