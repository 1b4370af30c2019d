"""Kind: how a job of one kind is done, and the registry of all kinds."""

from collections.abc import Callable
from dataclasses import dataclass

from dreamscripts.jobs.job import Job
from dreamscripts.jobs.work import Work
from dreamscripts.registry import Registry

Do = Callable[[Job, Work], None]


@dataclass(frozen=True)
class Kind:
    """A kind of job."""

    name: str
    """The value of `Job.kind`."""
    do: Do
    """Do a job, or go on with it after an interruption. Raises DreamError, and KeyboardInterrupt if it was stopped."""
    module: str
    """The module that added the entry."""


KINDS: Registry[Kind] = Registry("kind of job", "dreamscripts.jobs.kinds")


def kind(name: str) -> Callable[[Do], Do]:
    """Add the decorated function to the kinds of jobs."""

    def add(do: Do) -> Do:
        KINDS.add(Kind(name, do, do.__module__))
        return do

    return add
