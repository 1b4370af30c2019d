"""Real workers: what they make has the bytes of the command, whoever is killed. The slow tests kill at random moments.

DREAMSCRIPTS_KILLS sets the number of kills of each kind, 3 without it.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import studio_folder
from conftest import changed
from studio_folder import StudioFolder

from dreamscripts.jobs.events import PreviewMade, PreviewsEnded, Progress, WorkerChanged
from dreamscripts.jobs.job import Job

KILLS = int(os.environ.get("DREAMSCRIPTS_KILLS", "3"))
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    return folder


@pytest.fixture
def studio(base):
    made = StudioFolder(base)
    yield made
    made.supervisor.close()


@pytest.fixture
def toml(settings) -> str:
    """Return settings of 2 × 5 iterations."""
    optimizer = {"iterations": 5, "passes": 3}
    return changed(settings, octaves={"count": 2, "kind": "carried"}, optimizer=optimizer).to_toml()


def results(folder: Path) -> dict[str, bytes]:
    """Return the files of a run, without those that contain seconds."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".toml")}
    rows = [line.split(",") for line in (folder / "loss.csv").read_text().splitlines()]
    return found | {
        "loss.csv": repr([row[:3] + row[4:] for row in rows]).encode(),
        "names": repr(sorted(path.name for path in folder.iterdir())).encode(),
    }


@pytest.fixture
def of_command(command, photo, toml):
    """Return the files of the same run by the command."""
    (command.folder / "look.toml").write_text(toml)
    command("dream", photo, "-s", "look.toml", "--output", "photo-look", "--quiet", check=0)
    return results(command.folder / "photo-look")


def new_job(folder: StudioFolder, photo: Path, toml: str) -> Job:
    name = folder.queue.new_name("photo-look")
    return folder.queue.add(Job(kind="dream", folder=name, photo=str(photo), look="look", settings=toml))


def test_a_dream_and_previews_beside_it_by_real_workers(studio, base, photo, toml, of_command):
    job = new_job(studio, photo, toml)
    looks = {"plain": toml, "wrong": "a = 1", "other": toml.replace("block2_conv1", "block1_conv1")}
    studio.supervisor.preview("a", photo, looks, base)
    studio.supervisor.start()
    studio.wait(lambda: studio.of(PreviewsEnded) and studio.queue.get(job.id).state == "done")
    assert results(base / job.folder) == of_command
    assert {event.look for event in studio.of(PreviewMade)} == {"plain", "other"}
    assert all(event.path.read_bytes().startswith(b"\x89PNG") for event in studio.of(PreviewMade))
    assert "wrong has no preview: there is no setting 'a'" in studio.of(PreviewsEnded)[0].message
    assert [event.progress["iteration"] for event in studio.of(Progress) if event.progress["terms"]] == list(range(11))


@pytest.mark.slow
def test_jobs_that_share_a_worker_have_the_bytes_of_the_command(studio, base, photo, toml, of_command):
    jobs = [new_job(studio, photo, text) for text in (toml, toml.replace("count = 2", "count = 1"), toml)]
    studio.supervisor.start()
    studio.wait(lambda: all(studio.queue.get(job.id).state == "done" for job in jobs))
    for job in (jobs[0], jobs[2]):
        found = results(base / job.folder)
        assert {**found, "loss.png": b""} == {**of_command, "loss.png": b""}  # the name of the run is in the plot


@pytest.mark.slow
def test_stopped_closed_and_opened_again_a_job_goes_on(studio, base, photo, toml, of_command):
    job = new_job(studio, photo, toml)
    studio.supervisor.start()
    studio.wait(lambda: studio.iteration >= 2)
    studio.supervisor.stop(job.id)
    studio.wait(lambda: studio.queue.get(job.id).state == "stopped")
    assert (base / job.folder / "final.png").exists()
    studio.queue.change(job.id, state="waiting")
    studio.supervisor.wake()
    reached = studio.iteration
    studio.wait(lambda: studio.iteration > reached)
    studio.supervisor.close()
    assert studio.queue.get(job.id).state == "waiting"
    next_one = StudioFolder(base)
    next_one.supervisor.start()
    next_one.wait(lambda: next_one.queue.get(job.id).state == "done")
    next_one.supervisor.close()
    assert results(base / job.folder) == of_command


@pytest.mark.slow
def test_a_worker_is_killed_at_random_moments(studio, base, photo, toml, of_command):
    chance = random.Random(0)
    studio.supervisor.start()
    for number in range(KILLS):
        job = new_job(studio, photo, toml)
        kill_worker(studio, job, chance)
        assert studio.queue.get(job.id).state == "done"
        assert results(base / job.folder) == of_command, number
        studio.queue.remove(job.id)
        (base / job.folder).rename(base.parent / f"done-{number}")


def kill_worker(studio: StudioFolder, job: Job, chance: random.Random) -> None:
    """Start a job, kill its worker at a random moment, and wait until the next one has done it."""
    studio.events.clear()
    studio.supervisor.wake()
    reached = chance.randrange(-1, 10)
    studio.wait(lambda: studio.queue.get(job.id).state == "running" and studio.iteration >= reached)
    time.sleep(chance.random() * 0.1)
    if pid := studio.worker("dreams"):
        os.kill(pid, signal.SIGKILL)
    studio.wait(lambda: "restarted" in [event.status for event in studio.of(WorkerChanged)])
    studio.wait(lambda: studio.queue.get(job.id).state in ("done", "failed"))


@pytest.mark.slow
def test_the_server_is_killed_at_random_moments(base, photo, toml, of_command):
    chance = random.Random(1)
    for number in range(KILLS):
        folder = StudioFolder(base)
        job = new_job(folder, photo, toml)
        reached = chance.randrange(-1, 10)
        server = start_server(base)
        for line in server.stdout:
            pid, iteration = map(int, line.split()) if line != "done\n" else (0, 99)
            if (pid and iteration >= reached) or iteration == 99:
                break
        time.sleep(chance.random() * 0.2)
        server.kill()
        server.wait()
        assert start_server(base).communicate(timeout=900)[0].endswith("done\n")
        assert [(job.state, job.message) for job in StudioFolder(base).queue.jobs] == [("done", "")]
        assert results(base / job.folder) == of_command, number
        StudioFolder(base).queue.remove(job.id)
        (base / job.folder).rename(base.parent / f"done-{number}")


def start_server(base: Path) -> subprocess.Popen:
    program = [sys.executable, studio_folder.__file__, str(base)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=os.environ)
