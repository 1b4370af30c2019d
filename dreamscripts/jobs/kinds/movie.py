"""How a dream grew, as a film of the snapshots of a run: the same as `dreamscripts movie`."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dreamscripts.atomic_files import make_folder, remove_left_overs
from dreamscripts.dreams.movie import even
from dreamscripts.errors import OutputError
from dreamscripts.film_files.writing import write_film
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.kind import kind
from dreamscripts.jobs.progress import FrameProgress
from dreamscripts.jobs.work import Work
from dreamscripts.reports.movies import Movie, Wishes, of_run
from dreamscripts.runs.find_film import parts_of


@kind("movie")
def movie(job: Job, work: Work) -> None:
    """Make the movie of the run of the job. An interrupted movie is begun again."""
    film, run = work.path(job.folder), work.path(job.run or "")
    if os.path.lexists(film):  # the process was killed before it could say so
        return
    if not (run / "run.json").exists():
        raise OutputError(f"{run.name}: this run is no longer there")
    wishes = Wishes.of(film)
    planned = of_run(work.note, run, wishes, None)
    for note in _write(planned, film, wishes, work):
        work.note(note)


def _write(planned: Movie, film: Path, wishes: Wishes, work: Work) -> list[str]:
    """Write the film in a folder of its own, so that a killed process leaves nothing beside the runs."""
    parts = parts_of(film)
    written = parts / film.name
    work.wait_for_lock(parts)
    written.unlink(missing_ok=True)  # of a process that was killed
    make_folder(parts)
    remove_left_overs(parts)
    try:
        notes = write_film(written, _watched(planned, work), wishes.rate, metadata=planned.settings)
        written.rename(film)
    finally:
        remove_left_overs(parts)
        written.unlink(missing_ok=True)
        parts.rmdir()
    return notes


def _watched(planned: Movie, work: Work) -> Iterator[np.ndarray]:
    """Yield the frames of a film, and report them."""
    watch = FrameProgress(planned.timing.frames, work)
    for number, frame in enumerate(planned.frames, 1):
        work.check()
        yield even(frame)
        watch.on_frame(number)
