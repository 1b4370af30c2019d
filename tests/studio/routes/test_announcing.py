"""What the open pages are told as it happens."""

import pytest
from studio.routes.conftest import TOML
from studio_requests import HOST, ask, post

from dreamscripts.jobs.events import PreviewMade, PreviewsEnded, Progress, WorkerChanged
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.studio.routes.announcing import scan

PROGRESS = {"octave": 0, "octaves": 1, "iteration": 1, "iterations": 3, "loss": float("nan"), "snapshot": None}


@pytest.fixture
def job(app, photo, studio):
    id = post(app, "/api/jobs", {"kind": "dream", "photo": photo["id"], "look": "own", "toml": TOML}).json["id"]
    return studio.queue.change(id, state="running")


def names(heard):
    return [name for name, _ in heard]


def test_progress_has_the_newest_picture(studio, app, job, make_run, heard):
    studio.supervisor.on_event(Progress(job.id, PROGRESS))
    assert names(heard) == ["progress"]
    assert heard[-1][1] == {"job": job.id, **PROGRESS, "picture": None}
    make_run(job.folder, status="stopped")
    heard.clear()
    studio.supervisor.on_event(Progress(job.id, PROGRESS | {"snapshot": 1}))
    assert names(heard) == ["run", "progress", "job"]  # its folder exists from now on
    url = heard[1][1]["picture"]
    assert ask(app, target=url, headers={"host": HOST}).headers["content-type"] == "image/png"
    assert heard[0][1]["id"] == heard[2][1]["run"] == studio.history.id_of(job.folder)
    assert heard[2][1]["progress"]["picture"] == url
    heard.clear()
    studio.supervisor.on_event(Progress(job.id, PROGRESS | {"snapshot": 2}))
    assert names(heard) == ["progress"]  # the run was looked at a moment ago


def test_progress_of_a_job_that_has_ended_is_not_told(studio, job, heard):
    studio.supervisor.on_event(Progress(job.id, PROGRESS))
    studio.queue.change(job.id, state="stopped")
    assert heard[-1][1]["progress"] is None
    heard.clear()
    studio.supervisor.on_event(Progress(job.id, PROGRESS))
    studio.supervisor.on_event(Progress("0" * 16, PROGRESS))
    assert heard == []


def test_previews_and_workers_are_told(studio, app, photo, heard):
    folder = studio.photographs.previews_folder(photo["id"])
    (folder / "dreamy.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    studio.supervisor.on_event(PreviewMade(photo["id"], "dreamy", folder / "dreamy.png"))
    studio.supervisor.on_event(PreviewsEnded(photo["id"], "one look failed"))
    studio.supervisor.on_event(WorkerChanged("dreams", "ready", ""))
    assert names(heard) == ["preview", "previews-ended", "worker"]
    assert ask(app, target=heard[0][1]["url"], headers={"host": HOST}).status == 200
    assert heard[1][1] == {"photo": photo["id"], "message": "one look failed"}
    assert heard[2][1] == {"lane": "dreams", "status": "ready", "message": ""}


def test_what_a_command_makes_and_deletes_is_told(studio, make_run, heard):
    scan(studio)
    assert heard == []
    id = make_run()
    scan(studio)
    assert [(name, data["id"]) for name, data in heard] == [("run", id)]
    heard.clear()
    (studio.folder.base / "cat-dreamy").rename(studio.folder.base.parent / "elsewhere")
    scan(studio)
    assert heard == [("run-gone", {"id": id})]


def test_a_stopped_job_is_done_when_a_command_has_completed_its_run(studio, job, make_run, heard):
    studio.queue.change(job.id, state="stopped", message="stopped after iteration 1")
    make_run(job.folder, status="stopped")
    scan(studio)
    assert studio.queue.get(job.id).state == "stopped"
    run = RunFolder.reopen(studio.folder.base / job.folder)
    run.save_final("complete")
    run.close("complete")
    run.release()
    heard.clear()
    scan(studio)
    assert [data["state"] for name, data in heard if name == "job"] == ["done"]
    assert (studio.queue.get(job.id).state, studio.queue.get(job.id).message) == ("done", "")
