"""The command with a cluster of three machines, which are killed at random moments."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ended_with
from PIL import Image
from ray_nodes import TOKEN, Nodes, results

KILLS = int(os.environ.get("DREAMSCRIPTS_KILLS", "1"))
ROOT = Path(__file__).parents[2]
LOOK = """
[features]
block2_conv1 = 0.05
[jitter]
shift = 4
[optimizer]
iterations = 40
passes = 3
"""


@pytest.fixture
def folder(tmp_path, picture):
    (tmp_path / "look.toml").write_text(LOOK)
    (tmp_path / "photos").mkdir()
    for name, crop in {"cat": (0, 0, 64, 48), "dog": (16, 0, 64, 48)}.items():
        Image.fromarray(picture.astype("uint8")).crop(crop).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path


@pytest.fixture
def environment():
    values = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield


def command(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "dreamscripts", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["machine", "command"])
def test_whoever_is_killed_all_dreams_have_the_same_bytes(environment, folder, victim):
    pytest.importorskip("ray")
    chance = random.Random(victim)
    nodes = Nodes(("one", "two", "three"))
    batch = ("batch", "photos", "-s", "look.toml", "--seeds", "0-2", "--ray", nodes.address)
    try:
        process = command(folder, *batch)
        for number in range(KILLS):
            goal = len(list(folder.glob("batch/*/iteration*.png"))) + chance.randint(3, 30)
            while process.poll() is None and len(list(folder.glob("batch/*/iteration*.png"))) < goal:
                time.sleep(0.02)
            if process.poll() is not None:
                break
            if victim == "command":
                process.kill()
                process.communicate()
                process = command(folder, *batch)
            else:
                nodes.kill(chance.choice(sorted(nodes.nodes)))
                nodes.add(f"new {number}")
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    finally:
        nodes.close()
    for photo in ("cat", "dog"):
        for seed in range(3):
            name = f"{photo}-look-seed={seed}"
            single = command(
                folder, "dream", f"photos/{photo}.png", "-s", "look.toml", "--seed", seed, "-o", f"single/{name}"
            )
            output, _ = single.communicate()
            ended_with(0, subprocess.CompletedProcess(name, single.returncode, output, ""))
            assert _without_heading(results(folder / "batch" / name)) == _without_heading(
                results(folder / "single" / name)
            )
    rows = (folder / "batch" / "results.jsonl").read_text().splitlines()
    assert len(rows) == 6


def _without_heading(found):
    """Return results without the plot, whose heading has the name of the folder."""
    return found | {"loss.png": b""}
