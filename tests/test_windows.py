"""What Windows lacks, simulated: modules, signals and flags of POSIX. This cannot show how Windows itself behaves."""

import subprocess
import sys

WITHOUT_POSIX = """
import os, signal, sys
from pathlib import Path
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGXCPU", "SIGALRM"):
    delattr(signal, name)
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "getuid", "mkfifo"):
    delattr(os, name)
import numpy as np
from dreamscripts.benchmarks import program
from dreamscripts.images.files import open_picture, save_picture
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.scripts import main
from dreamscripts.settings.schema import Settings
assert program.peak_mib() > 0
settings = Settings(features={"block2_conv1": 1})
run = RunFolder.create("run", settings, np.zeros((8, 8, 3), np.float32))
run.release()
save_picture(np.zeros((8, 8, 3), np.float32), "p.png", settings.to_toml())
assert open_picture("p.png").shape == (8, 8, 3)
sys.argv = ["dreamscripts", "settings"]
main()
"""


def test_a_system_without_posix_can_write_runs_and_run_commands(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert "bad_trip" in done.stdout
    assert (tmp_path / "run" / "settings.toml").exists()


def test_a_console_of_windows_shows_the_text_in_its_own_characters(tmp_path):
    """A console with the code page 850 has no arrow and no ellipsis."""
    program = "from dreamscripts.scripts.streams import guarded\nwith guarded():\n    print('é → 3×3…')"
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", program],
        env={"PYTHONIOENCODING": "cp850", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode("cp850").splitlines() == ["é -> 3×3..."]
