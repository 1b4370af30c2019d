import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dreamscripts.backends import cache, host

KEY = {"what": "a test", "version": "1.2"}
ANSWER = {"xla": False, "least": None, "seconds": [0.25, 1.5]}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def kept(home):
    return [path for path in home.rglob("*") if path.is_file()]


def test_an_answer_is_kept_under_its_key_alone(home):
    assert cache.recall(KEY) is None
    cache.keep(KEY, "an older one")
    cache.keep(KEY, ANSWER)
    assert cache.recall(KEY) == ANSWER
    assert cache.recall(KEY | {"version": "1.3"}) is None
    (path,) = kept(home)
    assert path.is_relative_to(home / "dreamscripts")


DAMAGED = [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"key": {}, "answer": 1}', b"[" * 99_999, b" " * 2_000_000]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_ignored_and_replaced(home, content):
    cache.keep(KEY, ANSWER)
    (path,) = kept(home)
    path.write_bytes(content)
    assert cache.recall(KEY) is None
    cache.keep(KEY, ANSWER)
    assert cache.recall(KEY) == ANSWER


def test_a_link_or_a_pipe_is_ignored_and_replaced(home):
    cache.keep(KEY, ANSWER)
    (path,) = kept(home)
    other = path.replace(home / "other.json")
    path.symlink_to(other)
    assert cache.recall(KEY) is None
    cache.keep(KEY, "new")
    assert cache.recall(KEY) == "new"
    assert json.loads(other.read_text())["answer"] == ANSWER
    path.unlink()
    os.mkfifo(path)
    assert cache.recall(KEY) is None  # and it does not wait


def test_a_home_that_cannot_be_written_keeps_nothing(home, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    cache.keep(KEY, ANSWER)
    assert cache.recall(KEY) is None


def test_without_a_home_nothing_is_kept(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    cache.keep(KEY, ANSWER)
    assert cache.recall(KEY) is None


def test_a_full_disk_leaves_the_old_answer_and_no_remains(home, monkeypatch):
    cache.keep(KEY, "old")

    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    cache.keep(KEY, "new")
    assert cache.recall(KEY) == "old"
    assert len(kept(home)) == 1


WRITE = """
import sys
from pathlib import Path
from dreamscripts.backends import cache, host
for number in range(300):
    cache.keep({"what": "shared"}, [int(sys.argv[1])] * 2000)
    answer = cache.recall({"what": "shared"})
    assert answer is not None and len(set(answer)) == 1 and len(answer) == 2000, answer
"""


def test_processes_that_write_at_once_never_see_half_an_answer(home):
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(i)], stderr=subprocess.PIPE) for i in range(2)]
    for writer in writers:
        _, error = writer.communicate(timeout=60)
        assert writer.returncode == 0, error.decode()
    assert len(kept(home)) == 1


MEASURE = """
import os, time
from dreamscripts.backends import cache
key = {"what": "measured"}
with cache.alone(key):
    if cache.recall(key) is None:
        time.sleep(0.3)
        cache.keep(key, os.getpid())
print(cache.recall(key))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_processes_that_measure_at_once_find_the_same(home):
    command = [sys.executable, "-c", MEASURE]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate(timeout=60)[0] for process in processes]
    assert answers == [answers[0]] * 3
    assert int(answers[0]) in {process.pid for process in processes}


def test_nobody_waits_where_nothing_can_be_written(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with cache.alone(KEY), cache.alone(KEY):
        pass


def test_a_machine_is_told_by_more_than_its_name(monkeypatch):
    mine = host.machine()
    assert mine == host.machine()
    told = {"model name": "Some CPU", "flags": "sse2"}
    monkeypatch.setattr(host, "_cpuinfo", lambda: told)
    plain = host.machine()
    monkeypatch.setattr(host, "_cpuinfo", lambda: told | {"flags": "sse2 avx512f"})
    assert plain["processor"] == host.machine()["processor"] == "Some CPU"
    assert plain != host.machine()
