"""Fixtures for the library of the studio: a folder with its photographs, history, looks, sheets and trash."""

import numpy as np
import pytest
from studio_library import iterate, open_library

from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.settings.schema import Settings


@pytest.fixture
def library(tmp_path):
    base = tmp_path / "dreams"
    base.mkdir()
    return open_library(base)


@pytest.fixture
def make_run(library, rng):
    """Make a run folder with snapshots, as `dreamscripts dream` does. An open one keeps its lock."""

    def make(name, status="complete", *, source=None, rows=3, keep_every=1, base=library.base):
        chosen = Settings.load("marble", network="pocket", size=64, **{"octaves.count": 1, "optimizer.where": "scipy"})
        start = rng.uniform(0, 255, (48, 64, 3)).astype(np.float32)
        run = RunFolder.create(base / name, chosen, start, source=source, keep_every=keep_every)
        for number in range(rows):
            run.save(iterate(number, rng.uniform(0, 255, (48, 64, 3)).astype(np.float32)))
        if status != "running":
            run.save_final(status)
            run.close(status)
            run.release()
        return run

    return make
