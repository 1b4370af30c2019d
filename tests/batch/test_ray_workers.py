"""Real Ray, with three nodes that are processes on this machine: whoever is killed, a dream becomes the same bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import changed, ended_with
from ray_nodes import TOKEN, Nodes, results
from stores import BUCKET, s3_server

from dreamscripts.atomic_files import lock
from dreamscripts.batch.ray_workers import RayCluster, prepare_environment
from dreamscripts.errors import DreamError, OutputError
from dreamscripts.jobs.events import JobChanged, Progress, WorkerChanged
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.job_tasks import JobTasks
from dreamscripts.jobs.lane import Lane
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.remote_folder import RemoteFolder
from dreamscripts.jobs.setup import Setup

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment():
    """Let Ray use a token of its own, here and in the processes that it starts."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE", "RAY_ADDRESS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        prepare_environment()
        yield monkeypatch
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE"):
            os.environ.pop(name, None)


def test_the_environment_keeps_what_the_user_has_set(environment):
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0" and os.environ["RAY_AUTH_MODE"] == "token"
    environment.setenv("RAY_AUTH_MODE", "disabled")
    prepare_environment()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no-such-host.invalid:6379"])
def test_nobody_at_an_address_is_said_at_once(environment, address):
    pytest.importorskip("ray")
    began = time.monotonic()
    with pytest.raises(DreamError, match=f"--ray {address}: no cluster answers there .*ray start --head"):
        RayCluster(address)
    assert time.monotonic() - began < 15


@pytest.fixture
def nodes(environment):
    """Return a new cluster."""
    pytest.importorskip("ray")
    made = Nodes()
    try:
        yield made
    finally:
        made.close()


class Batch:
    """A lane for each place of a cluster, and a queue of jobs."""

    def __init__(self, cluster, base, lanes=2, **setup):
        base.mkdir(exist_ok=True)
        self.queue = JobQueue(base, base.parent / "store")
        self.events = []
        self.tasks = JobTasks(self.queue, self.events.append, hands_back=True)
        self.queue.on_change = self.events.append
        self.lanes = [
            Lane(Setup(f"lane {number}", base, **setup), self.tasks, self.events.append, start=cluster.start)
            for number in range(lanes)
        ]
        for lane in self.lanes:
            lane.start()

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.events[-20:]
            for lane in self.lanes:
                lane.wake()
            time.sleep(0.05)

    def newest(self):
        """Return the number of the newest iteration."""
        return max((event.progress["iteration"] or 0 for event in self.of(Progress)), default=0)

    def wait_for_iteration(self, number):
        self.wait(lambda: self.newest() >= number)

    def busy(self):
        """Return the worker that does the job."""
        return next(lane.worker for lane in self.lanes if lane.status[0] == "busy")

    def wait_until_done(self, job):
        self.wait(lambda: self.queue.get(job.id).state in ("done", "failed"))
        assert self.queue.get(job.id).state == "done", self.queue.get(job.id).message

    def close(self):
        for lane in self.lanes:
            lane.close()
        for lane in self.lanes:
            lane.join()


@pytest.fixture
def cluster(nodes):
    before = signal.getsignal(signal.SIGTERM)
    made = RayCluster(nodes.address)
    assert signal.getsignal(signal.SIGTERM) == before
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def batch(cluster, tmp_path):
    made = Batch(cluster, tmp_path / "base")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def toml(settings):
    """Return settings of some hundred iterations, which take some seconds."""
    return changed(settings, optimizer={"iterations": 150, "passes": 3}).to_toml()


def dream_of(photo, toml):
    return Job(kind="dream", folder="photo-look", photo=str(photo), look="look", settings=toml)


