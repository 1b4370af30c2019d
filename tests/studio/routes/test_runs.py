"""The routes of the history and of the trash."""

import csv
import io

import pytest
from PIL import Image
from studio.routes.conftest import TOML
from studio_requests import HOST, ask, post


def runs(app, query=""):
    return ask(app, target=f"/api/runs{query}").json


def test_what_a_command_made_is_in_the_history(app, make_run, heard):
    id = make_run()
    (run,) = runs(app)["runs"]
    assert (run["id"], run["name"], run["kind"], run["state"]) == (id, "cat-dreamy", "dream", "complete")
    assert (run["width"], run["height"], run["job"]) == (64, 48, None)
    assert ("run", run) in heard
    for name in ("picture", "thumb"):
        answer = ask(app, target=run[name], headers={"host": HOST})
        assert Image.open(io.BytesIO(answer.body)).width in range(16, 65)


def test_a_long_history_comes_in_parts(app, make_run):
    made = {make_run(f"run-{number}", count=1) for number in range(5)}
    first = runs(app, "?limit=2")
    second = runs(app, f"?limit=2&before={first['next']}")
    third = runs(app, f"?limit=2&before={second['next']}")
    assert third["next"] is None
    found = [run["id"] for part in (first, second, third) for run in part["runs"]]
    assert len(found) == 5
    assert set(found) == made


def test_a_run_has_its_numbers_and_its_files(app, make_run):
    id = make_run()
    runs(app)
    run = ask(app, target=f"/api/runs/{id}").json
    assert [row["loss"] for row in run["rows"]] == [-1, -2, -3]
    assert run["rows"][2]["terms"] == {"block2_conv1": -3}
    assert "[features]" in run["settings"]
    assert [snapshot["iteration"] for snapshot in run["snapshots"]][-2:] == [1, 2]

    def opened(url):
        answer = ask(app, target=url, headers={"host": HOST})
        assert answer.status == 200
        return answer

    for snapshot in run["snapshots"]:
        Image.open(io.BytesIO(opened(snapshot["url"]).body))
    assert Image.open(io.BytesIO(opened(run["start"]).body)).size == (64, 48)
    losses = opened(run["downloads"]["losses"])
    assert losses.headers["content-disposition"].startswith("attachment")
    assert len(list(csv.reader(io.StringIO(losses.body.decode())))) >= 3
    assert opened(run["downloads"]["settings"]).body.decode() == run["settings"]
    assert "iteration" not in opened(run["downloads"]["picture"]).headers["content-disposition"]


def test_a_run_that_was_interrupted_goes_on(app, studio, make_run):
    id = make_run(status="stopped")
    (run,) = runs(app)["runs"]
    assert run["resumable"]
    job = post(app, f"/api/runs/{id}/go-on", {}).json
    assert (job["state"], job["run"], job["kind"], job["name"]) == ("waiting", id, "dream", "cat-dreamy")
    assert studio.supervisor.asked[-1] == ("wake",)
    assert post(app, f"/api/runs/{id}/go-on", {}).json["id"] == job["id"]  # once is enough
    studio.queue.change(job["id"], state="stopped")
    again = post(app, f"/api/runs/{id}/go-on", {}).json
    assert (again["id"], again["state"]) == (job["id"], "waiting")
    assert runs(app)["runs"][0]["job"] == job["id"]


def test_a_run_that_a_job_has_just_begun_is_found(app, studio, photo, make_run):
    order = {"kind": "dream", "photo": photo["id"], "look": "own", "toml": TOML}
    job = post(app, "/api/jobs", order).json
    id = make_run(job["name"], status="stopped")  # as the worker does, which says nothing
    assert ask(app, target=f"/api/runs/{id}").json["job"] == job["id"]


def test_a_complete_run_does_not_go_on(app, studio, make_run):
    id = make_run()
    runs(app)
    assert "cat-dreamy: cannot go on" in post(app, f"/api/runs/{id}/go-on", {}).error
    assert studio.queue.jobs == []


