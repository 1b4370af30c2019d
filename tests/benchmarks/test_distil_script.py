"""benchmarks/distil.sh, with two photographs and one step."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "distil.sh"


@pytest.mark.slow
def test_both_students_are_taught_and_measured(tmp_path, rng):
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (80, 80, 3), np.uint8)).save(tmp_path / "photos" / name)
    least = ["--steps", "1", "--set", "batch=2", "--set", "dreams=2", "--layers", "block2_conv2"]
    environment = os.environ | {"PYTHON": sys.executable, "KERAS_BACKEND": "tensorflow"}
    run = partial(subprocess.run, env=environment, capture_output=True, text=True, cwd=tmp_path)
    done = run([SCRIPT, "photos", "random", "out", *least])
    assert (done.returncode, done.stderr) == (0, "")
    for student in ("pocket", "pocket_large"):
        assert (tmp_path / "out" / f"{student}.keras").exists()
        assert (tmp_path / "out" / f"{student}.html").exists()
        log = (tmp_path / "out" / f"{student}.log").read_text()
        assert "layer         before  agreement" in log
        assert all(line in done.stdout for line in log.splitlines())
    done = run([SCRIPT, "nowhere", "random", "other"])
    assert done.returncode == 2
    assert done.stdout.count("nowhere: there is no such folder") == 2
