"""Galleries and interrupted comparisons whose files somebody has changed: used, made again or refused in a line."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz.harness import attempt, changed_value, mutants, mutate

from dreamscripts.dreams.trial import Pass, Trial, budgets_of
from dreamscripts.runs.comparison_folder import ComparisonFolder, ComparisonRecord
from dreamscripts.runs.gallery_folder import GalleryFolder, open_gallery
from dreamscripts.settings.schema import Settings

pytestmark = pytest.mark.slow

SETTINGS = Settings(features={"block2_conv1": 0.05}, size=12)
LAYERS = {"block2_conv1": 4, "block4_conv3": 3}
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        3,
        10**30,
        1e308,
        -0.5,
        float("nan"),
        "",
        "x",
        "../outside",
        "/tmp/outside",
        "..",
        "\x1b[31m",
    ),
    *([], [0], [[]], {}, {"a": 1}, "block4_conv3", "a/b", "\udcff", "9" * 5000, [0, 1, 2, 3, 4], "</script>"),
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    """A folder with a gallery, half done, and an interrupted comparison."""
    folder = tmp_path_factory.mktemp("originals")
    gallery = GalleryFolder.open(folder / "gallery", "pocket", None, SETTINGS.to_toml(), LAYERS, 12)
    for layer in LAYERS:
        gallery.save(layer, {channel: np.full((12, 12, 3), 9.0, np.float32) for channel in range(3)}, "seed = 0")
    gallery.release()
    start = np.full((6, 8, 3), 7, np.float32)
    record = ComparisonRecord(picture="/x/cat.jpg", settings_name="mine", optimizers=["lbfgs", "adam"], passes=4)
    comparison = ComparisonFolder.create(folder / "compared", SETTINGS, start, record)
    for step in (1.0, 2.0):
        passes = [Pass(number, 0.1, step, step, {"block2_conv1": step}) for number in range(1, 5)]
        pictures = dict.fromkeys((1, 2, 4), start)
        comparison.save(Trial("adam", step, None, passes, pictures, step, {"block2_conv1": step}, 0.1, 0.2))
    comparison.release()
    return folder


def damage(folder: Path, chance: random.Random) -> str:
    """Damage one or two files of a folder. Returns what was done."""
    done = []
    for _ in range(chance.choice((1, 1, 2))):
        path = chance.choice(sorted(path for path in folder.rglob("*") if not path.name.endswith((".js", ".html"))))
        kind = chance.choice(("bytes", "value", "value", "link", "remove", "folder"))
        if not path.is_file() or path.is_symlink():
            kind = "link" if path.is_dir() and not path.is_symlink() else "none"
        elif kind == "value" and path.suffix == ".json":
            try:
                changed = changed_value(json.loads(path.read_text()), VALUES, chance)
                path.write_text(json.dumps(changed))
            except ValueError:
                kind = "bytes"
        if kind == "bytes" or (kind == "value" and path.suffix != ".json"):
            path.write_bytes(mutate(path.read_bytes(), chance))
        elif kind == "link":
            target = folder.parent / "outside" / path.name
            shutil.move(path, target)
            path.symlink_to(target)
        elif kind == "remove":
            path.unlink()
        elif kind == "folder":
            path.unlink()
            path.mkdir()
        done.append(f"{kind} {path.relative_to(folder)}")
    return ", ".join(done)


def use_gallery(folder: Path) -> list[int]:
    """Open a gallery, make what is missing, and look at it, as `gallery` and `graph --gallery` do."""
    gallery = GalleryFolder.open(folder, "pocket", None, SETTINGS.to_toml(), LAYERS, 12)
    for layer in LAYERS:
        missing = gallery.todo(layer)
        gallery.save(layer, {channel: np.zeros((12, 12, 3), np.float32) for channel in missing}, "seed = 0")
        assert all(picture is not None for picture in gallery.pictures(layer))
    found = open_gallery(folder, "pocket").pictures
    assert {layer: len(paths) for layer, paths in found.items() if layer in LAYERS} == LAYERS
    return [len(paths) for paths in found.values()]


def use_comparison(folder: Path) -> list[float | None]:
    """Open a comparison, finish a trial, and complete it, as `compare --resume` does."""
    comparison = ComparisonFolder.reopen(folder)
    budgets = budgets_of(comparison.record.passes)
    assert all(tuple(trial.pictures) == budgets for trial in comparison.finished)
    start = comparison.picture
    passes = [Pass(1, 0.1, 1.0, 1.0, {"block2_conv1": 1.0})]
    comparison.save(Trial("lbfgs", None, 4, passes, dict.fromkeys(budgets, start), 1.0, {"block2_conv1": 1.0}))
    comparison.complete()
    assert not list(folder.glob("trial_*"))
    return [trial.step for trial in comparison.finished]


@pytest.mark.parametrize(("name", "use", "seed"), [("gallery", use_gallery, 1), ("compared", use_comparison, 2)])
def test_damaged_folders(originals, tmp_path, name, use, seed, capsys):
    tried = used = 0
    for chance in mutants(seed):
        tried += 1
        place = tmp_path / str(tried)
        (place / "outside").mkdir(parents=True)
        folder = place / name
        shutil.copytree(originals / name, folder)
        what = damage(folder, chance)
        outside = {path: path.read_bytes() for path in (place / "outside").rglob("*") if path.is_file()}
        outcome = attempt(lambda folder=folder: use(folder), folder)
        faults = [fault for fault in outcome.faults() if not fault.startswith("prints")]
        assert not faults, f"mutant {tried} ({what}): {faults}"
        assert {path: path.read_bytes() for path in (place / "outside").rglob("*") if path.is_file()} == outside, what
        used += not outcome.error
        shutil.rmtree(place)
    assert tried > 5
    with capsys.disabled():
        print(f"{name}: {tried} damaged folders, {used} used, {tried - used} refused")
