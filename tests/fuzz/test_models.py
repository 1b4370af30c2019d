"""Mutated models and weights: one line or a model, no other file, no memory beyond what the file holds."""

import importlib
import io
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz.harness import attempt, changed_value, mutants, mutate
from fuzz.seed_models import make

pytestmark = pytest.mark.slow

FORECAST = 400 * 2**20  # bytes: Keras itself when it computes for the first time, and a model of a few kilobytes
READABLE = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), "/usr", "/proc", "/sys", "/dev", "/lib")
VALUES = (None, True, -1, 0, 3, 2**31, 2**63, 10**30, 1e308, "", "relu", "a" * 5000, "/etc/hostname", [], {}, [[]])


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Return {name: content} of small models and weights in every format. They are made in another process."""
    folder = tmp_path_factory.mktemp("seeds")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder,))
    maker.start()
    maker.join()
    importlib.import_module("keras")  # each attempt is a fork of this process, which has computed nothing yet
    importlib.import_module("dreamscripts.networks.loading")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def mutated(name: str, data: bytes, chance: random.Random) -> bytes:
    """Mutate a file, or, as often, the config or the weights inside a whole archive."""
    if not name.endswith((".keras", ".npz")) or chance.random() < 0.3:
        return mutate(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    chosen = chance.choice(sorted(entries))
    if chosen == "config.json" and chance.random() < 0.7:
        config = json.loads(entries[chosen])
        for _ in range(chance.choice((1, 1, 2, 8))):
            config = changed_value(config, VALUES, chance)
        entries[chosen] = json.dumps(config).encode()
    else:
        entries[chosen] = mutate(entries[chosen], chance)
    if chance.random() < 0.05:
        del entries[chosen]
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return whole.getvalue()


def use(path: Path, folder: Path):
    """Load the file as a user would, and compute its features. Returns the names of other files that were opened."""
    from dreamscripts.networks.loading import load_network
    from dreamscripts.scripts.visualize import _read_direction

    others = []

    def watch(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            name = str(Path(os.fsdecode(arguments[0])).absolute())
            if not name.startswith((*READABLE, str(folder))):
                others.append(name)
        elif event in ("socket.connect", "urllib.Request"):
            others.append(f"{event} {arguments}")

    sys.addaudithook(watch)
    try:
        if path.suffix == ".npy":
            _read_direction(path)
        elif path.name.startswith(("model", "plain")):
            network = load_network(str(path), layers=["conv"], preprocessing="none")
            network.features(np.ones((1, 16, 16, 3), np.float32))
        else:
            load_network(str(folder / "plain.keras"), str(path), ["conv"], preprocessing="none")
    finally:
        if others:
            raise AssertionError(f"opened {others}")


def test_mutated_models_are_one_line_or_a_model(request, tmp_path):
    if "tensorflow" in sys.modules:  # another test may have used it, and it does not survive a fork then
        command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "slow", __file__]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
        assert not done.returncode, done.stdout
        return
    seeds = request.getfixturevalue("seeds")
    names = [name for name in seeds if name != "plain.keras"]
    (tmp_path / "plain.keras").write_bytes(seeds["plain.keras"])
    found = {}
    for number, chance in enumerate(mutants(4)):
        name = names[number % len(names)]
        path = tmp_path / f"{Path(name).name}"
        path.write_bytes(mutated(name, seeds[name], chance))
        outcome = attempt(lambda path=path: use(path, tmp_path), tmp_path)
        chatter = re.sub(r"(?m)^(WARNING: All log|[IWE]0000).*\n", "", outcome.chatter)  # TensorFlow's, when it starts
        if faults := replace(outcome, chatter=chatter).faults(FORECAST):
            found[f"{name} {number}"] = faults
    assert not found, "\n".join(f"{name}: {fault}" for name, faults in found.items() for fault in faults)
