"""Runs in a store: what is there can be resumed at any moment, whoever is killed, and becomes the same bytes."""

import gzip
import io
import os
import secrets
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import changed
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.dreams.kept_evaluators import KeptEvaluators
from dreamscripts.errors import OutputError
from dreamscripts.jobs import mirror
from dreamscripts.jobs.kinds import dream as dream_module
from dreamscripts.jobs.kinds.dream import dream
from dreamscripts.jobs.mirror import RESUME, MirroredRun
from dreamscripts.jobs.remote_folder import RemoteFolder
from dreamscripts.jobs.work import Work
from dreamscripts.reports.loss_curve import write_loss_curve
from dreamscripts.runs.run import run

pytest.importorskip("fsspec")


@pytest.fixture
def url():
    return f"memory://{secrets.token_hex(8)}"


@pytest.fixture
def machine(tmp_path, url, monkeypatch):
    """Return a function that makes the surroundings of jobs on another machine, which pushes after each iteration."""
    monkeypatch.setattr(mirror, "EVERY", 0)
    monkeypatch.setattr(mirror, "SHARE", 1e9)
    kept, made = KeptEvaluators(), []

    def make(send=lambda facts: None):
        stop = threading.Event()
        work = Work(tmp_path / f"machine {len(made)}", kept, stop, send, remote=url)
        work.stop = stop
        work.base.mkdir()
        made.append(work)
        return work

    return make


@pytest.fixture
def whole(job, settings, tmp_path):
    """Return the files of the same run, made in a folder."""
    folder = tmp_path / "whole" / job.folder
    list(run(job.photo, settings, folder, on_end=write_loss_curve))
    return results({path.name: path.read_bytes() for path in folder.iterdir()})


def results(files: dict[str, bytes]) -> dict[str, object]:
    """Return the names of all files, and the content of those that contain no seconds."""
    losses = [line.split(",") for line in files["loss.csv"].decode().splitlines()]
    same = {name: content for name, content in files.items() if name.endswith((".png", ".toml"))}
    return same | {"names": sorted(files), "losses": [row[:3] + row[4:] for row in losses]}


def in_store(url: str, job) -> dict[str, bytes]:
    folder = RemoteFolder(url)
    return {name.removeprefix(f"{job.folder}/"): folder.get(name) for name in folder.names(f"{job.folder}/")}


def test_a_run_in_a_store_is_the_run_in_a_folder(job, machine, url, whole):
    work = machine()
    dream(job, work)
    assert results(in_store(url, job)) == whole
    assert list(work.base.iterdir()) == []


def test_a_complete_run_is_not_made_again(job, machine, url, monkeypatch):
    dream(job, machine())
    before = in_store(url, job)
    monkeypatch.setattr(mirror.RemoteFolder, "push", None)
    Path(job.photo).unlink()
    work = machine()
    dream(job, work)
    assert in_store(url, job) == before
    assert list(work.base.iterdir()) == []


def test_a_stopped_run_goes_on_on_another_machine(job, machine, url, whole):
    def send(facts):
        if facts["iteration"] == 2 and facts["terms"]:
            work.stop.set()

    work = machine(send)
    with pytest.raises(KeyboardInterrupt):
        dream(job, work)
    files = in_store(url, job)
    assert {RESUME, "start.npy", "final.png", "iteration_002.png"} <= set(files) and "run.json" not in files
    assert list(work.base.iterdir()) == []
    dream(
        job.model_copy(update={"settings": "", "photo": None}), machine()
    )  # what is in the store is all that a run is
    assert results(in_store(url, job)) == whole


def test_what_a_killed_process_left_on_this_machine_does_not_count(job, machine, url, whole):
    work = machine()
    folder = work.base / job.folder
    folder.mkdir()
    (folder / "run.json").write_bytes(b"half")
    dream(job, work)
    assert results(in_store(url, job)) == whole


def test_a_job_that_ends_before_its_first_iteration_leaves_nothing(job, machine, url):
    work = machine()
    work.stop.set()
    with pytest.raises(KeyboardInterrupt):
        dream(job, work)
    assert in_store(url, job) == {} and list(work.base.iterdir()) == []


@pytest.fixture
def pushes(monkeypatch):
    """Return the names of all files that are pushed or deleted, and before each of them all files in the store."""
    seen = []

    def noted(act):
        def noted_act(self, *arguments):
            seen.append((arguments[-1].rpartition("/")[2], {name: self.get(name) for name in self.names()}))
            return act(self, *arguments)

        return noted_act

    for name in ("push", "delete"):
        monkeypatch.setattr(mirror.RemoteFolder, name, noted(getattr(RemoteFolder, name)))
    return seen


