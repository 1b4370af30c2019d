"""A studio beside a folder of somebody else, whose files no attack may read or change."""

import pytest
from studio.hostile.attacks import SECRET, png
from studio_requests import build_app, open_studio, upload


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a folder for the studio, with links that lead out of it to a secret."""
    place = tmp_path_factory.mktemp("place")
    outside, base = place / "outside", place / "base"
    outside.mkdir()
    base.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    for name in ("run.json", "final.png", "settings.toml", "mine.toml", "film.mp4"):
        (outside / name).write_bytes(SECRET)
    (base / "linked-run").symlink_to(outside)
    (base / "linked.toml").symlink_to(outside / "mine.toml")
    (base / "film.mp4").symlink_to(outside / "film.mp4")
    (base / "half").mkdir()
    (base / "half" / "run.json").symlink_to(outside / "run.json")
    return place


@pytest.fixture(scope="module")
def studio(place):
    return open_studio(place / "base")


@pytest.fixture(scope="module")
def app(studio):
    return build_app(studio)


@pytest.fixture(scope="module")
def photo(app):
    """Upload a photograph, and return its identifier."""
    return upload(app, png()).json["id"]


@pytest.fixture(autouse=True, scope="module")
def nothing_changes_outside(place):
    before = snapshot(place / "outside"), sorted(place.iterdir())
    yield
    assert (snapshot(place / "outside"), sorted(place.iterdir())) == before


def snapshot(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*")}
