"""Fixtures for the routes: a studio without workers, a photograph, and a run that a command has made."""

import io

import numpy as np
import pytest
from PIL import Image
from studio_requests import build_app, open_studio, upload

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.runs.run_folder import RunFolder

TOML = "# my look\n[features]\nblock2_conv1 = 1  # rings\n"


@pytest.fixture
def studio(tmp_path):
    base = tmp_path / "dreams"
    base.mkdir()
    return open_studio(base)


@pytest.fixture
def app(studio):
    return build_app(studio)


def picture_file(size=(40, 30), kind="PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def photo(app):
    """Upload a photograph, and return the answer."""
    return upload(app, picture_file(), "sky over us.jpg").json


@pytest.fixture
def make_run(studio, picture, settings):
    """Return a function that makes a run in the folder of the studio, as a command does, and returns its identifier."""

    def make(name="cat-dreamy", count=3, status="complete"):
        run = RunFolder.create(studio.folder.base / name, settings, picture)
        for number in range(count):
            x = np.full(picture.shape, 50.0 * number, np.float32)
            terms = {"block2_conv1": -1.0 - number}
            run.save(Iterate(0, number, -1.0 - number, terms, number + 1, 0.1, x, "none", 0, False, {}))
        run.save_final(status)
        run.close(status)
        run.release()
        return studio.history.id_of(name)

    return make


@pytest.fixture
def heard(studio, monkeypatch):
    """Return a list that gets the events which the pages are told: (name, data)."""
    heard = []

    def publish(name, data, subject=""):
        heard.append((name, data() if callable(data) else data))

    monkeypatch.setattr(studio.hub, "publish", publish)
    return heard
