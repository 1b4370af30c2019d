"""Run folders with one thing changed: resumed, each gives the pictures of an unbroken run, or one line."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.harness import attempt, changed_value, mutants, mutate

from dreamscripts.dreams.iterate import Iterate
from dreamscripts.runs import run as run_module
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.settings.schema import Settings

LAST, STOPPED = 4, 2
SHAPE = (24, 32, 3)
SETTINGS = Settings(features={"block2_conv1": 1}, optimizer={"name": "adam", "iterations": LAST})
NEEDED = ("run.json", "settings.toml", "start.npy", "state.npz")
RESULTS = ("final.png", "loss.csv", "iteration_001.png", f"iteration_{LAST:03d}.png")
WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 5, 10**30, 0.5, 1e308, float("nan"), float("-inf")),
    *("", "0", "complete", "../../outside", "/etc/passwd", "\x1b[31mred", "\ud800", "x" * 5000),
    *([], [1], [[]], {}, {"a": 1}, [None] * 3),
)
ARRAYS = (
    *(np.zeros(()), np.zeros(SHAPE), np.full(SHAPE, np.nan), np.zeros((*SHAPE, 1)), np.zeros(SHAPE, np.int8)),
    *(np.array("text"), np.zeros(3, complex), np.array(7), np.array(b"bytes"), np.zeros(0), np.array(None)),
)


def iterates(folder: RunFolder, on_pass: object, kept: object):
    """Yield the iterates that are missing in the folder: each picture is darker than the last."""
    after = folder.last or iterate(0, folder.picture)
    if folder.last is None:
        yield after
    for number in range(after.iteration + 1, LAST + 1):
        after = iterate(number, after.x - np.float32(1))
        yield after


def iterate(number: int, x: np.ndarray) -> Iterate:
    state = {"first": np.array(1.0), "0": np.array(number), "1": np.array(1.0), "2": x / 2, "3": x / 4}
    return Iterate(
        octave=0,
        iteration=number,
        loss=-float(number),
        terms={"block2_conv1": -float(number)},
        passes=number + 1,
        seconds=number / 10,
        x=x,
        preprocessing="none",
        drawn=number,
        ends_octave=number == LAST,
        state=state if number else {},
    )


@pytest.fixture
def template(tmp_path, monkeypatch) -> Path:
    """Return the folder of a stopped run. Beside it, `whole` is the folder of the unbroken run."""
    monkeypatch.setattr(run_module, "_iterates", iterates)
    for name, last in (("whole", LAST), ("stopped", STOPPED)):
        folder = RunFolder.create(tmp_path / name, SETTINGS, np.full(SHAPE, 200, np.float32), source="/photo.jpg")
        for found in run_module.record(folder):
            if found.iteration == last < LAST:
                break
    return tmp_path / "stopped"


def edit(text: str, chance: random.Random) -> str:
    """Replace, remove or add one value in JSON."""
    return json.dumps(changed_value(json.loads(text), WRONG, chance))


def edit_state(path: Path, chance: random.Random) -> None:
    """Replace, remove or add an array of the state, edit its facts, or compress it."""
    with np.load(path) as file:
        arrays = dict(file)
    name = chance.choice([*arrays, "memory 4", "more"])
    match chance.randrange(4):
        case 0:
            arrays["rest"] = np.array(edit(str(arrays["rest"]), chance))
        case 1:
            arrays.pop(name, None)
        case _:
            arrays[name] = chance.choice(ARRAYS)
    chance.choice((np.savez, np.savez, np.savez_compressed))(path, **arrays)


def edit_header(path: Path, chance: random.Random) -> None:
    """Change what start.npy says about itself."""
    content = path.read_bytes()
    old, new = chance.choice(
        (
            (b"(24, 32, 3), }     ", b"(240000, 32, 3), } "),
            (b"(24, 32, 3), }   ", b"(24, 32, 3, 0), }"),
            (b"(24, 32, 3), }", b"(32, 24, 3), }"),
            (b"(24, 32, 3), }          ", b"(99999999999, 99999, 3),}"[:24]),
            (b"'<f4'", b"'|O8'"),
            (b"'<f4'", b"'>f4'"),
            (b"'<f4'", b"'<i4'"),
            (b"False", b"True "),
            (b"{'descr'", b"(" * 8),
        )
    )
    path.write_bytes(content.replace(old, new))


def replace(path: Path, outside: Path, chance: random.Random) -> None:
    """Put something else in the place of a file."""
    content = path.read_bytes() if path.is_file() else b""
    path.unlink(missing_ok=True)
    match chance.choice(("nothing", "empty", "link", "dangling", "device", "folder", "full folder", "pipe", "twice")):
        case "empty":
            path.touch()
        case "link":
            (outside / path.name).write_bytes(content)
            path.symlink_to(outside / path.name)
        case "dangling":
            path.symlink_to(outside / "new")
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "full folder":
            path.mkdir()
            (path / "a.txt").touch()
        case "pipe":
            os.mkfifo(path)
        case "twice":
            path.write_bytes(content * 2)


def damage(folder: Path, outside: Path, chance: random.Random) -> str:
    """Change one thing in a run's folder. Return its name."""
    kind = chance.choice(
        ("edit", "edit", "state", "state", "header", "settings", "bytes", "replace", "replace", "left")
    )
    name = chance.choice(NEEDED)
    if kind == "edit":
        (folder / "run.json").write_text(edit((folder / "run.json").read_text(), chance))
    elif kind == "state":
        edit_state(folder / "state.npz", chance)
    elif kind == "header":
        edit_header(folder / "start.npy", chance)
    elif kind == "settings":
        lines = (folder / "settings.toml").read_text().splitlines(keepends=True)
        chance.choice(
            (lines.reverse, lambda: lines.pop(chance.randrange(len(lines))), lambda: lines.append("x = 1\n"))
        )()
        (folder / "settings.toml").write_text("".join(lines))
    elif kind == "bytes":
        (folder / name).write_bytes(mutate((folder / name).read_bytes(), chance))
    elif kind == "replace":
        name = chance.choice((*NEEDED, *RESULTS))
        replace(folder / name, outside, chance)
    else:
        replace(folder / ".dreamscripts-0123456789abcdef.part", outside, chance)
    return f"{kind} {name}"


