"""`dreamscripts bench`, as a person calls it."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest
from conftest import mistake
from PIL import Image

from dreamscripts.benchmarks import measuring, other_programs
from dreamscripts.reports.scoreboard_plot import digits

QUICK = ("--network", "pocket", "--size", 64, "--passes", 3)


class WorkerHere:
    """A worker without a process of its own. Requests and replies still go through JSON."""

    def __init__(self, name, module, task, environment=None):
        opened = importlib.import_module(f"dreamscripts.benchmarks.{module}")
        self._open = opened.prepare if module == "preparing" else getattr(opened, f"open_{module}")
        self._task = task

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def start(self):
        about, self._requests = self._open(json.loads(json.dumps(self._task)))
        return json.loads(json.dumps(about))

    def request(self, name, *arguments):
        return json.loads(json.dumps(self._requests[name](*json.loads(json.dumps(arguments)))))


@pytest.fixture(params=["here", pytest.param("processes", marks=pytest.mark.slow)])
def run_bench(request, command, command_here, monkeypatch):
    """The command without other processes, or, which takes long, as it is; and the most MiB that a worker may take."""
    monkeypatch.setenv("COLUMNS", "80")
    if request.param == "processes":
        return command, 4000
    monkeypatch.setattr(measuring, "Worker", WorkerHere)
    monkeypatch.setattr(other_programs, "_has_compiler", lambda: False)  # compiling takes long
    return command_here, 64_000


def test_all_programs_find_the_same_and_are_measured_alternately(run_bench):
    run_bench, most_mib = run_bench
    done = run_bench("bench", *QUICK, "--sizes", "48,48", "--output", "out", check=0)
    assert done.stderr == ""
    report = done.stdout[done.stdout.index("\npocket through block4_conv3, 64×64 pixels") :]
    assert max(map(len, report.splitlines())) <= 80
    assert "\\n" not in report
    for part in ("machine", "versions", "start-up", "iteration", "maximum", "out/bench.md"):
        assert part in report

    folder = run_bench.folder / "out"
    bench = json.loads((folder / "bench.json").read_text())
    names = [result["name"] for result in bench["results"]]
    assert names[0] == "dreamscripts"
    rows = [line for line in report.splitlines() if re.search(r"\d s  .*\d s  ", line)]
    assert [row.split()[0] for row in rows] == [name.split()[0] for name in names]
    assert ("plain tf.function" in names) == ("tensorflow" in bench["versions"])
    assert ("PyTorch" in names) == ("PyTorch channels-last" in names) == bool(find_spec("torch"))
    ours = bench["results"][0]
    for result in bench["results"]:
        assert len(result["seconds"]) == len(result["on_device"]) == 3
        assert max(result["loss_error"], result["gradient_error"]) <= 1e-4
        times = zip(ours["on_device"], result["on_device"], strict=True)
        assert result["median_ratio"] == median(a / b for a, b in times)
        assert f"{digits(result['median_on_device'])} s" in report
        assert 100 < result["peak_mib"] < most_mib
        assert 0 < result["share_of_ceiling"] < 2
    assert {product["side"] for product in bench["products"]} == {512, 1024, 2048}
    assert bench["iteration"]["passes"] >= 7
    assert [size["side"] for size in bench["sizes"]] == [48]
    assert len(bench["sizes"][0]["seconds"]) == 3
    assert bench["command"].startswith("dreamscripts bench --network pocket ")
    assert "| 48×48 |" in (folder / "bench.md").read_text()
    with Image.open(folder / "bench.png") as picture:
        assert picture.width > 1200


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sizes", "256,big"], "--sizes: 'big' is not a valid size"),
        (["--sizes", "0"], "--sizes: '0' is not a valid size"),
        (["--sizes", "20001"], "use numbers from 1 to 20000"),
        (["--size", "0"], "size = 0"),
        (["--passes", "2"], "--passes"),
        (["--settings", "bad_tripp"], "did you mean 'bad_trip'"),
        (["--output", "full"], "full: is not empty; choose another --output"),
        (["--output", "file"], "file: is a file; choose another --output"),
        (["--output", "file/out"], "file/out: cannot be written"),
    ],
)
def test_mistakes_found_before_anything_starts(arguments, says, command_here, monkeypatch):
    def begin(*arguments):
        raise AssertionError("started a process")

    from dreamscripts.benchmarks import process

    monkeypatch.setattr(process.Worker, "__init__", begin)
    (command_here.folder / "full").mkdir()
    (command_here.folder / "full" / "mine.txt").touch()
    (command_here.folder / "file").touch()
    assert says in mistake(command_here("bench", *arguments))
    assert {path.name for path in command_here.folder.iterdir()} == {"full", "file"}


def test_a_mistake_that_a_process_finds_is_one_line_and_leaves_no_folder(command_here):
    done = command_here("bench", *QUICK, "--sizes", "8", "--output", "out")
    assert "8×8 is too small for pocket" in mistake(done)
    assert list(command_here.folder.iterdir()) == []


def test_a_process_that_dies_is_one_line_with_its_last_message(command_here, tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text("import sys; sys.exit('the sky has fallen')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said = mistake(command_here("bench", *QUICK, "--output", "out"))
    assert (
        said == "dreamscripts: the process of the weights died with exit code 1; its last message: the sky has fallen"
    )
    assert list(command_here.folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes as Linux has them")
def test_an_interrupt_ends_everyone(tmp_path):
    arguments = [sys.executable, "-m", "dreamscripts", "bench", *map(str, QUICK), "--output", "out"]
    bench = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "starting dreamscripts" not in bench.stdout.readline():
        assert bench.poll() is None
    time.sleep(0.5)
    workers = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
    bench.send_signal(signal.SIGINT)
    assert bench.communicate()[1] == "dreamscripts: stopped\n"
    assert bench.returncode == 130
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert list(tmp_path.iterdir()) == []