def test_a_process_that_is_killed_at_any_push_costs_nothing(job, settings, machine, url, pushes, monkeypatch):
    monkeypatch.setattr(dream_module, "write_loss_curve", lambda run: None)  # it takes most of the time
    job = job.model_copy(update={"settings": changed(settings, optimizer={"iterations": 2}).to_toml()})
    dream(job, machine())
    whole, moments = results(in_store(url, job)), list(pushes)
    assert [name for name, _ in moments[:5]] == ["iteration_000.png", "start.npy", RESUME, "iteration_001.png", RESUME]
    assert [name for name, _ in moments[-3:]] == ["run.json", RESUME, "start.npy"]
    remote = RemoteFolder(url)
    for name, before in moments:
        for other in remote.names():
            remote.delete(other)
        for path, content in before.items():
            remote.put(path, content)
        dream(job, machine())
        assert results(in_store(url, job)) == whole, name


def test_what_never_changes_is_pushed_once(job, machine, pushes):
    dream(job, machine())
    names = [name for name, _ in pushes]
    assert names.count(RESUME) == 6  # at each of five iterates, and deleted
    assert names.count("start.npy") == 2
    assert len(names) == len({*names}) + 6


def test_a_store_that_does_not_answer_for_a_while_costs_nothing(job, machine, url, whole, monkeypatch, caplog):
    monkeypatch.setattr(mirror, "PAUSE", 0)
    count = iter(range(1000))

    def push(self, local_file, name):
        if next(count) % 3:
            raise OutputError(f"{name}: no answer")
        return RemoteFolder.push(self, local_file, name)

    monkeypatch.setattr(mirror, "RemoteFolder", type("Weak", (RemoteFolder,), {"push": push}))
    dream(job, machine())
    assert results(in_store(url, job)) == whole
    assert "could not be saved for a while: " in caplog.text


def test_a_store_that_never_answers_again_keeps_the_run_here(job, machine, monkeypatch):
    def push(self, local_file, name):
        raise OutputError(f"{name}: no answer")

    monkeypatch.setattr(mirror, "INSISTING", 0)
    monkeypatch.setattr(mirror.RemoteFolder, "push", push)
    work = machine()
    with pytest.raises(OutputError, match="no answer"):
        dream(job, work)
    assert (work.base / job.folder / "final.png").exists()


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def member(name="run.json", **values):
    info = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(info, key, value)
    return info


def fetched(tmp_path: Path, content: bytes) -> set[str]:
    """Fetch a run with this archive, and return the names of all files."""
    remote = RemoteFolder(f"memory://{secrets.token_hex(8)}")
    remote.put(f"run/{RESUME}", content)
    base = tmp_path / secrets.token_hex(8) / "base"
    try:
        MirroredRun(remote, "run", base / "run").fetch()
    finally:
        found = {
            os.path.relpath(Path(place, name), base / "run")
            for place, _, names in os.walk(base.parent)
            for name in names
        }
    return found


ODD = {
    "a name that leads elsewhere": archive((member("../run.json"), b"a")),
    "an absolute name": archive((member("/tmp/run.json"), b"a")),
    "a folder": archive((member(type=tarfile.DIRTYPE), b"")),
    "a link": archive((member(type=tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
    "a hard link": archive((member(), b"a"), (member("a", type=tarfile.LNKTYPE, linkname="run.json"), b"")),
    "a pipe": archive((member(type=tarfile.FIFOTYPE), b"")),
    "a device": archive((member(type=tarfile.CHRTYPE, devmajor=1, devminor=3), b"")),
    "the same name twice": archive((member(), b"a"), (member(), b"b")),
    "a sparse file": archive((member(type=tarfile.GNUTYPE_SPARSE), b"")),
    "no archive": b"something else" * 99,
    "half an archive": archive((member(), b"a" * 2000))[:1000],
    "a compressed archive": gzip.compress(archive((member(), b"a"))),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_a_foreign_archive_writes_nothing_elsewhere(content, tmp_path):
    with pytest.raises(OutputError, match=r"\.resume\.tar: is damaged: .*; delete it"):
        fetched(tmp_path, content)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "run"]


@given(st.text(max_size=20))
def test_only_plain_names_are_unpacked(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("any")
    try:
        found = fetched(folder, archive((member(name), b"a")))
    except OutputError:
        assert not mirror.PLAIN.fullmatch(name)
        assert not [path for path in folder.rglob("*") if path.is_file()]
    else:
        assert found == {name}


def test_a_run_may_not_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda path: SimpleNamespace(free=30_000))
    content = archive((member(), b"a" * 2000))
    assert fetched(tmp_path, content) == {"run.json"}
    with pytest.raises(OutputError, match="is too large"):
        fetched(tmp_path, content + bytes(10_000))
