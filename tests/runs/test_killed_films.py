"""Kill whole commands that make films with SIGKILL, at random moments. Resumed, each ends in the bytes of a whole one.

DREAMSCRIPTS_KILLS sets the number of kills of each kind of film, 1 without it.
"""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import changed
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

from small_films import pictures, write_film

from dreamscripts.runs import film_folder
from dreamscripts.runs.find_film import parts_of

KILLS = int(os.environ.get("DREAMSCRIPTS_KILLS", "1"))
FRAMES = film_folder.SEGMENT + 20  # a film with a segment, and more


class Setup:
    """A kind of film in a folder of its own, and the bytes of a whole one."""

    def __init__(self, kind, settings, command):
        self._command, self._kind = command, kind
        zoom = {"seconds": FRAMES / 20, "fps": 20.0, "loop": True, "factor": 1.5}
        table = changed(settings, size=64, zoom=zoom, optimizer={"iterations": 2})
        (command.folder / "settings.toml").write_text(table.to_toml())
        y, x = np.mgrid[0:48, 0:64]
        Image.fromarray(np.stack([x * 2, y * 3, x + y], 2).astype(np.uint8)).save(command.folder / "photo.png")
        write_film(command.folder / "film.mp4", pictures(FRAMES), sound=True)
        source = "photo.png" if kind == "zoom" else "film.mp4"
        self._arguments = (kind, source, "--settings", "settings.toml", "--quiet")
        began = time.monotonic()
        command(*self._arguments, "--output", "whole.mp4", check=0)
        self._seconds = time.monotonic() - began
        self._whole = (command.folder / "whole.mp4").read_bytes()

    def kill(self, chance: random.Random, number: int) -> str:
        """Begin a film, kill it at a random moment, go on with it, and return what is wrong."""
        film = self._command.folder / f"killed{number}.mp4"
        process = subprocess.Popen(
            [sys.executable, "-m", "dreamscripts", *self._arguments, "--output", film.name],
            cwd=self._command.folder,
            start_new_session=True,
        )
        moment = chance.uniform(0.1, 1.05) * self._seconds
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        again = ("--resume",) if parts_of(film).exists() else ()
        if again or not film.exists():
            arguments = (self._kind, *again, "--quiet") if again else (*self._arguments,)
            done = self._command(*arguments, "--output", film.name)
            if done.returncode:
                return f"after {moment:.1f} s: {done.stderr}"
        return "" if film.read_bytes() == self._whole else f"after {moment:.1f} s: other bytes"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("kind", ["zoom", "video"])
def test_killed_at_a_random_moment_a_film_resumes_to_the_same_bytes(kind, settings, command):
    setup = Setup(kind, settings, command)
    chance = random.Random(kind)
    wrong = [setup.kill(chance, number) for number in range(KILLS)]
    assert not any(wrong), [line for line in wrong if line]
