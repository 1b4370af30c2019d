"""run(photo, settings, folder): dream, and save each iterate in a run folder.

`new_run` opens the photo, creates the folder and finds all errors that do not need Keras. `record` then dreams.
"""

import json
import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dreamscripts.backends import host
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import Diverged
from dreamscripts.images.decoding import fitted_size
from dreamscripts.images.files import Photo, open_photo
from dreamscripts.images.resizing import fit, fitted, noise
from dreamscripts.networks.family import check_name
from dreamscripts.objective.memory_budget import check_memory
from dreamscripts.objective.protocol import OnPass
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.runs.run_record import ChoicesRecord, Status, path_text
from dreamscripts.settings.schema import Settings, check_type

if TYPE_CHECKING:
    from dreamscripts.dreams.kept_evaluators import KeptEvaluators

log = logging.getLogger(__name__)

OnEnd = Callable[[RunFolder], None]


def run(
    photo: str | Path | Photo | None,
    settings: Settings,
    folder: str | Path,
    *,
    keep_every: int = 1,
    on_pass: OnPass | None = None,
    on_end: OnEnd = lambda folder: None,
) -> Generator[Iterate]:
    """Dream of a picture file, and yield each iterate after it is saved in `folder`.

    photo: None for settings that start with noise.
    keep_every: write the snapshot of every Nth iteration only.
    on_pass: called as `on_pass(passes, loss)` after each pass through the network.
    on_end: called with the run folder when the run ends, for example `write_loss_curve`. If it fails, a warning is
        logged.

    After an early end of the loop, Ctrl-C or a crash, `resume` continues the run. Raises DreamError. After Diverged,
    `final.png` is the picture with the lowest loss.
    """
    with new_run(photo, settings, folder, keep_every=keep_every) as run_folder:
        yield from record(run_folder, on_pass=on_pass, on_end=on_end)


def resume(
    folder: str | Path, *, on_pass: OnPass | None = None, on_end: OnEnd = lambda folder: None
) -> Generator[Iterate]:
    """Continue an interrupted run in `folder`. The pictures are the same as without the interruption."""
    yield from record(RunFolder.reopen(folder), on_pass=on_pass, on_end=on_end)


@contextmanager
def new_run(
    photo: str | Path | Photo | None,
    settings: Settings,
    folder: str | Path,
    *,
    keep_every: int = 1,
    numbered: bool = False,
) -> Iterator[RunFolder]:
    """Open the photo and create the run folder. Delete the folder if the run ends before its first iterate.

    With `numbered`, a number is added to the folder's name if it exists. Raises DreamError.
    """
    check_type(settings)
    settings.check_pictures(1)
    check_name(settings.network)  # before Keras is imported, which takes seconds
    if settings.guide:
        fitted_size(Path(settings.guide.picture), settings.guide.size)
    source: str | None = None
    notes: tuple[str, ...] = ()
    if photo is None:
        check_memory(settings.side, settings.side, settings.optimizer, octaves=settings.octaves)
        picture = noise(settings.side, settings.seed)
    else:
        photo = photo if isinstance(photo, Photo) else open_photo(photo, settings.size)
        source, notes = path_text(photo.path), photo.notes
        height, width, _ = photo.pixels.shape
        check_memory(*fitted(height, width, settings.size), settings.optimizer, octaves=settings.octaves)
        picture = fit(photo.pixels, settings.size)
    run_folder = RunFolder.create(
        folder, settings, picture, source=source, notes=notes, keep_every=keep_every, numbered=numbered
    )
    del photo, picture  # both are saved in the folder, and a large picture needs much memory
    try:
        yield run_folder
    finally:
        if run_folder.last is None:
            run_folder.discard()


def record(
    folder: RunFolder,
    *,
    on_pass: OnPass | None = None,
    on_end: OnEnd = lambda folder: None,
    kept: "KeptEvaluators | None" = None,
) -> Generator[Iterate]:
    """Start or continue the run in `folder`, and yield each iterate after it is saved.

    kept: for a process that makes several runs: where the compiled code of earlier runs is kept.
    """
    status: Status = "stopped"
    try:
        if not folder.has_ended:
            with closing(_iterates(folder, on_pass, kept)) as iterates:
                for iterate in ahead(iterates) if host.on_gpu() else iterates:
                    folder.save(iterate)
                    yield iterate
        status = "complete"
    except Diverged as error:
        status = "diverged"
        if folder.last is None:
            raise
        raise Diverged(f"{error}; {folder.folder / 'final.png'} is the best picture before that") from None
    finally:
        try:
            if folder.last is not None:
                folder.save_final(status)
                _report(folder, on_end)
                folder.close(status)
        finally:
            folder.release()


def ahead(iterates: Iterator[Iterate]) -> Generator[Iterate]:
    """Yield each iterate while a thread already computes the next. On a GPU, saving takes as long as computing.

    If the caller stops, the thread finishes its iterate first.
    """
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, iterates, None)
        while (iterate := coming.result()) is not None:
            coming = thread.submit(next, iterates, None)
            yield iterate


def _iterates(folder: RunFolder, on_pass: OnPass | None, kept: "KeptEvaluators | None") -> Generator[Iterate]:
    """Dream of the folder's picture, with the folder's choices if it has any, and yield each new iterate."""
    from dreamscripts.backends import compiling
    from dreamscripts.dreams.dream import dream
    from dreamscripts.networks.tuning import Choices

    record = folder.record
    record.device, record.versions = host.device(), host.versions()

    def on_choices(choices: Choices) -> None:
        record.choices = ChoicesRecord.model_validate_json(
            json.dumps({"onednn": compiling.onednn(), **choices.record()})
        )

    chosen = None if record.choices is None else Choices.read(record.choices.model_dump())
    return dream(
        folder.picture,
        folder.settings,
        after=folder.last,
        on_pass=on_pass,
        choices=chosen,
        on_choices=on_choices,
        kept=kept,
    )


def _report(folder: RunFolder, on_end: OnEnd) -> None:
    """Call `on_end`. An error in it, or in the library that it plots with, does not cost the run."""
    try:
        on_end(folder)
    except Exception as error:
        log.warning("%s: the report of this run was not written: %s", folder.folder, str(error) or type(error).__name__)