@pytest.mark.slow
def test_a_changed_run_folder_is_refused_in_a_line_or_gives_the_right_pictures(template, tmp_path):
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*.png")}
    tried, refused, faults = 0, 0, []
    for chance in mutants(14):
        place = tmp_path / "mutant"
        shutil.rmtree(place, ignore_errors=True)
        outside = tmp_path / "outside"
        shutil.rmtree(outside, ignore_errors=True)
        outside.mkdir()
        shutil.copytree(template, place)
        what = damage(place, outside, chance)
        before = {path.name: path.read_bytes() for path in outside.iterdir()}

        def resume(place=place) -> dict[str, bytes]:
            for _ in run_module.resume(place):
                pass
            names = ("final.png", *(f"iteration_{number:03d}.png" for number in range(STOPPED + 1, LAST + 1)))
            return {name: (place / name).read_bytes() for name in names if (place / name).is_file()}

        outcome = attempt(resume, place)
        tried += 1
        refused += bool(outcome.error)
        wrong = [name for name, content in (outcome.result or {}).items() if content != whole[name]]
        found = [*outcome.faults(), *(f"another {name}" for name in wrong)]
        if before != {path.name: path.read_bytes() for path in outside.iterdir()}:
            found.append("changed a file outside")
        if not outcome.error and not outcome.result:
            found.append("no pictures")
        faults += [f"{what}: {fault}" for fault in found]
    print(f"{tried} folders, {refused} refused, {len(faults)} faults")
    assert tried
    assert not faults, "\n".join(faults[:20])