@pytest.fixture
def of_command(photo, toml, tmp_path):
    """Return the files of the same run by the command."""
    folder = tmp_path / "command"
    folder.mkdir()
    (folder / "look.toml").write_text(toml)
    command = [sys.executable, "-m", "dreamscripts", "dream", photo, "-s", "look.toml", "--output", "photo-look"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended_with(0, subprocess.run([*command, "--quiet"], cwd=folder, env=environment, capture_output=True, text=True))
    return results(folder / "photo-look")


def words(batch):
    """Return what the lanes have said about new workers."""
    return [event.message for event in batch.of(WorkerChanged) if event.status == "restarted"]


@pytest.mark.slow
def test_whoever_is_killed_a_dream_becomes_the_same_bytes(nodes, cluster, batch, photo, toml, of_command, capfd):
    assert cluster.slots() == 2
    batch.wait(lambda: [lane.status[0] for lane in batch.lanes] == ["ready", "ready"])
    job = batch.queue.add(dream_of(photo, toml))
    batch.wait_for_iteration(3)
    first = batch.busy()._node
    nodes.kill_actors(first)
    batch.wait(lambda: words(batch))
    assert words(batch) == [f"the worker was killed on {first}; a new one goes on with its work"]
    batch.wait_for_iteration(batch.newest() + 3)
    second = batch.busy()._node
    assert second != first  # it did not wait for a new worker
    nodes.kill(second)
    batch.wait_until_done(job)
    assert words(batch)[1:] == [f"the worker was lost with its machine {second}; a new one goes on with its work"]
    assert results(batch.queue.base / "photo-look") == of_command
    states = [event.job.state for event in batch.of(JobChanged)]
    assert states == ["waiting", "running", "waiting", "running", "waiting", "running", "done"]
    batch.wait(lambda: cluster.slots() == 1)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


@pytest.mark.slow
def test_a_stopped_dream_in_a_store_goes_on_to_the_same_bytes(environment, tmp_path, photo, toml, of_command):
    pytest.importorskip("s3fs")
    with s3_server() as s3:
        for name, value in s3.items():
            environment.setenv(name, value)
        nodes = Nodes()
        try:
            cluster = RayCluster(nodes.address)
            batch = Batch(cluster, tmp_path / "base", remote=f"s3://{BUCKET}/batch")
            job = batch.queue.add(dream_of(photo, toml))
            batch.wait_for_iteration(3)
            batch.tasks.stop(job.id)
            batch.wait(lambda: batch.queue.get(job.id).state == "stopped")
            store = RemoteFolder(f"s3://{BUCKET}/batch")
            assert store.exists("photo-look/.resume.tar") and not store.exists("photo-look/run.json")
            batch.queue.change(job.id, state="waiting")
            batch.wait_until_done(job)
            for name in store.names("photo-look/"):
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(store.get(name))
            assert results(tmp_path / "photo-look") == of_command
            assert not (batch.queue.base / "photo-look").exists()
        finally:
            batch.close()
            cluster.close()
            nodes.close()


DRIVER = """
import sys
from pathlib import Path
from dreamscripts.batch.ray_workers import RayCluster
from dreamscripts.jobs.job import Job
from dreamscripts.jobs.job_tasks import JobTasks
from dreamscripts.jobs.lane import Lane
from dreamscripts.jobs.queue import JobQueue
from dreamscripts.jobs.setup import Setup
address, base, photo, toml = sys.argv[1:]
queue = JobQueue(Path(base), Path(base).parent / "store")
queue.add(Job(kind="dream", folder="photo-look", photo=photo, settings=toml))
Lane(Setup("a", Path(base)), JobTasks(queue, print), print, start=RayCluster(address).start).start()
sys.stdin.read()
"""


def is_free(folder):
    """Return whether no process writes to a folder."""
    try:
        lock(folder)()
    except OutputError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGKILL, 5), (signal.SIGSTOP, 20)])
def test_without_their_driver_actors_end(nodes, tmp_path, photo, settings, number, seconds):
    base = tmp_path / "base"
    base.mkdir()
    toml = changed(settings, optimizer={"iterations": 100_000}).to_toml()
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, nodes.address, base, photo, toml], stdin=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while not (base / "photo-look" / "iteration_003.png").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        assert not is_free(base / "photo-look")
        driver.send_signal(number)
        end = time.monotonic() + seconds
        while not is_free(base / "photo-look"):
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        driver.kill()
        driver.wait()


@pytest.mark.slow
def test_a_cluster_that_lets_nobody_in_is_one_line(nodes, tmp_path):
    program = (
        "import sys; from dreamscripts.batch.ray_workers import *; prepare_environment()\n"
        "try: RayCluster(sys.argv[1])\n"
        "except DreamError as error: print(error)"
    )

    def words(address=nodes.address, **environment):
        environment = {name: value for name, value in (os.environ | environment).items() if value}
        done = subprocess.run([sys.executable, "-c", program, address], env=environment, capture_output=True, text=True)
        assert done.stderr == ""
        (line,) = done.stdout.splitlines()
        return line

    assert "ray get-auth-token --generate" in words(RAY_AUTH_TOKEN="", HOME=str(tmp_path))
    assert "does not let this machine in; ~/.ray/auth_token" in words(RAY_AUTH_TOKEN="other" * 13)
