"""benchmarks/gpu.sh, on small pictures."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest
from conftest import BACKENDS

FOLDER = Path(__file__).parents[2] / "benchmarks"
SOME = [name for name in BACKENDS if name != "tensorflow"]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the scripts are only in a checkout")


@pytest.fixture(scope="module")
def gpu():
    """The program that runs the parts."""
    spec = importlib.util.spec_from_file_location("gpu", FOLDER / "gpu.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu"] = module  # for its dataclasses
    spec.loader.exec_module(module)
    yield module
    del sys.modules["gpu"]


def records_of(gpu, monkeypatch, folder, program, seconds=20.0):
    """The records of a part that is this program."""
    (folder / "parts.py").write_text(program)
    monkeypatch.setattr(gpu, "FOLDER", folder)
    options = Namespace(size=64, quick=True)
    return list(gpu.measure(gpu.Part("passes", "jax", 20), options, folder, seconds))


def test_a_part_that_runs_out_of_time_keeps_what_it_measured(gpu, monkeypatch, tmp_path):
    program = """
import json, sys, time
print("a library says hello")
print(json.dumps({"what": " ".join(sys.argv[1:]), "value": 1.5, "unit": "ms"}), flush=True)
time.sleep(60)
"""
    started = time.monotonic()
    records = records_of(gpu, monkeypatch, tmp_path, program, 1.5)
    assert time.monotonic() - started < 15
    assert records == [
        {"part": "passes", "backend": "jax", "what": "passes 64 1", "value": 1.5, "unit": "ms"},
        {"part": "passes", "backend": "jax", "what": "stopped", "value": "out of time"},
    ]


def test_a_part_that_fails_says_why(gpu, monkeypatch, tmp_path):
    (record,) = records_of(gpu, monkeypatch, tmp_path, "raise ValueError('no more memory')")
    assert (record["what"], record["value"]) == ("stopped", "ValueError: no more memory")


def test_the_tables_have_a_row_for_each_number_and_a_column_for_each_precision(gpu):
    def record(what, value, precision=None, part="passes", backend="jax"):
        more = {"precision": precision} if precision else {}
        return {"part": part, "backend": backend, "what": what, "value": value, "unit": "ms", **more}

    page = gpu.as_markdown(
        [
            record("device", "GPU: a card", part="about"),
            record("jax", "jax 1.0", part="about"),
            record("a pass", 2.7812, "mixed_bfloat16"),
            record("a pass", 28.9, "float32"),
            record("stopped", "out of time", part="large"),
            record("a pass", 4.0, "tf32", backend="torch"),
        ],
        "benchmarks/gpu.sh --size 800",
    )
    assert page.startswith("### GPU: a card\n\nCommand: `benchmarks/gpu.sh --size 800`.")
    assert "**jax** (jax 1.0):" in page
    assert "| a pass | 28.9 ms | · | 2.78 ms |" in page
    assert "| a pass | · | 4 ms | · |" in page
    assert "Not finished: large: out of time." in page


def test_pytorch_is_measured_once_and_the_most_important_come_first(gpu):
    names = [(part.backend, part.name) for part in gpu.plan(["jax", "torch"])]
    assert names[:3] == [("jax", "passes"), ("torch", "passes"), ("torch", "rivals")]
    assert len(names) == len(set(names)) == 11
    assert "rivals" not in [part.name for part in gpu.plan(["jax"])]


@pytest.mark.slow
@pytest.mark.skipif(not SOME, reason="neither JAX nor PyTorch is installed")
def test_every_part_measures_something(tmp_path):
    command = [FOLDER / "gpu.sh", "--quick", "--size", "64", "--backends", SOME[0], "--output", "out"]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    records = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert [record for record in records if record["what"] == "stopped"] == []
    parts = {"about", "passes", "loops", "large", "start_cold", "start_warm"}
    assert {record["part"] for record in records} - {"rivals"} == parts
    assert all(record["value"] > 0 for record in records if record["part"] != "about" and record["unit"] != "%")
    page = (tmp_path / "out" / "gpu.md").read_text()
    for what in ("a pass on the device", "a pass within L-BFGS with max_change", "megapixels in exact tiles, one pass"):
        assert what in page