def test_a_run_goes_to_the_trash_and_comes_back(app, studio, make_run, heard):
    id = make_run()
    runs(app)
    item = post(app, f"/api/runs/{id}/trash", {}).json
    assert (item["id"], item["name"]) == (id, "cat-dreamy")
    assert item["trashed"] > 0
    assert heard[-1] == ("run-gone", {"id": id})
    assert runs(app)["runs"] == []
    assert not (studio.folder.base / "cat-dreamy").exists()
    trash = ask(app, target="/api/trash").json
    assert trash["items"] == [item]
    assert trash["bytes"] == item["bytes"] > 0
    thumb = ask(app, target=item["thumb"], headers={"host": HOST})
    assert thumb.status == 200
    restored = post(app, f"/api/trash/{id}/restore", {}).json
    assert (restored["id"], restored["state"]) == (id, "complete")
    assert [run["id"] for run in runs(app)["runs"]] == [id]
    assert ask(app, target="/api/trash").json == {"items": [], "bytes": 0}
    assert post(app, f"/api/trash/{id}/restore", {}).status == 404


def test_the_trash_is_emptied(app, studio, make_run):
    id = make_run()
    runs(app)
    post(app, f"/api/runs/{id}/trash", {})
    assert ask(app, "DELETE", "/api/trash").json == {}
    assert ask(app, target="/api/trash").json == {"items": [], "bytes": 0}
    assert list((studio.folder.store / "trash").iterdir()) == []


def test_a_run_whose_job_runs_stays(app, studio, make_run):
    id = make_run(status="stopped")
    runs(app)
    job = post(app, f"/api/runs/{id}/go-on", {}).json
    studio.queue.change(job["id"], state="running")
    assert "stop it first" in post(app, f"/api/runs/{id}/trash", {}).error
    studio.queue.change(job["id"], state="stopped")
    assert post(app, f"/api/runs/{id}/trash", {}).status == 200
    assert studio.queue.jobs == []


@pytest.mark.parametrize("path", ["", "/go-on", "/use", "/trash"])
def test_a_run_that_does_not_exist_is_said(app, path):
    assert ask(app, "POST" if path else "GET", f"/api/runs/{'0' * 16}{path}").status == 404


def test_a_sheet_is_made_watched_and_put_into_the_trash(app, studio, photo, heard):
    order = {
        "photo": photo["id"],
        "look": "own",
        "toml": TOML,
        "x": {"key": "seed", "values": [1, 2, 3]},
        "y": {"key": "optimizer.iterations", "values": [1, 2, 4]},
    }
    sheet = post(app, "/api/sheets", order).json
    assert sheet["x"] == order["x"] and sheet["y"] == order["y"]
    assert [len(row) for row in sheet["cells"]] == [3, 3, 3]
    jobs = studio.queue.jobs
    assert [cell["job"] for row in sheet["cells"] for cell in row] == [job.id for job in jobs]
    assert all(job.sheet == sheet["id"] and job.folder.startswith(f"{sheet['name']}/") for job in jobs)
    assert "seed = 3" in jobs[8].settings and "iterations = 4" in jobs[8].settings
    assert heard[-1] == ("sheet", sheet)
    assert ask(app, target="/api/state").json["sheets"] == [sheet]
    studio.queue.change(jobs[0].id, state="running")
    assert heard[-1][0] == "sheet"
    assert heard[-1][1]["cells"][0][0]["state"] == "running"
    assert "stop it first" in post(app, f"/api/sheets/{sheet['id']}/trash", {}).error
    studio.queue.change(jobs[0].id, state="stopped")
    assert post(app, f"/api/sheets/{sheet['id']}/trash", {}).json == {}
    assert heard[-1] == ("sheet-gone", {"id": sheet["id"]})
    assert studio.queue.jobs == []
    assert ask(app, target="/api/state").json["sheets"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"x": {"key": "seed", "values": [1, 2]}},
        {"x": {"key": "seed", "values": [1, 2, 2]}},
        {"x": {"key": "seed", "values": [1, 2, -3]}},
        {"x": {"key": "nonsense", "values": [1, 2, 3]}},
        {"x": {"key": "optimizer.iterations", "values": [1, 2, 3]}},
        {"photo": None},
        {"photo": "0" * 16},
    ],
)
def test_a_sheet_that_cannot_be_made_leaves_nothing(app, studio, photo, changes):
    order = {
        "photo": photo["id"],
        "look": "own",
        "toml": TOML,
        "x": {"key": "seed", "values": [1, 2, 3]},
        "y": {"key": "optimizer.iterations", "values": [1, 2, 4]},
    }
    assert post(app, "/api/sheets", order | changes).error
    assert studio.queue.jobs == []
    assert [path.name for path in studio.folder.base.iterdir()] == [".dreamscripts-studio"]
