"""Kill whole commands with SIGKILL, at random moments. Resumed, each ends in the bytes of an unbroken run.

DREAMSCRIPTS_KILLS sets the number of kills of each set-up, 1 without it.
"""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import changed
from PIL import Image

KILLS = int(os.environ.get("DREAMSCRIPTS_KILLS", "1"))
LAST = 6
LBFGS = {"name": "lbfgs", "passes": 2}
SETUPS = {
    "lbfgs": {"optimizer": LBFGS},
    "lbfgs_device": {"optimizer": LBFGS | {"where": "device"}},
    "gradient_ascent": {"optimizer": {"name": "gradient_ascent", "laplacian": 2}, "jitter": {"shift": 4}},
    "adam_reinjected": {"optimizer": {"name": "adam"}, "octaves": {"kind": "reinjected", "count": 2}},
    "tiles_carried": {
        "optimizer": LBFGS,
        "octaves": {"kind": "carried", "count": 2},
        "tiles": {"kind": "exact", "size": 64},
    },
    "fourier_noise": {
        "start": "noise",
        "size": 64,
        "optimizer": {"name": "adam", "parameters": "fourier", "step": 0.05},
    },
}


class Setup:
    """A set-up of a run in a folder of its own, and the files of its unbroken run."""

    def __init__(self, name, settings, command):
        octaves = SETUPS[name].get("octaves", {}).get("count", 1)
        table = SETUPS[name]
        optimizer = {"passes": 3, "iterations": LAST // octaves} | table["optimizer"]
        self.folder = command.folder / name
        self.folder.mkdir()
        self._command = command
        (self.folder / "settings.toml").write_text(changed(settings, **table | {"optimizer": optimizer}).to_toml())
        y, x = np.mgrid[0:72, 0:96]
        Image.fromarray(np.stack([x * 2, y * 3, x + y], 2).astype(np.uint8)).save(self.folder / "photo.png")
        photo = () if table.get("start") == "noise" else (self.folder / "photo.png",)
        self.arguments = ("dream", *photo, "--settings", self.folder / "settings.toml", "--quiet")
        command(*self.arguments, "--output", self.folder / "whole", check=0)
        self.whole = results(self.folder / "whole")

    def kill(self, chance: random.Random, number: int) -> str:
        """Start a run, kill it at a random moment, resume it, and return what is wrong."""
        folder = self.folder / f"killed_{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", "dreamscripts", *map(str, self.arguments), "--output", folder],
            start_new_session=True,
        )
        # The first kill of a set-up is at the start, the second at the end of the run.
        event = {0: "run.json", 1: f"iteration_{LAST:03d}.png"}.get(
            number, chance.choice(("run.json", *(f"iteration_{i:03d}.png" for i in range(LAST + 1)), "final.png"))
        )
        wait_for(folder / event, process)
        time.sleep(chance.random() * (0.3 if event in ("run.json", f"iteration_{LAST:03d}.png") else 0.06))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = self._command("dream", "--resume", "--output", folder, "--quiet")
        if done.returncode and "nothing to resume" not in done.stderr:
            return f"{event}: {done.stderr}"
        found = results(folder)
        return "" if found == self.whole else f"{event}: other bytes in {different(found, self.whole)}"


def wait_for(path: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.0005)


def results(folder: Path) -> dict[str, bytes]:
    """Return the pictures of a run, its losses without the seconds, and the names of its files."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.png") if path.name != "loss.png"}
    with (folder / "loss.csv").open() as file:
        rows = [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    return found | {
        "loss.csv": repr(rows).encode(),
        "names": repr(sorted(path.name for path in folder.iterdir())).encode(),
    }


def different(found: dict[str, bytes], whole: dict[str, bytes]) -> list[str]:
    return [name for name in {**found, **whole} if found.get(name) != whole.get(name)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("name", SETUPS)
def test_killed_at_a_random_moment_a_run_resumes_to_the_same_bytes(name, settings, command):
    setup = Setup(name, settings, command)
    chance = random.Random(name)
    first = chance.randrange(2) if KILLS == 1 else 0
    wrong = [setup.kill(chance, number) for number in range(first, first + KILLS)]
    assert not any(wrong), [line for line in wrong if line]
