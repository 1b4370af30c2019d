"""A dream of a photograph, or of noise, in a run folder: the same bytes as those of `dreamscripts dream`."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dreamscripts.errors import OutputError
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.kind import kind
from dreamscripts.jobs.mirror import mirrored
from dreamscripts.jobs.progress import DreamProgress
from dreamscripts.jobs.work import Work
from dreamscripts.reports.loss_curve import write_loss_curve
from dreamscripts.runs.find_run import is_complete, remove_if_killed_at_start
from dreamscripts.runs.run import new_run, record
from dreamscripts.runs.run_folder import RunFolder


@kind("dream")
def dream(job: Job, work: Work) -> None:
    """Dream in the folder of the job, or go on with the run in it."""
    folder = work.path(job.folder)
    work.wait_for_lock(folder)
    with mirrored(folder, job.folder, work) as on_saved:
        _dream(job, work, folder, on_saved)


def _dream(job: Job, work: Work, folder: Path, on_saved: Callable[[], None]) -> None:
    remove_if_killed_at_start(folder)
    if is_complete(folder):  # the process was killed before it could say so
        with suppress(OutputError):
            RunFolder.reopen(folder)  # deletes what is only for resuming
        return
    with _opened(job, work, folder) as run:
        watch = DreamProgress(run, work)
        with closing(record(run, on_pass=watch.on_pass, on_end=write_loss_curve, kept=work.kept)) as iterates:
            for iterate in iterates:
                watch.on_iterate(iterate)
                on_saved()


@contextmanager
def _opened(job: Job, work: Work, folder: Path) -> Iterator[RunFolder]:
    """Open the run of the job, or create it. It is deleted if it ends before its first iterate, and is new."""
    if not (folder / "run.json").exists():
        with_photo = {} if job.photo is None else {"start": "photograph"}  # also if the settings start with noise
        with new_run(job.photo, work.settings(job, **with_photo), folder, keep_every=job.keep_every) as run:
            yield run
        return
    run = RunFolder.reopen(folder)
    try:
        work.check_files(run.settings, job.folder)
        work.check_start(run.record.choices)
        yield run
    finally:
        run.release()
