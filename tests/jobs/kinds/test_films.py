import pytest

from dreamscripts.errors import OutputError
from dreamscripts.film_files.metadata import read_metadata
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.kinds.dream import dream
from dreamscripts.jobs.kinds.movie import movie
from dreamscripts.jobs.kinds.zoom import zoom
from dreamscripts.runs.film import new_zoom, record
from dreamscripts.settings.schema import Settings

pytest.importorskip("av")


@pytest.fixture
def film(job, settings):
    """Return a job for a zoom of 8 frames of 64 pixels."""
    toml = settings.to_toml() + "\n[zoom]\nseconds = 0.8\nfps = 10\n"
    return job.model_copy(update={"kind": "zoom", "folder": "photo.mp4", "settings": f"size = 64\n{toml}"})


def whole(film, tmp_path):
    path = tmp_path / "whole.mp4"
    with new_zoom(film.photo, Settings.from_toml(film.settings, "look"), path) as folder:
        list(record(folder))
    return path.read_bytes()


def test_a_stopped_zoom_goes_on_to_the_same_bytes(film, work, reports, tmp_path):
    def send(facts):
        reports.append(facts)
        if facts["frame"] == 3:
            work.stop.set()

    work._send = send
    with pytest.raises(KeyboardInterrupt):
        zoom(film, work)
    work.stop.clear()
    work._send = reports.append
    zoom(film, work)
    assert (work.base / "photo.mp4").read_bytes() == whole(film, tmp_path)
    assert [path.name for path in work.base.iterdir()] == ["photo.mp4"]
    shares = [report["share"] for report in reports]
    assert shares == sorted(shares)
    assert reports[-1]["frame"] == reports[-1]["frames"] == 8
    before = (work.base / "photo.mp4").stat().st_mtime_ns
    zoom(film, work)  # the process was killed before it could say so
    assert (work.base / "photo.mp4").stat().st_mtime_ns == before


def test_a_zoom_whose_process_was_killed_at_its_start_is_begun_anew(film, work):
    parts = work.base / "photo.mp4.parts"
    parts.mkdir()
    (parts / "settings.toml").write_text("half")
    zoom(film, work)
    assert [path.name for path in work.base.iterdir()] == ["photo.mp4"]


def test_the_size_of_a_look_for_pictures_is_not_that_of_a_film(film, work):
    work.stop.set()
    with pytest.raises(KeyboardInterrupt):
        zoom(film.model_copy(update={"settings": "size = 800\n[features]\nblock1_conv1 = 1\n"}), work)


def test_a_movie_shows_a_run(job, work, reports):
    dream(job, work)
    reports.clear()
    task = Job(kind="movie", folder="photo-look.mp4", run=job.folder)
    parts = work.base / "photo-look.mp4.parts"
    parts.mkdir()  # of a process that was killed
    (parts / ".dreamscripts-0123456789abcdef.part").write_bytes(b"half")
    (parts / "photo-look.mp4").write_bytes(b"half")
    movie(task, work)
    assert {path.name for path in work.base.iterdir()} == {"photo-look", "photo-look.mp4"}
    assert Settings.from_toml(read_metadata(work.base / "photo-look.mp4"), "film") == Settings.load(
        work.base / "photo-look" / "settings.toml"
    )
    assert reports[-1]["share"] == 1
    assert reports[-1]["frame"] == reports[-1]["frames"]
    movie(task, work)  # it is there


def test_a_stopped_movie_leaves_nothing(job, work):
    dream(job, work)
    work.stop.set()
    with pytest.raises(KeyboardInterrupt):
        movie(Job(kind="movie", folder="photo-look.mp4", run=job.folder), work)
    assert [path.name for path in work.base.iterdir()] == [job.folder]


def test_a_movie_of_a_run_that_was_deleted_is_refused(work):
    with pytest.raises(OutputError, match="no longer there"):
        movie(Job(kind="movie", folder="a.mp4", run="a"), work)
