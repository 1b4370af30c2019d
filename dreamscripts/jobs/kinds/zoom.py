"""An endless zoom into a photograph, or out of noise, as a film: the same as `dreamscripts zoom`."""

import os
from contextlib import closing
from pathlib import Path

from dreamscripts.jobs.job import Job
from dreamscripts.jobs.kind import kind
from dreamscripts.jobs.progress import FrameProgress
from dreamscripts.jobs.work import Work
from dreamscripts.runs.film import new_zoom, record
from dreamscripts.runs.film_folder import FilmFolder
from dreamscripts.runs.find_film import parts_of, remove_if_killed_at_start
from dreamscripts.settings.loading import parse_toml


@kind("zoom")
def zoom(job: Job, work: Work) -> None:
    """Make the film of the job, or go on with it."""
    film = work.path(job.folder)
    work.wait_for_lock(parts_of(film))
    remove_if_killed_at_start(film)
    if os.path.lexists(film) and not parts_of(film).exists():  # the process was killed before it could say so
        return
    with _opened(job, work, film) as folder:
        watch = FrameProgress(folder.record.frames, work, folder.frames)
        with closing(record(folder, on_pass=watch.on_pass)) as frames:
            for frame in frames:
                watch.on_frame(frame.number + 1)
        for note in folder.notes:
            work.note(note)


def _opened(job: Job, work: Work, film: Path) -> FilmFolder:
    """Open the film in the making, or create it."""
    if not parts_of(film).exists():
        changes = {"start": "photograph"}
        if "zoom" not in parse_toml(job.settings, job.look):
            changes["size"] = "none"  # that of settings for pictures is too large for most films
        return new_zoom(job.photo, work.settings(job, **changes), film)
    folder = FilmFolder.reopen(film)
    try:
        work.check_files(folder.settings, job.folder)
        work.check_start(folder.record.choices)
    except BaseException:
        folder.release()
        raise
    return folder
