"""Fixtures for jobs that are done in this process."""

import threading

import pytest

from dreamscripts.dreams.kept_evaluators import KeptEvaluators
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.work import Work


@pytest.fixture
def reports():
    """Return the list of all reports of `work`."""
    return []


@pytest.fixture
def work(tmp_path, reports):
    """Return the surroundings of jobs in a folder of their own, where each pass can be the last: `work.stop.set()`."""
    (tmp_path / "base").mkdir()
    stop = threading.Event()
    made = Work(tmp_path / "base", KeptEvaluators(), stop, reports.append)
    made.stop = stop
    return made


@pytest.fixture
def job(settings, photo):
    """Return a dream of a photograph that takes a second."""
    return Job(kind="dream", folder="photo-look", photo=str(photo), look="look", settings=settings.to_toml())
