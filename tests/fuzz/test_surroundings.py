"""A dream in odd surroundings: it is as anywhere, or it ends with one line and can be resumed."""

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fuzz.harness import mutants
from fuzz.surroundings import DEADLY, SURROUNDINGS, is_possible, prepare, run_in

from dreamscripts.images.files import open_picture

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs bash and Linux's limits")]

ORDINARY = "setsid"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def dream(surrounding: str, folder: Path) -> list[str]:
    """Dream in a surrounding and, if it failed after it started, resume in an ordinary one. Returns the faults."""
    folder.mkdir()
    prepare(folder)
    if not is_possible(surrounding, folder):
        return []
    words = ["dream", f"{folder}/photo.png", "--settings", f"{folder}/fast.toml"]
    words += [] if "--output" in SURROUNDINGS[surrounding] else ["--output", f"{folder}/run"]
    told = run_in(surrounding, folder, *words)
    faults = [] if surrounding in DEADLY else told.faults()
    if told.code and (folder / "run" / "run.json").exists():
        resumed = run_in(ORDINARY, folder, "dream", "--resume", "--output", f"{folder}/run")
        if resumed.code and "nothing to resume" not in resumed.err:
            faults += [f"cannot be resumed: {fault}" for fault in resumed.faults() or [resumed.err]]
    return faults


def test_a_dream_is_as_anywhere_or_says_why_not(place, capsys):
    assert dream(ORDINARY, place / "ordinary") == []
    expected = open_picture(place / "ordinary" / "run" / "final.png")
    names = list(SURROUNDINGS)
    random.Random(5).shuffle(names)
    found = {}
    for number, (name, _) in enumerate(zip(names, mutants(5), strict=False)):
        folder = place / str(number)
        found[name] = dream(name, folder)
        if (final := folder / "run" / "final.png").exists():
            difference = np.abs(open_picture(final) - expected).max()
            found[name] += [f"a pixel differs by {difference}"] if difference > 1 else []
    assert not (bad := {name: faults for name, faults in found.items() if faults}), bad
    with capsys.disabled():
        print(f"{len(found)} of {len(names)} surroundings")
