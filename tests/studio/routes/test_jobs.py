"""The routes of the queue."""

import pytest
from studio.routes.conftest import TOML
from studio_requests import ask, post

from dreamscripts.jobs.queue import JobQueue
from dreamscripts.studio.routes import jobs


@pytest.fixture
def ask_for(app, photo):
    """Return a function that asks for a dream, and returns the answer."""

    def ask_for(**changes):
        return post(app, "/api/jobs", {"kind": "dream", "photo": photo["id"], "look": "own", "toml": TOML} | changes)

    return ask_for


def test_a_dream_is_put_into_the_queue(app, studio, photo, ask_for, heard):
    job = ask_for().json
    assert (job["kind"], job["state"], job["look"], job["name"]) == ("dream", "waiting", "own", "sky over us-own")
    assert job["photo"] == {"id": photo["id"], "name": photo["name"], "thumb": photo["thumb"]}
    assert job["run"] is job["sheet"] is job["progress"] is None
    assert studio.supervisor.asked == [("wake",)]
    assert ("job", job) in heard
    (kept,) = JobQueue(studio.folder.base, studio.folder.store).jobs
    assert (kept.id, kept.settings) == (job["id"], TOML)
    assert studio.photographs.named(kept.photo).id == photo["id"]


def test_two_dreams_have_two_folders(ask_for):
    assert [ask_for().json["name"], ask_for().json["name"]] == ["sky over us-own", "sky over us-own-2"]


def test_a_zoom_becomes_a_film(ask_for):
    job = ask_for(kind="zoom").json
    assert (job["kind"], job["name"]) == ("zoom", "sky over us-own-zoom.mp4")


def test_a_movie_is_made_of_a_run(app, studio, make_run):
    run = make_run()
    ask(app, target="/api/runs")
    job = post(app, "/api/jobs", {"kind": "movie", "run": run}).json
    assert (job["kind"], job["name"]) == ("movie", "cat-dreamy.mp4")
    assert studio.queue.get(job["id"]).run == "cat-dreamy"


def test_settings_that_start_with_noise_start_with_the_photograph_if_there_is_one(studio, ask_for):
    toml = f'# mine\nstart = "noise"\nsize = 64\n{TOML}'
    with_photo = studio.queue.get(ask_for(toml=toml).json["id"])
    assert 'start = "photograph"' in with_photo.settings and "# mine" in with_photo.settings
    without = studio.queue.get(ask_for(toml=toml, photo=None).json["id"])
    assert (without.settings, without.photo, without.folder) == (toml, None, "own")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"photo": None}, "choose a photograph"),
        ({"photo": "0" * 16}, "not here any more"),
        ({"toml": None}, "needs settings"),
        ({"toml": "x"}, "is not valid TOML"),
        ({"run": "0" * 16}, "needs settings, and no run"),
        ({"kind": "movie"}, "needs a run, and nothing else"),
        ({"kind": "song"}, "kind"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(studio, ask_for, changes, words):
    assert words in ask_for(**changes).error
    assert studio.queue.jobs == []


def test_the_queue_and_the_disk_have_limits(studio, ask_for, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_UNFINISHED", 2)
    ask_for(), ask_for()
    assert "2 is the limit" in ask_for().error
    studio.queue.change(studio.queue.jobs[0].id, state="stopped")
    monkeypatch.setattr(jobs, "LEAST_FREE", 10**18)
    assert "disk is nearly full" in ask_for().error


def test_a_job_is_stopped_and_goes_on(app, studio, ask_for):
    id = ask_for().json["id"]
    assert post(app, f"/api/jobs/{id}/stop", {}).json["state"] == "stopped"
    assert ("stop", id) in studio.supervisor.asked
    assert post(app, f"/api/jobs/{id}/go-on", {}).json["state"] == "waiting"
    assert studio.supervisor.asked[-1] == ("wake",)
    studio.queue.change(id, state="running")
    assert post(app, f"/api/jobs/{id}/go-on", {}).json["state"] == "running"
    studio.queue.change(id, state="failed", message="no memory")
    job = post(app, f"/api/jobs/{id}/go-on", {}).json
    assert (job["state"], job["message"]) == ("waiting", "")


def test_jobs_are_moved(app, ask_for):
    first, second, third = (ask_for().json["id"] for _ in range(3))
    assert post(app, f"/api/jobs/{third}/move", {"before": first}).status == 200

    def order():
        return [job["id"] for job in ask(app, target="/api/state").json["jobs"]]

    assert order() == [third, first, second]
    assert post(app, f"/api/jobs/{third}/move", {"before": None}).status == 200
    assert order() == [first, second, third]
    assert post(app, f"/api/jobs/{third}/move", {"before": "0" * 16}).status == 404


def test_a_job_is_removed_unless_it_runs(app, studio, ask_for, heard):
    id = ask_for().json["id"]
    studio.queue.change(id, state="running")
    assert "stop it first" in ask(app, "DELETE", f"/api/jobs/{id}").error
    studio.queue.change(id, state="waiting")
    assert ask(app, "DELETE", f"/api/jobs/{id}").json == {}
    assert heard[-1] == ("job-gone", {"id": id})
    for method, path in (("DELETE", ""), ("POST", "/stop"), ("POST", "/go-on")):
        assert ask(app, method, f"/api/jobs/{id}{path}").status == 404
